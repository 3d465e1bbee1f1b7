/** Embeddings of passages and queries, each with the prefix that the model was trained with. */
import { Embeddings } from "../api/embeddings.js";
import type { Backend } from "../backend/backend.js";
import { HearthError, invalid } from "../core/errors.js";

/** Texts put before a query and before a passage. */
export interface Prefixes {
  query: string;
  passage: string;
}

/** Prefixes from the models' cards, by their names: no field of a file tells them. */
const KNOWN: [name: RegExp, prefixes: Prefixes][] = [
  [/nomic-embed-code/i, { query: "Represent this query for searching relevant code: ", passage: "" }],
  [/nomic-embed/i, { query: "search_query: ", passage: "search_document: " }],
  [
    /(?:^|[/_-])e5-.*instruct/i,
    { query: "Instruct: Given a question, retrieve passages that answer it\nQuery: ", passage: "" },
  ],
  [/(?:^|[/_-])e5-/i, { query: "query: ", passage: "passage: " }],
  [/arctic-embed.*v2/i, { query: "query: ", passage: "" }],
  [
    /bge-(?:small|base|large)-en|arctic-embed|mxbai-embed-(?:large|xsmall)/i,
    { query: "Represent this sentence for searching relevant passages: ", passage: "" },
  ],
  [/bge-(?:small|base|large)-zh/i, { query: "为这个句子生成表示以用于检索相关文章：", passage: "" }],
  [/embedding-?gemma/i, { query: "task: search result | query: ", passage: "title: none | text: " }],
  [/qwen3-?embedding/i, { query: "Instruct: Given a question, retrieve passages that answer it\nQuery:", passage: "" }],
];

export function prefixesOf(name: string): Prefixes {
  // Names in files have spaces where those of repositories have hyphens.
  const spelled = name.replace(/[\s_]+/g, "-");
  return KNOWN.find(([pattern]) => pattern.test(spelled))?.[1] ?? { query: "", passage: "" };
}

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
    this.prefixes = prefixes ?? prefixesOf(backend.model.name);
    this.key = JSON.stringify([backend.model.name, this.prefixes.query, this.prefixes.passage]);
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
