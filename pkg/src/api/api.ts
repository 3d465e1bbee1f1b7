/** The OpenAI-shaped API over a backend. */
import type { Backend } from "../backend/backend.js";
import { Completions, TextCompletions } from "./completions.js";
import { Embeddings } from "./embeddings.js";

export interface Api {
  readonly chat: { readonly completions: Completions };
  readonly completions: TextCompletions;
  readonly embeddings: Embeddings;
}

export function apiOf(backend: Backend): Api {
  return {
    chat: { completions: new Completions(backend) },
    completions: new TextCompletions(backend),
    embeddings: new Embeddings(backend),
  };
}
