/**
 * SHA-256 of a file that comes in pieces (FIPS 180-4): `crypto.subtle` takes only whole ones, and modules beside the core have no
 * sums of their own.
 */
import type { WasmSha256 } from "../core/wasm-contract.js";

const BLOCK = 64;

/** Returns the first `count` primes. */
function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}

/** Returns the first 32 bits of the fractions of the primes' roots. */
function fractions(count: number, root: (prime: number) => number): Int32Array {
  return Int32Array.from(primes(count), (prime) => Math.floor((root(prime) % 1) * 2 ** 32) | 0);
}

const K = fractions(64, Math.cbrt);
const START = fractions(8, Math.sqrt);

export class Sha256 implements WasmSha256 {
  readonly #state = START.slice();
  readonly #words = new Int32Array(64);
  /** Bytes of a block that is not full. */
  readonly #rest = new Uint8Array(BLOCK);
  #held = 0;
  #length = 0;

  update(chunk: Uint8Array): void {
    this.#length += chunk.length;
    let at = 0;
    if (this.#held > 0) {
      at = Math.min(BLOCK - this.#held, chunk.length);
      this.#rest.set(chunk.subarray(0, at), this.#held);
      this.#held += at;
      if (this.#held < BLOCK) return;
      this.#block(this.#rest, 0);
      this.#held = 0;
    }
    for (; at + BLOCK <= chunk.length; at += BLOCK) this.#block(chunk, at);
    this.#rest.set(chunk.subarray(at));
    this.#held = chunk.length - at;
  }

  /** Returns the sum in hexadecimal digits; nothing can be added afterwards. */
  finish(): string {
    const bits = this.#length * 8;
    const end = new Uint8Array(this.#held < 56 ? BLOCK : 2 * BLOCK);
    end.set(this.#rest.subarray(0, this.#held));
    end[this.#held] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(end.length - 4, bits >>> 0);
    for (let at = 0; at < end.length; at += BLOCK) this.#block(end, at);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  free(): void {
    // Nothing to free.
  }

  #block(bytes: Uint8Array, from: number): void {
    const w = this.#words;
    const state = this.#state;
    // `??` is for the compiler alone: no index is out of range.
    for (let i = 0; i < 16; i++) {
      const at = from + 4 * i;
      w[i] =
        ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15] ?? 0;
      const y = w[i - 2] ?? 0;
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = ((w[i - 16] ?? 0) + s0 + (((w[i - 7] ?? 0) + s1) | 0)) | 0;
    }
    // Without arrays and iterators, which would take more time here than the sums.
    let a = state[0] ?? 0;
    let b = state[1] ?? 0;
    let c = state[2] ?? 0;
    let d = state[3] ?? 0;
    let e = state[4] ?? 0;
    let f = state[5] ?? 0;
    let g = state[6] ?? 0;
    let h = state[7] ?? 0;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (((h + s1) | 0) + ((((e & f) ^ (~e & g)) + (((K[i] ?? 0) + (w[i] ?? 0)) | 0)) | 0)) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0] = (state[0] ?? 0) + a;
    state[1] = (state[1] ?? 0) + b;
    state[2] = (state[2] ?? 0) + c;
    state[3] = (state[3] ?? 0) + d;
    state[4] = (state[4] ?? 0) + e;
    state[5] = (state[5] ?? 0) + f;
    state[6] = (state[6] ?? 0) + g;
    state[7] = (state[7] ?? 0) + h;
  }
}
