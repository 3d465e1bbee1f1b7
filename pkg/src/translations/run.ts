/** Translates texts piece by piece, and puts them together again. */
import type { Sent } from "../backend/backend.js";
import { HearthError, throwIfAborted } from "../core/errors.js";
import { tokensIn } from "../documents/tokens.js";
import type { Interpreter, Pair, PieceOptions } from "./interpreter.js";
import { gapFor, OneLine, onOneLine } from "./join.js";
import { toTranslationRequest, type TranslationRequest } from "./request.js";
import { halves, split, type Piece } from "./split.js";
import type {
  Translation,
  TranslationCreateParams,
  TranslationEnd,
  TranslationList,
  TranslationStreamEvent,
} from "./types.js";

/** Characters of a piece that is not cut again: where so few are too many, the context is the reason. */
const SHORTEST = 16;

/** A checked request, ready to run. */
export interface Job {
  run(signal: AbortSignal, onEvent?: (event: TranslationStreamEvent) => void): Promise<TranslationList>;
}

/** Checks a request, at once and as a whole. */
export function jobFor(interpreter: Interpreter, params: Sent<TranslationCreateParams>): Job {
  const request = toTranslationRequest(params);
  const pair = interpreter.check({ source: request.source, target: request.target }, request.sampling, request.beams);
  return { run: (signal, onEvent) => new Run(interpreter, request, pair, signal, onEvent).all() };
}

class Run {
  readonly #usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  #index = 0;
  #text = "";
  #end: TranslationEnd = "stop";

  constructor(
    private readonly interpreter: Interpreter,
    private readonly request: TranslationRequest,
    private readonly pair: Pair,
    private readonly signal: AbortSignal,
    private readonly onEvent: (event: TranslationStreamEvent) => void = () => undefined,
  ) {}

  async all(): Promise<TranslationList> {
    const data: Translation[] = [];
    const { name: model } = this.interpreter;
    for (const [index, input] of this.request.inputs.entries()) {
      const translation = await this.#one(index, input);
      data.push(translation);
      this.onEvent({ type: "translation.text.done", ...translation });
    }
    this.onEvent({ type: "translation.done", model, usage: this.#usage });
    return { object: "list", model, data, usage: this.#usage };
  }

  async #one(index: number, input: string): Promise<Translation> {
    [this.#index, this.#text, this.#end] = [index, "", "stop"];
    const { source } = this.request;
    const { lead, pieces } = split(input, { language: source, count: tokensIn, ...this.interpreter.portion });
    this.#add(lead);
    for (const [number, piece] of pieces.entries()) {
      const translation = await this.#piece(piece.text);
      this.#add(number === pieces.length - 1 ? piece.gap : gapFor(piece.gap, piece.text, translation));
    }
    return { index, text: this.#text, ...(source === undefined ? {} : { source }), finish_reason: this.#end };
  }

  /** Translates a piece, in two parts if it is too long for the model, and adds it. */
  async #piece(piece: string): Promise<string> {
    throwIfAborted(this.signal);
    try {
      return await this.#ask(piece);
    } catch (error) {
      const isTooLong = error instanceof HearthError && error.code === "context_overflow";
      const two = isTooLong && piece.length > SHORTEST ? halves(piece) : undefined;
      if (two === undefined) throw error;
      return await this.#both(two);
    }
  }

  async #both([first, second]: [Piece, Piece]): Promise<string> {
    const before = this.#text.length;
    const translation = await this.#piece(first.text);
    this.#add(gapFor(first.gap, first.text, translation));
    await this.#piece(second.text);
    return this.#text.slice(before);
  }

  async #ask(piece: string): Promise<string> {
    const line = new OneLine();
    const options: PieceOptions = {
      maxTokens: this.request.maxTokens,
      sampling: this.request.sampling,
      beams: this.request.beams,
      signal: this.signal,
      onText: (characters) => {
        this.#tell(line.push(characters));
      },
    };
    const { text, end, usage } = await this.interpreter.translate(piece, this.pair, options);
    const whole = onOneLine(text.trim());
    if (whole.startsWith(line.text)) this.#tell(whole.slice(line.text.length));
    this.#text += whole;
    if (this.#end === "stop") this.#end = end === "stop" && whole === "" ? "empty" : end;
    this.#usage.prompt_tokens += usage.prompt_tokens;
    this.#usage.completion_tokens += usage.completion_tokens;
    this.#usage.total_tokens += usage.prompt_tokens + usage.completion_tokens;
    return whole;
  }

  #add(characters: string): void {
    this.#text += characters;
    this.#tell(characters);
  }

  #tell(delta: string): void {
    if (delta !== "") this.onEvent({ type: "translation.text.delta", index: this.#index, delta });
  }
}
