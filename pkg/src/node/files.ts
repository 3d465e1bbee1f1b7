/** Files of the machine: as sources of bytes, and behind the interfaces of a browser's private file system. */
import * as fs from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SyncAccessHandle } from "../cache/folder.js";
import { HearthError } from "../core/errors.js";
import { blobSource } from "../source/blob.js";
import type { ByteSource } from "../source/source.js";

/** A part of a file, read when asked for. It has as much of a Blob as the package uses. */
export class FilePart {
  private constructor(
    readonly path: string,
    readonly start: number,
    readonly size: number,
  ) {}

  static async of(path: string): Promise<FilePart> {
    return new FilePart(path, 0, (await stat(path)).size);
  }

  slice(start = 0, end = this.size): FilePart {
    const to = Math.min(end, this.size);
    return new FilePart(this.path, this.start + start, Math.max(0, to - start));
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    const file = await open(this.path);
    try {
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, this.start + at);
        if (bytesRead === 0) throw new Error(`${this.path} is shorter than it was`);
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
    return bytes.buffer;
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.arrayBuffer());
  }
}

/** Opens the file of a `file:` address, which need not exist until its chunks are read. */
export function fileSource(url: string, signal: AbortSignal): ByteSource {
  let total: number | undefined;
  return {
    get total() {
      return total;
    },
    async *chunks() {
      const part = await partAt(url);
      total = part.size;
      yield* blobSource(part as unknown as Blob, signal).chunks();
    },
  };
}

async function partAt(url: string): Promise<FilePart> {
  const path = fileURLToPath(url);
  try {
    if (fs.statSync(path).isFile()) return await FilePart.of(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const isAbsent = code === "ENOENT" || code === "ENOTDIR";
    const [what, hint] = isAbsent
      ? [`there is no file ${path}`, "Check the path for typing errors. A model of the Hub is named owner/name."]
      : [`the file ${path} cannot be read: ${message}`, "Check the file and try again."];
    throw new HearthError("io_error", what, { hint, cause, ...(isAbsent && { status: 404 }) });
  }
  throw new HearthError("io_error", `${path} is no file`);
}

/** A folder in the shape of `FileSystemDirectoryHandle`. */
export class Folder {
  readonly kind = "directory";

  constructor(readonly path: string) {}

  getDirectoryHandle(name: string, { create = false } = {}): Promise<Folder> {
    return asked(() => {
      const path = join(this.path, name);
      if (create) fs.mkdirSync(path, { recursive: true });
      fs.readdirSync(path);
      return new Folder(path);
    });
  }

  getFileHandle(name: string, { create = false } = {}): Promise<FileHandle> {
    return asked(() => {
      const path = join(this.path, name);
      fs.closeSync(fs.openSync(path, create ? "a" : "r"));
      return new FileHandle(path);
    });
  }

  removeEntry(name: string, { recursive = false } = {}): Promise<void> {
    return asked(() => {
      fs.rmSync(join(this.path, name), { recursive });
    });
  }

  async *entries(): AsyncGenerator<[string, Folder | FileHandle], void, void> {
    for (const entry of await asked(() => fs.readdirSync(this.path, { withFileTypes: true }))) {
      const path = join(this.path, entry.name);
      yield [entry.name, entry.isDirectory() ? new Folder(path) : new FileHandle(path)];
    }
  }
}

/** A file in the shape of `FileSystemFileHandle`. Locks, and not its handles, keep others away (`locks.ts`). */
class FileHandle {
  readonly kind = "file";

  constructor(readonly path: string) {}

  async getFile(): Promise<FilePart> {
    return await FilePart.of(this.path);
  }

  createSyncAccessHandle(): Promise<SyncAccessHandle> {
    return asked(() => {
      const file = fs.openSync(this.path, "r+");
      return {
        read: (buffer, { at }) => fs.readSync(file, buffer, 0, buffer.length, at),
        write: (buffer, { at }) => full(() => fs.writeSync(file, buffer, 0, buffer.length, at)),
        truncate: (size) => {
          full(() => {
            fs.ftruncateSync(file, size);
          });
        },
        getSize: () => fs.fstatSync(file).size,
        flush: () => {
          full(() => {
            fs.fdatasyncSync(file);
          });
        },
        close: () => {
          fs.closeSync(file);
        },
      };
    });
  }
}

/** Runs a task whose failure is that of the browser's file system. */
function asked<T>(task: () => T): Promise<T> {
  try {
    return Promise.resolve(task());
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    return Promise.reject(new DOMException(message, code === "ENOENT" ? "NotFoundError" : "NotAllowedError"));
  }
}

function full<T>(task: () => T): T {
  try {
    return task();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new DOMException(message, code === "ENOSPC" || code === "EDQUOT" ? "QuotaExceededError" : "NotAllowedError");
  }
}
