/** The seam under `translations.create`: what translates one piece of a text, by chat or by a model made for it. */
import type { Sampling } from "./request.js";
import type { TranslationEnd, TranslationLanguages, TranslationUsage } from "./types.js";

/** Languages of a request, as far as it names them. */
export interface Pair {
  source?: string | undefined;
  target?: string | undefined;
}

export interface PieceOptions {
  maxTokens?: number | undefined;
  /** Answers that are written side by side; one, unless this says more. */
  beams?: number | undefined;
  sampling: Sampling;
  signal: AbortSignal;
  /** Called with characters that do not change any more. */
  onText: (text: string) => void;
}

export interface TranslatedPiece {
  /** The whole translation, which counts where it differs from what was given to `onText`. */
  text: string;
  end: TranslationEnd;
  usage: Omit<TranslationUsage, "total_tokens">;
}

/** Length of the pieces that texts are cut into. */
export interface Portion {
  /** Most tokens of a piece, as `tokensIn` estimates them. */
  most: number;
  /** Whether sentences of one line are taken together. */
  isPacked: boolean;
}

export interface Interpreter {
  /** Name of the model. */
  readonly name: string;
  readonly portion: Portion;
  readonly languages: TranslationLanguages;
  /** Refuses languages that the model lacks, and sampling or beams that it cannot do, before anything is translated. */
  check(pair: Pair, sampling: Sampling, beams?: number): Pair;
  /** Translates a piece: a part of one line, without spaces at its ends. */
  translate(piece: string, pair: Pair, options: PieceOptions): Promise<TranslatedPiece>;
}
