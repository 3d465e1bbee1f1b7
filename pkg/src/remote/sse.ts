/** Reads server-sent events (HTML Standard, 9.2) from a response's body. */
import { HearthError } from "../core/errors.js";

/** Longest event accepted, in characters, so that a server cannot fill the memory with a line that never ends. */
const LONGEST = 16 * 2 ** 20;

export interface ServerEvent {
  /** The `data` lines, joined; for llama.cpp's older errors, the field `error`. */
  data: string;
  /** The stream ended before the blank line that ends an event. */
  isCut: boolean;
}

/** Splits text, in pieces of any length, into events. Lines end with CR, LF or both. */
export class EventSplitter {
  #rest = "";
  #data: string[] = [];
  #length = 0;
  /** The last piece ended with CR, whose LF may begin the next one. */
  #isAfterCr = false;
  #isFirst = true;

  /** Returns the events that the next piece completes. */
  feed(piece: string): ServerEvent[] {
    let text = piece;
    if (text === "") return [];
    if (this.#isFirst) text = text.replace(/^\uFEFF/, "");
    this.#isFirst = false;
    if (this.#isAfterCr && text.startsWith("\n")) text = text.slice(1);
    this.#isAfterCr = text.endsWith("\r");
    const lines = text.split(/\r\n|\r|\n/);
    const last = lines.pop() ?? "";
    const found: ServerEvent[] = [];
    for (const line of lines) {
      const event = this.#line(this.#rest + line);
      this.#rest = "";
      if (event !== undefined) found.push(event);
    }
    this.#rest += last;
    if (this.#rest.length + this.#length > LONGEST) {
      throw new HearthError("remote_error", `the server sent an event of more than ${String(LONGEST)} characters`);
    }
    return found;
  }

  /** Returns what is left at the end of the stream: some servers send no blank line after the last event. */
  end(): ServerEvent | undefined {
    const event = this.#line(this.#rest) ?? this.#line("");
    this.#rest = "";
    return event === undefined ? undefined : { ...event, isCut: true };
  }

  #line(line: string): ServerEvent | undefined {
    if (line === "") {
      const data = this.#data.join("\n");
      const isEmpty = this.#data.length === 0;
      this.#data = [];
      this.#length = 0;
      return isEmpty ? undefined : { data, isCut: false };
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field !== "data" && field !== "error") return undefined;
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    this.#data.push(value);
    this.#length += value.length;
    return undefined;
  }
}

/** Yields the events of a body. Leaving the iteration cancels the body, which ends the connection. */
export async function* eventsOf(body: ReadableStream<Uint8Array>, onBytes: () => void): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  // Not fatal: a model may be cut off in the middle of a character.
  const decoder = new TextDecoder();
  const splitter = new EventSplitter();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      onBytes();
      yield* splitter.feed(decoder.decode(value, { stream: true }));
    }
    yield* splitter.feed(decoder.decode());
    const last = splitter.end();
    if (last !== undefined) yield last;
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
