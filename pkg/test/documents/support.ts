/** Libraries in memory, files of these tests, and an embedder whose vectors are known. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Window } from "happy-dom";
import type { Backend } from "../../src/index.js";
import { HearthError } from "../../src/index.js";
import type { Extractors } from "../../src/documents/index.js";

export function fixture(name: string): File {
  return new File([readFileSync(join(import.meta.dirname, "fixtures", name))], name);
}

/** Parts of a browser that Node lacks: pdf.js asks for DOMMatrix when it is loaded, and uses it to draw only. */
export const extractors: Extractors = {
  pdfjs: async () => {
    (globalThis as { DOMMatrix?: unknown }).DOMMatrix ??= Object;
    await import("pdfjs-dist/legacy/build/pdf.worker.mjs");
    return await import("pdfjs-dist/legacy/build/pdf.mjs");
  },
  cMapUrl: `${dirname(createRequire(import.meta.url).resolve("pdfjs-dist/package.json"))}/cmaps/`,
  parseHtml: (html) => {
    const window = new Window({ settings: { disableJavaScriptFileLoading: true, disableCSSFileLoading: true } });
    return new window.DOMParser().parseFromString(html, "text/html").body;
  },
};

const NONE = {
  completions: false,
  embeddings: false,
  reranking: false,
  formats: false,
  tools: false,
  logprobs: false,
  continuation: false,
  tokenIds: false,
};

function refuse(): Promise<never> {
  return Promise.reject(new HearthError("invalid_request", "not this model"));
}

/** A backend that refuses all it is not given. */
export function backend(parts: Partial<Backend>, capabilities: Partial<Backend["capabilities"]>): Backend {
  return {
    model: { name: "fake" },
    capabilities: { ...NONE, ...capabilities },
    closed: new Promise(() => undefined),
    chat: refuse,
    streamChat: refuse,
    complete: refuse,
    streamCompletion: refuse,
    embed: refuse,
    rerank: refuse,
    dispose: () => undefined,
    ...parts,
  };
}

/** Topics and words of each: texts of one topic are alike, whatever their words. */
const TOPICS = ["fire flame stove heat warm", "sea ship harbour sail wave", "bee pollen hive flower honey"];

/** An embedder by topics; counts its calls, and fails while `failing` says so. */
export class FakeEmbedder {
  calls = 0;
  texts: string[] = [];
  failing: HearthError | undefined;
  readonly backend: Backend;

  constructor(name = "fake-embedder", dimension = 4) {
    this.backend = backend(
      {
        model: { name },
        embed: async ({ input }, { signal }) => {
          this.calls++;
          await new Promise((resolve) => setTimeout(resolve, 1));
          signal.throwIfAborted();
          if (this.failing !== undefined) throw this.failing;
          const texts = input as string[];
          this.texts.push(...texts);
          const data = texts.map((text, index) => ({
            object: "embedding" as const,
            index,
            embedding: vectorOf(text, dimension),
          }));
          return { object: "list", data, model: name, usage: { prompt_tokens: 0, total_tokens: 0 } };
        },
      },
      { embeddings: true },
    );
  }
}

export function vectorOf(text: string, dimension: number): number[] {
  const words = new Set(text.toLowerCase().match(/\p{L}+/gu) ?? []);
  const shares = TOPICS.map((topic) => topic.split(" ").filter((word) => words.has(word)).length);
  return Array.from({ length: dimension }, (_, i) => shares[i] ?? 0.1);
}

/** Prose of some length without headings, from a seed. */
export function prose(sentences: number, seed = 1): string {
  const words = "river stone market cloud winter garden letter window silver morning bridge forest candle".split(" ");
  let state = seed;
  const next = (most: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % most;
  };
  return Array.from({ length: sentences }, (_, i) => {
    const chosen = Array.from({ length: 8 + next(8) }, () => words[next(words.length)] ?? "");
    const end = i % 7 === 6 ? ".\n\n" : ". ";
    return `Sentence ${String(i)} ${chosen.join(" ")}${end}`;
  }).join("");
}
