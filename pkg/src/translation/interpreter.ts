/** Translations by an encoder-decoder: a sentence at a time, as these models were trained. */
import { invalid } from "../core/errors.js";
import type { Interpreter, Pair, PieceOptions, Portion, TranslatedPiece } from "../translations/interpreter.js";
import { among } from "../translations/languages.js";
import type { Sampling } from "../translations/request.js";
import type { TranslationLanguages } from "../translations/types.js";
import type { TranslationLink } from "./link.js";
import type { TranslateRequest } from "./protocol.js";

/** Tokens of a sentence beyond which these models leave parts of it out. */
const MOST_TOKENS = 128;

export class ModuleInterpreter implements Interpreter {
  readonly #link: TranslationLink;

  constructor(link: TranslationLink) {
    this.#link = link;
  }

  get name(): string {
    return this.#link.model.name;
  }

  get portion(): Portion {
    const { maxInputTokens } = this.#link.model;
    // Their vocabularies are smaller than those that the estimate of tokens is made for.
    return {
      most: Math.max(8, Math.min(MOST_TOKENS, Math.floor((maxInputTokens ?? MOST_TOKENS) / 2))),
      isPacked: false,
    };
  }

  get languages(): TranslationLanguages {
    const { sources, targets, needsSource, needsTarget } = this.#link.languages;
    const known = (codes: string[]): string[] | undefined => (codes.length === 0 ? undefined : codes);
    return { sources: known(sources), targets: known(targets), needsSource, needsTarget };
  }

  check({ source, target }: Pair, sampling: Sampling): Pair {
    const [field] = Object.keys(sampling);
    if (field !== undefined && !(field === "temperature" && sampling.temperature === 0)) {
      throw invalid(field, `absent, as ${this.name} takes the likeliest token`, sampling[field as keyof Sampling]);
    }
    return { source: this.#source(source), target: this.#target(target) };
  }

  async translate(
    text: string,
    pair: Pair,
    { maxTokens, beams, signal, onText }: PieceOptions,
  ): Promise<TranslatedPiece> {
    const { source, target } = pair;
    const request: TranslateRequest = { text };
    if (source !== undefined) request.source = source;
    if (target !== undefined) request.target = target;
    if (maxTokens !== undefined) request.maxTokens = maxTokens;
    if (beams !== undefined) request.beams = beams;
    let piece: TranslatedPiece = { text: "", end: "length", usage: { prompt_tokens: 0, completion_tokens: 0 } };
    await this.#link.translate(request, signal, (event) => {
      if (event.type === "token" && event.text !== "") onText(event.text);
      if (event.type !== "done") return;
      const { inputTokens, tokens, finish } = event;
      piece = { text: event.text, end: finish, usage: { prompt_tokens: inputTokens, completion_tokens: tokens } };
    });
    return piece;
  }

  #source(source: string | undefined): string | undefined {
    const { sources, needsSource } = this.#link.languages;
    if (source === undefined) {
      if (needsSource)
        throw invalid("source", `a language that ${this.name} translates (${sources.join(", ")})`, source);
      return undefined;
    }
    // A model that is not told the language reads those that it has learnt.
    return sources.length === 0 ? undefined : among("source", source, sources, this.name);
  }

  #target(target: string | undefined): string | undefined {
    const { targets, needsTarget } = this.#link.languages;
    if (target === undefined) {
      if (needsTarget) throw invalid("target", `a language that ${this.name} writes (${targets.join(", ")})`, target);
      return undefined;
    }
    if (targets.length > 0) return among("target", target, targets, this.name);
    throw invalid("target", `null: nothing tells what languages ${this.name} writes`, target);
  }
}
