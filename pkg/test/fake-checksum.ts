/** Substitute for the core's SHA-256. */
import type { WasmSha256 } from "../src/core/wasm-contract.js";

/** Returns the number of bytes, padded to the length of a SHA-256. */
export class Sha256 implements WasmSha256 {
  private bytes = 0;

  update(chunk: Uint8Array): void {
    this.bytes += chunk.length;
  }

  finish(): string {
    return this.bytes.toString(16).padStart(64, "0");
  }

  free(): void {
    // Nothing to free.
  }
}
