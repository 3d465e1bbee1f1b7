/** Verification of a file's SHA-256. */
import { HearthError } from "../core/errors.js";
import type { WasmSha256 } from "../core/wasm-contract.js";
import { shown } from "./address.js";
import type { ByteSource } from "./source.js";

export class Checksum {
  readonly expected: string;
  readonly #url: string;
  readonly #start: () => WasmSha256;
  #hash: WasmSha256 | undefined;

  /** Creates a check. `expected`: a SHA-256 in hexadecimal digits. */
  constructor(url: string, expected: string, start: () => WasmSha256) {
    this.#url = url;
    this.expected = expected.toLowerCase();
    this.#start = start;
  }

  /** Adds the file's next bytes. */
  update(chunk: Uint8Array): void {
    this.#hash ??= this.#start();
    this.#hash.update(chunk);
  }

  /** Compares the sums at the file's end. */
  check(): void {
    const found = this.#finish();
    if (found === this.expected) return;
    throw new HearthError(
      "download_checksum",
      `the file at ${shown(this.#url)} is damaged: its SHA-256 should be ${this.expected}, it is ${found}`,
    );
  }

  /** Reports whether a whole file has the sum. */
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

/** Wraps a source so that it fails at its end if its bytes are wrong. */
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
