/** Translations by chat: whatever model a backend has is asked for them. */
import type { ChatCompletionCreateParamsStreaming, CompletionUsage } from "../api/openai.js";
import type { Backend } from "../backend/backend.js";
import { HearthError, invalid, toHearthError } from "../core/errors.js";
import { tokensIn } from "../documents/tokens.js";
import { familyOf, isGemmasRefusal, TRANSLATE_GEMMA, type Family } from "./families.js";
import type { Interpreter, Pair, PieceOptions, Portion, TranslatedPiece } from "./interpreter.js";
import { requireName } from "./languages.js";
import type { Sampling } from "./request.js";
import type { TranslationEnd, TranslationLanguages } from "./types.js";

/** Tokens of a piece: a paragraph or so. Longer ones are translated less faithfully. */
const MOST_TOKENS = 400;
/** Tokens around the text in a prompt. */
const AROUND = 100;
/** Bound of an answer that was not given one, so that a model that repeats itself ends. */
const LONGEST = { tokens: 256, perToken: 8 };
/** Variables of templates that keep a model from thinking; the others ignore them. */
const WITHOUT_THOUGHTS = { enable_thinking: false, thinking: false, reasoning_effort: "low" };

export class ChatInterpreter implements Interpreter {
  readonly #backend: Backend;
  /** Whether the model's template has shown that it is TranslateGemma's. */
  #isGemma = false;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get name(): string {
    return this.#backend.model.name;
  }

  /** Returns portions of which the context holds the text, its translation, and what lies around. */
  get portion(): Portion {
    const { n_ctx } = this.#backend.model;
    const room = n_ctx === undefined ? MOST_TOKENS : Math.floor((n_ctx - AROUND) / 4);
    return { most: Math.max(16, Math.min(MOST_TOKENS, room)), isPacked: true };
  }

  get languages(): TranslationLanguages {
    const { languages, needsSource } = this.#family;
    return { sources: languages, targets: languages, needsSource, needsTarget: true };
  }

  check(pair: Pair, _sampling: Sampling, beams?: number): Pair {
    if (beams !== undefined) throw invalid("beams", "1, as chat models have no beams", beams);
    if (pair.target === undefined) throw invalid("target", "the code of a language to translate into", pair.target);
    requireName("source", pair.source);
    requireName("target", pair.target);
    // Kept as it was given: what a family makes of it is known when it is asked.
    this.#family.pair(pair, this.name);
    return pair;
  }

  async translate(piece: string, pair: Pair, options: PieceOptions): Promise<TranslatedPiece> {
    try {
      return await this.#ask(piece, pair, options);
    } catch (error) {
      const reason = toHearthError(error);
      if (reason.code !== "template_error") throw error;
      if (this.#family === TRANSLATE_GEMMA) throw unknownPair(this.name, pair, reason);
      if (!isGemmasRefusal(reason.message)) throw error;
      this.#isGemma = true;
      return await this.translate(piece, pair, options);
    }
  }

  /** Returns the family of the model that the backend has now: that of a router may change. */
  get #family(): Family {
    return this.#isGemma ? TRANSLATE_GEMMA : familyOf(this.#backend);
  }

  async #ask(piece: string, pair: Pair, options: PieceOptions): Promise<TranslatedPiece> {
    const { signal, onText } = options;
    const stream = await this.#backend.streamChat(this.#params(piece, pair, options), { signal });
    let [text, end] = ["", "stop" as TranslationEnd];
    let usage: Partial<CompletionUsage> | null | undefined;
    for await (const chunk of stream) {
      usage = chunk.usage ?? usage;
      const [choice] = chunk.choices;
      const delta = choice?.delta.content ?? "";
      text += delta;
      if (delta !== "") onText(delta);
      if (choice?.finish_reason === "length") end = "length";
    }
    const { prompt_tokens = 0, completion_tokens = 0 } = usage ?? {};
    return { text, end, usage: { prompt_tokens, completion_tokens } };
  }

  #params(piece: string, pair: Pair, { maxTokens, sampling }: PieceOptions): ChatCompletionCreateParamsStreaming {
    const family = this.#family;
    const { local } = this.#backend;
    const advised: Sampling = { temperature: 0, ...family.sampling };
    if (local === undefined) {
      // Not every server knows these, and they matter least.
      delete advised.top_k;
      delete advised.repetition_penalty;
    }
    const params: ChatCompletionCreateParamsStreaming = {
      messages: [family.message(piece, family.pair(pair, this.name))],
      ...advised,
      ...sampling,
      stream: true,
      stream_options: { include_usage: true },
    };
    // A server does not tell whether its model thinks.
    const thinks = local?.model.thought_marks !== null;
    const most = maxTokens ?? (thinks ? undefined : LONGEST.tokens + LONGEST.perToken * tokensIn(piece));
    if (most !== undefined) params.max_tokens = most;
    if (local?.model.thought_marks) params.chat_template_kwargs = WITHOUT_THOUGHTS;
    return params;
  }
}

/** Returns the error of languages that TranslateGemma's template does not know. */
function unknownPair(model: string, { source, target = "" }: Pair, cause: HearthError): HearthError {
  const { languages = [] } = TRANSLATE_GEMMA;
  const message = `invalid request: ${model} does not translate from ${source ?? "it"} into ${target}: ${cause.message}`;
  return new HearthError("invalid_request", message, {
    hint: `Among its languages are ${languages.join(", ")}.`,
    cause,
  });
}
