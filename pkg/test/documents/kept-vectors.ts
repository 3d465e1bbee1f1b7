/** An embedder that keeps vectors in a folder, by the texts' hashes, so that a long run can be interrupted. */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Backend, BackendOptions, CreateEmbeddingResponse } from "../../src/index.js";
import { backend } from "./support.js";

const WIDTH = 384;
const BYTES = 4 * WIDTH;

/** Texts whose vectors are computed whatever is kept, to be compared with what is. */
export const CHECKED = 12;

export class KeptVectors {
  readonly #kept = new Map<string, number[]>();
  readonly #folder: string | undefined;
  readonly #made: Backend;
  /** Cosines of vectors that were kept and of those computed again. */
  readonly cosines: number[] = [];
  computed = 0;

  constructor(made: Backend, folder: string | undefined) {
    this.#made = made;
    this.#folder = folder;
    if (folder === undefined || !existsSync(this.#path("txt"))) return;
    const bytes = readFileSync(this.#path("bin"));
    const hashes = readFileSync(this.#path("txt"), "utf8").split("\n").filter(Boolean);
    for (const [i, hash] of hashes.entries()) {
      const values = bytes.subarray(i * BYTES, (i + 1) * BYTES);
      if (values.length === BYTES)
        this.#kept.set(
          hash,
          Array.from({ length: WIDTH }, (_, k) => values.readFloatLE(4 * k)),
        );
    }
  }

  /** The embedder for a library. */
  get backend(): Backend {
    const embed: Backend["embed"] = async (params, options) => {
      const texts = params.input as string[];
      const data: CreateEmbeddingResponse["data"] = [];
      for (const [index, text] of texts.entries()) {
        data.push({ object: "embedding", index, embedding: await this.#vector(text, options) });
      }
      return { object: "list", data, model: "MiniLM", usage: { prompt_tokens: 0, total_tokens: 0 } };
    };
    return backend({ model: { name: "all-MiniLM-L6-v2" }, embed }, { embeddings: true });
  }

  #path(end: string): string {
    return join(this.#folder ?? "", `vectors.${end}`);
  }

  async #vector(text: string, options: BackendOptions): Promise<number[]> {
    const hash = createHash("sha256").update(text).digest("hex");
    const kept = this.#kept.get(hash);
    if (kept !== undefined && this.cosines.length >= CHECKED) return kept;
    const { data } = await this.#made.embed({ input: [text], truncate: true }, options);
    const vector = data[0]?.embedding as number[];
    this.computed++;
    if (kept !== undefined) {
      this.cosines.push(vector.reduce((sum, value, k) => sum + value * (kept[k] ?? 0), 0));
    } else {
      this.#kept.set(hash, vector);
      if (this.#folder !== undefined) {
        appendFileSync(this.#path("bin"), Buffer.from(Float32Array.from(vector).buffer));
        appendFileSync(this.#path("txt"), `${hash}\n`);
      }
    }
    return vector;
  }
}
