/** Vectors of a document in 8 bits with a scale each, and the exact search through them. */
import { HearthError } from "../core/errors.js";
import type { Scored } from "./words.js";

/** Vectors of consecutive passages, as they are stored. */
export interface VectorSegment {
  /** Position of the first passage in its document. */
  start: number;
  dimension: number;
  /** `[count, dimension]`. */
  values: Int8Array<ArrayBuffer>;
  /** `[count]`: what a value of 1 stands for. */
  scales: Float32Array<ArrayBuffer>;
}

/** Normalises vectors to length 1 and stores them in 8 bits. */
export function quantize(vectors: readonly (readonly number[])[], start: number): VectorSegment {
  const dimension = vectors[0]?.length ?? 0;
  const values = new Int8Array(vectors.length * dimension);
  const scales = new Float32Array(vectors.length);
  vectors.forEach((vector, i) => {
    const length = Math.hypot(...vector);
    if (vector.length !== dimension || dimension === 0 || !Number.isFinite(length)) {
      throw new HearthError("internal_error", "the embedder's vectors are not numbers, or not of one length", {
        hint: "Choose another embedder.",
      });
    }
    const most = vector.reduce((found, value) => Math.max(found, Math.abs(value)), 0);
    if (most === 0) return;
    vector.forEach((value, k) => {
      values[i * dimension + k] = Math.round((value / most) * 127);
    });
    scales[i] = most / 127 / length;
  });
  return { start, dimension, values, scales };
}

export class Vectors {
  readonly #segments: VectorSegment[] = [];
  #count = 0;

  /** Number of passages from the first on that have a vector. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { values, scales }) => sum + values.byteLength + scales.byteLength, 0);
  }

  get dimension(): number | undefined {
    return this.#segments[0]?.dimension;
  }

  /** Adds a segment. One that is not the next is left out: what it has is there, or what comes before it is missing. */
  add(segment: VectorSegment): void {
    const isNext = segment.start === this.#count && segment.dimension === (this.dimension ?? segment.dimension);
    if (!isNext || segment.scales.length * segment.dimension !== segment.values.length) return;
    this.#segments.push(segment);
    this.#count += segment.scales.length;
  }

  /** Returns the cosines of the passages and the query, whose length is 1. */
  cosines(query: Float32Array): Float32Array {
    const found = new Float32Array(this.dimension === query.length ? this.#count : 0);
    for (const { start, dimension, values, scales } of this.#segments) {
      let at = 0;
      for (let i = 0; i < scales.length && found.length > 0; i++) {
        let sum = 0;
        for (let k = 0; k < dimension; k++) sum += (values[at + k] ?? 0) * (query[k] ?? 0);
        at += dimension;
        found[start + i] = sum * (scales[i] ?? 0);
      }
    }
    return found;
  }
}

/** Returns a vector of length 1. */
export function normalized(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector) || 1;
  return Float32Array.from(vector, (value) => value / length);
}

/** Keeps the best of many scores. */
export class Best {
  readonly #most: number;
  #kept: Scored[] = [];
  #least = Number.NEGATIVE_INFINITY;

  constructor(most: number) {
    this.#most = most;
  }

  offer(id: number, score: number): void {
    if (score <= this.#least) return;
    this.#kept.push({ id, score });
    if (this.#kept.length >= 4 * this.#most) {
      this.#kept = this.sorted();
      this.#least = this.#kept.at(-1)?.score ?? this.#least;
    }
  }

  /** Returns the best, in their order. */
  sorted(): Scored[] {
    return this.#kept.sort((a, b) => b.score - a.score || a.id - b.id).slice(0, this.#most);
  }
}
