/**
 * An in-memory double of the origin's private file system and of Web Locks. It can be killed like a worker: from one
 * write to the next no data reaches a file any more, and the worker's handles and locks are released.
 */
import { vi } from "vitest";

const domException = (name: string): DOMException => new DOMException(name, name);

/** Waits for what a machine that has stopped would have done. */
const never = <T>(): Promise<T> => new Promise(() => undefined);

class DoubleFile {
  bytes = new Uint8Array();
  time = 0;
  holder: DoubleHandle | undefined;
}

class DoubleHandle {
  isDead = false;

  constructor(
    readonly file: DoubleFile,
    readonly name: string,
    readonly opfs: Opfs,
  ) {}

  read(buffer: Uint8Array, { at }: { at: number }): number {
    const part = this.file.bytes.subarray(at, at + buffer.length);
    buffer.set(part);
    return part.length;
  }

  write(buffer: Uint8Array, { at }: { at: number }): number {
    if (this.name === "data") this.opfs.onWrite(buffer.length);
    if (this.isDead) return buffer.length;
    const change = this.opfs.change();
    if (change === "lost") return buffer.length;
    if (change === "torn") buffer = buffer.subarray(0, Math.floor(buffer.length / 2));
    // Firefox writes only a part when the disk is nearly full.
    if (this.opfs.shortWrites && buffer.length > 1) buffer = buffer.subarray(0, Math.ceil(buffer.length / 2));
    const end = at + buffer.length;
    if (end > this.opfs.room) throw domException("QuotaExceededError");
    if (end > this.file.bytes.length) this.#resize(end);
    this.file.bytes.set(buffer, at);
    this.file.time = ++this.opfs.now;
    return buffer.length;
  }

  truncate(size: number): void {
    if (this.isDead || this.opfs.change() !== "whole") return;
    this.#resize(size);
  }

  #resize(size: number): void {
    if (size > this.opfs.room) throw domException("QuotaExceededError");
    const bytes = new Uint8Array(size);
    bytes.set(this.file.bytes.subarray(0, size));
    this.file.bytes = bytes;
  }

  getSize(): number {
    return this.file.bytes.length;
  }

  flush(): void {
    // Written bytes reach the file at once.
  }

  close(): void {
    if (this.file.holder === this) this.file.holder = undefined;
  }
}

class DoubleFolder {
  readonly kind = "directory";
  readonly folders = new Map<string, DoubleFolder>();
  readonly files = new Map<string, DoubleFile>();

  constructor(readonly opfs: Opfs) {}

  getDirectoryHandle(name: string, options = { create: true }): Promise<DoubleFolder> {
    if (!options.create && !this.folders.has(name)) return Promise.reject(domException("NotFoundError"));
    if (!this.folders.has(name) && this.opfs.change() !== "whole") return never();
    const folder = this.folders.get(name) ?? new DoubleFolder(this.opfs);
    this.folders.set(name, folder);
    return Promise.resolve(folder);
  }

  getFileHandle(name: string, options?: { create: boolean }): Promise<unknown> {
    let file = this.files.get(name);
    if (file === undefined) {
      if (!options?.create) return Promise.reject(domException("NotFoundError"));
      if (this.opfs.change() !== "whole") return never();
      file = new DoubleFile();
      this.files.set(name, file);
    }
    const found = file;
    return Promise.resolve({
      kind: "file",
      getFile: () => Promise.resolve(new File([found.bytes], name, { lastModified: found.time })),
      createSyncAccessHandle: () => {
        if (found.holder !== undefined) return Promise.reject(domException("NoModificationAllowedError"));
        found.holder = new DoubleHandle(found, name, this.opfs);
        return Promise.resolve(found.holder);
      },
    });
  }

  removeEntry(name: string): Promise<void> {
    const folder = this.folders.get(name);
    if (folder === undefined && !this.files.has(name)) return Promise.reject(domException("NotFoundError"));
    const change = this.opfs.change();
    // A folder's files go one by one.
    if (change === "torn") for (const file of [...(folder?.files.keys() ?? [])].slice(0, 1)) folder?.files.delete(file);
    if (change !== "whole") return never();
    this.folders.delete(name);
    this.files.delete(name);
    return Promise.resolve();
  }

  /** Returns what is in this folder and below, as another machine's. */
  copy(opfs: Opfs): DoubleFolder {
    const folder = new DoubleFolder(opfs);
    for (const [name, inner] of this.folders) folder.folders.set(name, inner.copy(opfs));
    for (const [name, { bytes, time }] of this.files) {
      folder.files.set(name, Object.assign(new DoubleFile(), { bytes: bytes.slice(), time }));
    }
    return folder;
  }

