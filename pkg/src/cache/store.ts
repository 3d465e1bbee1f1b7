/** A file in the cache that this worker writes: what is there, and what the log knows of it. */
import type { Identity } from "../source/http.js";
import { openSync, type SyncAccessHandle } from "./folder.js";
import { missing, parseLog, toLine, withSpan, type LogState, type Span } from "./log.js";

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

  /** Opens the file of `url`, with what an earlier attempt left of it. */
  static async open(folder: FileSystemDirectoryHandle, url: string): Promise<Store> {
    const log = await openSync(folder, "log");
    const written = new Uint8Array(log.getSize());
    log.read(written, { at: 0 });
    // After the last whole line; the next one takes the place of what a killed worker left behind it.
    const logAt = written.lastIndexOf(10) + 1;
    const known = parseLog(new TextDecoder().decode(written.subarray(0, logAt)));
    try {
      const data = await openSync(folder, "data");
      const store = new Store(data, log, logAt, known ?? fresh(url));
      // Someone else's hands: what the log tells is not there.
      if ((known?.spans.at(-1)?.to ?? 0) > data.getSize()) store.forget();
      return store;
    } catch (error) {
      log.close();
      throw error;
    }
  }

  get state(): Readonly<LogState> {
    return this.#state;
  }

  /** Bytes from the beginning on, without a gap. */
  get prefix(): number {
    const [first] = this.#state.spans;
    return first?.from === 0 ? first.to : 0;
  }

  /** Nothing is there that is worth a folder. */
  get isEmpty(): boolean {
    return this.#state.spans.length === 0 && !this.#state.absent;
  }

  missing(total: number): Span[] {
    return missing(this.#state.spans, total);
  }

  /** Begins a file of this length. Room for all of it is taken at once, or refused as a disk that is full is. */
  async begin(total: number | null, { etag, modified }: Identity): Promise<void> {
    this.forget();
    if (total !== null) await requireRoom(total);
    const { url } = this.#state;
    this.#state = { ...this.#state, total, etag, modified };
    this.#data.truncate(total ?? 0);
    this.#append(toLine({ url, total, etag, modified }));
  }

  /** Gives the room back that the file takes. */
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
    this.#append(toLine({ url, total: null, etag: null, modified: null }));
    this.#append(toLine({ absent: true }));
    this.#state = { ...this.#state, absent: true };
  }

  write(at: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const written = this.#data.write(bytes.subarray(done), { at: at + done });
      // Firefox gives a short count where Chromium throws.
      if (written === 0) throw new DOMException("no room for the model", "QuotaExceededError");
      done += written;
    }
  }

  /** What was written before is there now, whatever comes. */
  record(span: Span): void {
    if (span.from === span.to) return;
    this.#data.flush();
    this.#append(toLine(span));
    this.#state = { ...this.#state, spans: withSpan(this.#state.spans, span) };
  }

  complete(): void {
    const size = this.prefix;
    const time = Date.now();
    this.#data.truncate(size);
    this.#data.flush();
    this.#append(toLine({ complete: true, size, time }));
    this.#state = { ...this.#state, complete: true, total: size, time };
  }

  /** Fills as much of `buffer` as there is from `at` on; gives how much. */
  read(at: number, buffer: Uint8Array): number {
    return this.#data.read(buffer, { at });
  }

  close(): void {
    this.#data.close();
    this.#log.close();
  }

  #append(line: Uint8Array): void {
    this.#logAt += this.#log.write(line, { at: this.#logAt });
    this.#log.flush();
  }
}

function fresh(url: string): LogState {
  return { url, total: null, etag: null, modified: null, spans: [], complete: false, absent: false, time: undefined };
}

/** Asks the browser beforehand: a file that fills the disk is of no use to anyone. */
async function requireRoom(bytes: number): Promise<void> {
  const { quota, usage } = await navigator.storage.estimate();
  if (quota === undefined || usage === undefined || bytes <= quota - usage) return;
  const room = `it takes ${String(bytes)} bytes and the browser has ${String(quota - usage)} left for this site`;
  throw new DOMException(room, "QuotaExceededError");
}
