/** Interpreters without a model, and texts to translate. */
import { HearthError } from "../src/core/errors.js";
import type { Interpreter, Pair, PieceOptions, TranslatedPiece } from "../src/translations/interpreter.js";
import type { TranslationLanguages } from "../src/translations/types.js";

/** Translates by a function; by default into the same text. */
export class FakeInterpreter implements Interpreter {
  readonly name = "fake";
  readonly languages: TranslationLanguages = {
    sources: undefined,
    targets: undefined,
    needsSource: false,
    needsTarget: true,
  };
  /** Pieces that were asked for. */
  readonly pieces: string[] = [];
  /** Length above which a piece does not fit the model. */
  most = Number.POSITIVE_INFINITY;

  constructor(
    private readonly into: (piece: string) => string = (piece) => piece,
    readonly portion = { most: 40, isPacked: true },
  ) {}

  check(pair: Pair): Pair {
    return pair;
  }

  translate(piece: string, _pair: Pair, { onText }: PieceOptions): Promise<TranslatedPiece> {
    if (piece.length > this.most) {
      return Promise.reject(new HearthError("context_overflow", "the piece is too long"));
    }
    this.pieces.push(piece);
    const text = this.into(piece);
    for (const characters of text.match(/.{1,3}/gsu) ?? []) onText(characters);
    return Promise.resolve({ text, end: "stop", usage: { prompt_tokens: piece.length, completion_tokens: 1 } });
  }
}

/** Returns random texts, the same ones each time: sentences, lines, marks, spaces, of several scripts. */
export function randomTexts(count: number): string[] {
  const atoms = [
    ...Array.from("abcé ÄßЖд中文字日本語カナ한국تعريبไทย.!?。！？,;:、，\n\t  "),
    "Hello there. ",
    "Dr. Smith left. ",
    "What? ",
    "…",
    "\r\n",
    "\r",
    "\n\n",
    " \n ",
    "\u00a0",
    "\u3000",
    "\u2028",
    "\ufeff",
    "👩‍👩‍👧‍👦",
    "e\u0301",
    "1. ",
    "- ",
    "---",
    "3.14",
    "https://a.b/c?d=e ",
    "你好。世界！",
    "これは文です。",
    "word ".repeat(30),
    "字".repeat(60),
    "\ud800",
    "\u0000",
  ];
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return Array.from({ length: count }, () =>
    Array.from({ length: random(24) }, () => atoms[random(atoms.length)] ?? "").join(""),
  );
}
