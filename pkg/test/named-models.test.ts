/**
 * Checks that the core runs every model named in examples, lists and texts: each repository's architecture and
 * quantisation is in the guide's tables.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseHubId } from "../src/source/paste.js";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/**
 * `general.architecture` of the GGUF file, or the architecture according to `config.json`. Look it up when naming
 * another repository.
 */
const ARCHITECTURES: Record<string, string> = {
  "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF": "llama",
  "LiquidAI/LFM2.5-1.2B-Instruct": "lfm2",
  "LiquidAI/LFM2.5-1.2B-Instruct-GGUF": "lfm2",
  "Qwen/Qwen3-0.6B": "qwen3",
  "Qwen/Qwen3-0.6B-GGUF": "qwen3",
  "Qwen/Qwen3-4B-GGUF": "qwen3",
  "bartowski/Llama-3.2-1B-Instruct-GGUF": "llama",
  "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF": "llama",
  "ggml-org/SmolLM3-3B-GGUF": "smollm3",
  "ggml-org/SmolVLM2-500M-Video-Instruct-GGUF": "llama",
  "google/siglip-base-patch16-224": "siglip-text",
  "mistralai/Ministral-3-3B-Instruct-2512-GGUF": "mistral3",
  "openai/clip-vit-base-patch32": "clip-text",
  "prism-ml/Bonsai-1.7B-gguf": "qwen3",
  "sentence-transformers/all-MiniLM-L6-v2": "bert",
  "unsloth/Qwen3-1.7B-GGUF": "qwen3",
  "unsloth/Qwen3.5-0.8B-GGUF": "qwen35",
  "unsloth/Qwen3.5-2B-GGUF": "qwen35",
  "unsloth/Qwen3.5-4B-GGUF": "qwen35",
  "unsloth/gemma-3-1b-it-GGUF": "gemma3",
  "unsloth/gemma-4-E2B-it-GGUF": "gemma4",
};
/** Names that are placeholders, or belong to other engines. */
const NOBODYS = new Set([
  "owner/name",
  "owner/Llama-3.2-1B-Instruct-GGUF",
  "onnx-community/...",
  "Xenova/opus-mt-en-de",
]);

/** Whisper's, which the core does not run: they are those of `hearth-llm/audio`. */
const SPEECH = new Set(["ggerganov/whisper.cpp", "openai/whisper-base", "openai/whisper-tiny.en"]);

/** Models of `hearth-llm/translation`, which the core does not run either. */
const TRANSLATION = new Set(["Helsinki-NLP/opus-mt-en-de"]);

const isElsewhere = (repository: string): boolean => SPEECH.has(repository) || TRANSLATION.has(repository);

/** Returns a column of a table in the guide. A native test compares these tables with the registries. */
function column(name: string, at: number): string[] {
  const table = new RegExp(`<!-- ${name} -->([^]*?)<!-- /${name} -->`).exec(read("docs/guide/models.md"))?.[1] ?? "";
  const rows = [...table.matchAll(/^\| (.+) \|$/gm)].map(([, row = ""]) => row.split(" | "));
  return rows.slice(2).map((cells) => (cells[at] ?? "").replaceAll("`", ""));
}

const FILES = [
  ...["README.md", "MIGRATING.md", "pkg/README.md", "examples/README.md", "www/src/models/catalog.ts"],
  ...["pkg/src/engine.ts", "pkg/src/core/protocol.ts"],
  ...readdirSync(join(root, "docs/guide")).map((name) => `docs/guide/${name}`),
  ...readdirSync(join(root, "examples"), { recursive: true })
    .map(String)
    .filter((path) => /\.(ts|tsx|js|mjs|html)$/.test(path) && !/node_modules|dist|\.next/.test(path))
    .map((path) => `examples/${path}`),
];

/** Returns the quoted strings of a file that parse as a repository on the Hub. */
function named(path: string): string[] {
  const quoted = [
    ...read(path).matchAll(/["'`]((?:https:\/\/(?:huggingface\.co|hf\.co)\/)?[\w.-]+\/[\w.:@/-]+)["'`]/g),
  ];
  return quoted.flatMap(([, text = ""]) => {
    // Imports, local folders, media types and routes of OpenAI's API.
    const isOther =
      /^(\.|hearth-llm\/|node:|next\/|react|preact|@|pkg\/|www\/|dist\/|text\/|application\/|audio\/|chat\/)/.test(
        text,
      );
    const id = isOther ? undefined : parseHubId(text);
    if (id === undefined || NOBODYS.has(id.repository) || isElsewhere(id.repository)) return [];
    return [id.quant === undefined ? id.repository : `${id.repository}:${id.quant}`];
  });
}

const found = [...new Set(FILES.flatMap(named))].sort();
const families = column("families", 0);

it("are found", () => {
  expect(families).toContain("llama");
  expect(found.map((id) => id.replace(/:.*/, ""))).toEqual(
    expect.arrayContaining(["Qwen/Qwen3-4B-GGUF", "sentence-transformers/all-MiniLM-L6-v2", "unsloth/Qwen3-1.7B-GGUF"]),
  );
});

it.each(found)("%s runs", (id) => {
  const [repository = "", quant] = id.split(":");
  expect(Object.keys(ARCHITECTURES)).toContain(repository);
  expect(families).toContain(ARCHITECTURES[repository]);
  // Mixtures are named by their size: _S, _M and _L consist of the same types.
  if (quant !== undefined) expect(column("quants", 0)).toContain(quant.replace(/_[SML]$/, ""));
});

it("the embedder of the example is one", () => {
  const [, embedder = ""] = /embedder"\) \?\? "([^"]+)"/.exec(read("examples/features/rag.ts")) ?? [];
  const models = column("families", 1)[families.indexOf(ARCHITECTURES[embedder] ?? "")];
  expect(models).toContain("(embeddings)");
});

it("the table has no more than is named", () => {
  const used = new Set(found.map((id) => id.replace(/:.*/, "")));
  expect(Object.keys(ARCHITECTURES).filter((id) => !used.has(id))).toEqual([]);
});
