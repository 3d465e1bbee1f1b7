/** Whether a file's bytes are those that it should have. */
import { HearthError } from "../core/errors.js";
import type { WasmSha256 } from "../core/wasm-contract.js";
import { shown } from "./address.js";
import type { ByteSource } from "./source.js";

export class Checksum {
  readonly expected: string;
  readonly #url: string;
  readonly #start: () => WasmSha256;
  #hash: WasmSha256 | undefined;

  /** `expected`: a SHA-256 in hexadecimal digits. */
  constructor(url: string, expected: string, start: () => WasmSha256) {
    this.#url = url;
    this.expected = expected.toLowerCase();
    this.#start = start;
  }

  /** Goes on with the file's next bytes. */
  update(chunk: Uint8Array): void {
    this.#hash ??= this.#start();
    this.#hash.update(chunk);
  }

  /** At the file's end. */
  check(): void {
    const found = this.#finish();
    if (found === this.expected) return;
    throw new HearthError(
      "download_checksum",
      `the file at ${shown(this.#url)} is damaged: its SHA-256 should be ${this.expected}, it is ${found}`,
    );
  }

  /** Whether a whole file has the sum. */
  async fits(source: ByteSource): Promise<boolean> {
    for await (const chunk of source.chunks()) this.update(chunk);
    return this.#finish() === this.expected;
  }

  #finish(): string {
    const hash = this.#hash ?? this.#start();
    this.#hash = undefined;
    const found = hash.finish();
    hash.free();
    return found;
  }
}

/** A source that fails in the end where its bytes are not the right ones. */
export function checked(source: ByteSource, checksum: Checksum | undefined): ByteSource {
  if (checksum === undefined) return source;
  return {
    get total() {
      return source.total;
    },
    async *chunks() {
      for await (const chunk of source.chunks()) {
        checksum.update(chunk);
        yield chunk;
      }
      checksum.check();
    },
  };
}
