/** Whether a file's bytes are those that it should have. */
import { HearthError } from "../errors.js";
import type { WasmSha256 } from "../wasm-contract.js";
import type { ByteSource } from "./source.js";

export class Checksum {
  readonly #url: string;
  readonly #expected: string;
  readonly #hash: WasmSha256;

  /** `expected`: a SHA-256 in hexadecimal digits. */
  constructor(url: string, expected: string, hash: WasmSha256) {
    this.#url = url;
    this.#expected = expected.toLowerCase();
    this.#hash = hash;
  }

  /** Goes on with the file's next bytes. */
  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  /** At the file's end. */
  check(): void {
    const found = this.#hash.finish();
    this.#hash.free();
    if (found === this.#expected) return;
    throw new HearthError(
      "download_checksum",
      `the file at ${this.#url} is damaged: its SHA-256 should be ${this.#expected}, it is ${found}`,
    );
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