  async *entries(): AsyncGenerator<[string, unknown], void, void> {
    await Promise.resolve();
    yield* this.folders;
    for (const name of this.files.keys()) yield [name, await this.getFileHandle(name)];
  }
}

interface Waiting {
  mode: string;
  start(): void;
}

class DoubleLocks {
  readonly #held = new Map<string, { mode: string; count: number }>();
  readonly #waiting = new Map<string, Waiting[]>();

  request(
    name: string,
    { mode, ifAvailable }: { mode: string; ifAvailable?: boolean },
    task: (lock: object | null) => Promise<void> | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        const held = this.#held.get(name) ?? { mode, count: 0 };
        this.#held.set(name, { mode, count: held.count + 1 });
        void Promise.resolve(task({}))
          .then(resolve, reject)
          .finally(() => {
            this.#release(name);
          });
      };
      if (this.#isFree(name, mode)) start();
      else if (ifAvailable) Promise.resolve(task(null)).then(resolve, reject);
      else this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), { mode, start }]);
    });
  }

  clear(): void {
    this.#held.clear();
    this.#waiting.clear();
  }

  #isFree(name: string, mode: string): boolean {
    const held = this.#held.get(name);
    return held === undefined || (held.mode === "shared" && mode === "shared");
  }

  #release(name: string): void {
    const held = this.#held.get(name);
    if (held === undefined) return;
    if (held.count > 1) this.#held.set(name, { ...held, count: held.count - 1 });
    else this.#held.delete(name);
    const waiting = this.#waiting.get(name) ?? [];
    while (waiting[0] !== undefined && this.#isFree(name, waiting[0].mode)) waiting.shift()?.start();
  }
}

export class Opfs {
  room = Number.POSITIVE_INFINITY;
  shortWrites = false;
  /** Time of the last write, counted in writes. */
  now = 0;
  /** Total bytes written to the files of models. */
  written = 0;
  /** Number of changes so far: files and folders that were made or removed, lengths that were set, and writes. */
  changes = 0;
  isStopped = false;
  #root = new DoubleFolder(this);
  readonly #locks = new DoubleLocks();
  #killAt: { bytes: number; then: () => void } | undefined;
  #stopAt: number | undefined;

  /** Installs this file system for the process until the test ends. */
  install(): void {
    vi.stubGlobal("navigator", {
      storage: {
        getDirectory: () => Promise.resolve(this.#root),
        estimate: () => Promise.resolve({ quota: this.room, usage: 0 }),
        persist: () => Promise.resolve(true),
      },
      locks: this.#locks,
    });
  }

  /** Kills the worker after this many more bytes have been written. */
  killAfter(bytes: number, then: () => void): void {
    this.#killAt = { bytes: this.written + bytes, then };
  }

  /** Stops the machine after this many more changes: half of a write still happens, nothing of any other change, and none follows. */
  stopAfter(changes: number): void {
    this.#stopAt = this.changes + changes;
  }

  /** Counts a change; returns how much of it is to happen. */
  change(): "whole" | "torn" | "lost" {
    if (this.isStopped) return "lost";
    if (this.changes === this.#stopAt) this.isStopped = true;
    else this.changes++;
    return this.isStopped ? "torn" : "whole";
  }

  /** Returns what the disk has, for a machine that starts. */
  restart(): Opfs {
    const opfs = new Opfs();
    Object.assign(opfs, { now: this.now, room: this.room });
    opfs.#root = this.#root.copy(opfs);
    return opfs;
  }

  onWrite(bytes: number): void {
    this.written += bytes;
    if (this.#killAt === undefined || this.written < this.#killAt.bytes) return;
    const { then } = this.#killAt;
    this.#killAt = undefined;
    for (const file of this.files()) {
      if (file.holder !== undefined) file.holder.isDead = true;
      file.holder = undefined;
    }
    this.#locks.clear();
    then();
  }

  /** Cuts the end off every log, as if it were being written. */
  tearLogs(bytes: number): void {
    for (const folder of this.folders()) {
      const log = folder.files.get("log");
      if (log !== undefined) log.bytes = log.bytes.slice(0, Math.max(0, log.bytes.length - bytes));
    }
  }

  folders(): DoubleFolder[] {
    return [...this.#root.folders.values()].flatMap((root) => [...root.folders.values()]);
  }

  files(): DoubleFile[] {
    return this.folders().flatMap((folder) => [...folder.files.values()]);
  }
}
