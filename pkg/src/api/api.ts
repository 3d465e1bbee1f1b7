/** The OpenAI-shaped API over a backend. */
import type { Backend } from "../backend/backend.js";
import type { Interpreter } from "../translations/interpreter.js";
import { Completions, TextCompletions } from "./completions.js";
import { Embeddings } from "./embeddings.js";
import type { RequestOptions } from "./openai.js";
import type { RerankParams, RerankResponse } from "./ranking.js";
import { whole } from "./request.js";
import { Translations } from "./translations.js";

export interface Api {
  readonly chat: { readonly completions: Completions };
  readonly completions: TextCompletions;
  readonly embeddings: Embeddings;
  /** Texts in another language, by whatever chat model there is. */
  readonly translations: Translations;
  /** Ranks documents by how well they answer a query, with a model made for it. */
  rerank(params: RerankParams, options?: RequestOptions): Promise<RerankResponse>;
}

/** Returns the API over a backend, such as the one of an engine, for code that has no engine in its hands. */
export function apiOf(backend: Backend): Api {
  let interpreter: Interpreter | undefined;
  return {
    chat: { completions: new Completions(backend) },
    completions: new TextCompletions(backend),
    embeddings: new Embeddings(backend),
    translations: new Translations(
      async () => (interpreter ??= new (await import("../translations/chat.js")).ChatInterpreter(backend)),
    ),
    rerank: (params, options = {}) => whole(params, options, (sent, opts) => backend.rerank(sent, opts)),
  };
}
