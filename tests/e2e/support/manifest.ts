/** The manifest of goldens, which their generator writes: names, files, and facts that specs choose and compare by. */
import { goldenFile, readGolden } from "./env.js";

/** A golden; paths are relative to the folder of goldens. */
export interface GoldenEntry {
  name: string;
  kind:
    | "quants"
    | "templates"
    | "tokenizer"
    | "tiny"
    | "family"
    | "folder"
    | "embedding"
    | "embedding_folder"
    | "rerank"
    | "adapter"
    | "real";
  /** A GGUF file, or a folder as Hugging Face has them. */
  model?: string;
  /** The file with the reference's results. */
  expected: string;
  /** Files of floats that belong to `expected`. */
  compare?: { logits?: string; embeddings?: string; hidden?: string };
  /** The property that a golden of a family is made to show. */
  about?: "architecture" | "storage_types" | "epsilon";
  /** Ids at which an answer ends, while the reference continues. */
  ends?: number[];
  /** Whether encoding a plain text puts a beginning of sequence in front, which the reference does in chats only. */
  adds_bos?: boolean;
}

const { goldens } = readGolden("manifest.json") as { goldens: GoldenEntry[] };

/** Returns the goldens of a kind. */
export function goldensOf(kind: GoldenEntry["kind"]): GoldenEntry[] {
  return goldens.filter((golden) => golden.kind === kind);
}

/** Returns the golden `name`. */
export function goldenNamed(name: string): GoldenEntry {
  const found = goldens.find((golden) => golden.name === name);
  if (found === undefined) throw new Error(`the manifest of goldens has no ${name}`);
  return found;
}

/** Returns the address of a golden's model on the server; that of a folder ends in a slash. */
export function modelAddress({ kind, model, name }: GoldenEntry): string {
  if (model === undefined) throw new Error(`${name} has no model`);
  return `/tests/goldens/data/${model}${kind.endsWith("folder") ? "/" : ""}`;
}

/** Returns the path of a golden's file of floats. */
export function floatsFile({ compare, name }: GoldenEntry, what: "logits" | "embeddings" | "hidden"): string {
  const file = compare?.[what];
  if (file === undefined) throw new Error(`${name} has no ${what}`);
  return goldenFile(file);
}
