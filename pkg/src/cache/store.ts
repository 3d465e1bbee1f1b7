/** A cached file that this worker writes: its data and its log. */
import { storage } from "../core/platform.js";
import { withoutSecrets } from "../source/address.js";
import type { Identity } from "../source/http.js";
import { openSync, type SyncAccessHandle } from "./folder.js";
import { fresh, missing, parseLog, toLine, withSpan, type LogState, type Span } from "./log.js";

export class Store {
  readonly #data: SyncAccessHandle;
  readonly #log: SyncAccessHandle;
  #logAt: number;
  #state: LogState;

  private constructor(data: SyncAccessHandle, log: SyncAccessHandle, logAt: number, state: LogState) {
    this.#data = data;
    this.#log = log;
    this.#logAt = logAt;
    this.#state = state;
  }

  /** Opens the file of `url` with whatever an earlier attempt left, unless that was of another version. */
  static async open(folder: FileSystemDirectoryHandle, url: string, version?: string): Promise<Store> {
    const handles: SyncAccessHandle[] = [];
    try {
      const log = await openSync(folder, "log");
      handles.push(log);
      const written = new Uint8Array(log.getSize());
      log.read(written, { at: 0 });
      // End of the last whole line; the next line overwrites anything that a killed worker left after it.
      const logAt = written.lastIndexOf(10) + 1;
      const known = parseLog(new TextDecoder().decode(written.subarray(0, logAt)));
      log.truncate(logAt);
      const data = await openSync(folder, "data");
      handles.push(data);
      const store = new Store(data, log, logAt, known ?? fresh(withoutSecrets(url)));
      // A log that is unreadable, or claims more than the data has, was not written by this program.
      const isTold = known !== undefined && (known.spans.at(-1)?.to ?? 0) <= data.getSize();
      if (!isTold || known.version !== version) store.forget();
      return store;
    } catch (error) {
      for (const handle of handles) handle.close();
      throw error;
    }
  }

  get state(): Readonly<LogState> {
    return this.#state;
  }

  /** Number of bytes from the beginning without a gap. */
  get prefix(): number {
    const [first] = this.#state.spans;
    return first?.from === 0 ? first.to : 0;
  }

  /** Whether nothing worth keeping a folder for is stored. */
  get isEmpty(): boolean {
    return this.#state.spans.length === 0 && !this.#state.absent;
  }

  missing(total: number): Span[] {
    return missing(this.#state.spans, total);
  }

  /** Begins a file of this length. Space for all of it is reserved at once, or refused as if the disk were full. */
  async begin(total: number | null, { etag, modified }: Identity, version?: string): Promise<void> {
    this.forget();
    if (total !== null) await requireRoom(total);
    const { url } = this.#state;
    this.#state = { ...this.#state, total, etag, modified, version };
    this.#data.truncate(total ?? 0);
    this.#append(toLine({ url, total, etag, modified, version }));
  }

  /** Frees the space that the file takes. */
  forget(): void {
    this.#log.truncate(0);
    this.#logAt = 0;
    this.#data.truncate(0);
    this.#state = fresh(this.#state.url);
  }

  /** Remembers that the server has no such file. */
  setAbsent(): void {
    this.forget();
    const { url } = this.#state;
    const time = Date.now();
    this.#append(toLine({ url, total: null, etag: null, modified: null }));
    this.#append(toLine({ absent: true, time }));
    this.#state = { ...this.#state, absent: true, time };
  }

  write(at: number, bytes: Uint8Array): void {
    writeAll(this.#data, at, bytes);
  }

  /** Records a span: everything written before is now safe, whatever happens. */
  record(span: Span): void {
    if (span.from === span.to) return;
    this.#data.flush();
    this.#append(toLine(span));
    this.#state = { ...this.#state, spans: withSpan(this.#state.spans, span) };
  }

  /** Marks the file as complete. `sum`: its SHA-256, if verified. */
  complete(sum?: string): void {
    const size = this.prefix;
    const time = Date.now();
    this.#data.truncate(size);
    this.#data.flush();
    this.#append(toLine({ complete: true, size, time, sum }));
    this.#state = { ...this.#state, complete: true, total: size, time, sum };
  }

  /** Reads from `at` into `buffer` as far as there are bytes; returns their number. */
  read(at: number, buffer: Uint8Array): number {
    return this.#data.read(buffer, { at });
  }

  close(): void {
    this.#data.close();
    this.#log.close();
  }

  #append(line: Uint8Array): void {
    writeAll(this.#log, this.#logAt, line);
    this.#logAt += line.length;
    this.#log.flush();
  }
}

function writeAll(file: SyncAccessHandle, at: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    const written = file.write(bytes.subarray(done), { at: at + done });
    // Firefox returns a short count where Chromium throws.
    if (written === 0) throw new DOMException("no room for the model", "QuotaExceededError");
    done += written;
  }
}

/** Asks the browser for room in advance: a download that fills the disk is useless. */
async function requireRoom(bytes: number): Promise<void> {
  const { quota, usage } = (await storage()?.estimate()) ?? {};
  if (quota === undefined || usage === undefined || bytes <= quota - usage) return;
  const room = `it takes ${String(bytes)} bytes and the browser has ${String(quota - usage)} left for this site`;
  throw new DOMException(room, "QuotaExceededError");
}
