/** Embeddings of passages and queries, each with the prefix that the model was trained with. */
import { Embeddings } from "../api/embeddings.js";
import type { Backend } from "../backend/backend.js";
import { HearthError, invalid } from "../core/errors.js";
import { prefixesOf, type Prefixes } from "./prefixes.js";

const SHORTEST = 32;

export class Embedder {
  readonly prefixes: Prefixes;
  /** Identifies what vectors were made with: they are only compared with others of the same key. */
  readonly key: string;
  readonly backend: Backend;
  readonly #embeddings: Embeddings;

  constructor(backend: Backend, prefixes: Prefixes | undefined) {
    if (!backend.capabilities.embeddings)
      throw invalid("embedder", "a model that makes embeddings", backend.model.name);
    this.backend = backend;
    const { model, local } = backend;
    // Files of safetensors often lack the model's name, or have that of the model that it was made from.
    const names = [model.name, ...(local?.source === undefined ? [] : [local.source])];
    this.prefixes = prefixes ?? prefixesOf(names);
    this.key = JSON.stringify([...names, this.prefixes.query, this.prefixes.passage]);
    this.#embeddings = new Embeddings(backend);
  }

  /** Returns one vector for each passage, of any length. */
  passages(texts: string[], signal: AbortSignal): Promise<number[][]> {
    return this.#embed(
      texts.map((text) => this.prefixes.passage + text),
      signal,
    );
  }

  async query(text: string, signal: AbortSignal): Promise<number[]> {
    const [vector] = await this.#embed([this.prefixes.query + text], signal);
    return vector ?? [];
  }

  async #embed(texts: string[], signal: AbortSignal): Promise<number[][]> {
    // Servers do not know `truncate`.
    const cut = this.backend.local === undefined ? {} : { truncate: true };
    try {
      const { data } = await this.#embeddings.create({ input: texts, ...cut }, { signal });
      const vectors = [...data].sort((a, b) => a.index - b.index).map(({ embedding }) => embedding);
      if (vectors.length !== texts.length || !vectors.every((vector): vector is number[] => Array.isArray(vector))) {
        throw new HearthError("internal_error", "the embedder did not return one vector for each text", {
          hint: "Choose another embedder.",
        });
      }
      return vectors;
    } catch (error) {
      if (!(error instanceof HearthError) || error.code !== "context_overflow") throw error;
      const [first = "", ...others] = texts;
      if (others.length > 0) {
        const half = texts.length >> 1;
        return [
          ...(await this.#embed(texts.slice(0, half), signal)),
          ...(await this.#embed(texts.slice(half), signal)),
        ];
      }
      // The estimate was too low: the beginning stands for the passage.
      if (first.length < SHORTEST) throw error;
      return this.#embed([first.slice(0, first.length >> 1).replace(/[\ud800-\udbff]$/, "")], signal);
    }
  }
}
