/**
 * Finds utterances in sound as it comes: by the probabilities of a detector of voice, or by its energy, where whatever is clearly
 * louder than the quietest moments of the last seconds is speech. An utterance ends after 600 ms without, or at 28 s at its quietest
 * point, for a model hears 30 s at once.
 */

/** Seconds of what energy is measured over. */
const FRAME = 0.02;
/** Seconds whose quietest moments are the noise that is always there, and the share of them. */
const MEMORY = 5;
const QUIETEST = 0.1;
/** Decibels above the noise that begin speech, and those that go on with it: noise is heard as silence, lost speech is lost. */
const MARGIN = 5;
const MARGIN_WITHIN = 3;
/** Seconds of each probability of speech, the one that begins it, and the one below which it may end. */
const HEARD = 0.032;
const ON = 0.5;
const OFF = 0.35;
/** Least noise that is assumed, in decibels of full scale: some devices give silence between words. */
const QUIET = -67;
/** Frames of it before the first one: speech may begin at once. */
const ASSUMED = 5;
/** Frames of speech, less those without, that begin an utterance: fewer are a click. */
const BEGINNING = 5;
/** Seconds before its beginning is noticed that belong to an utterance. */
const BEFORE = 0.4;
/** Seconds of silence that end it. */
const PAUSE = 0.6;
/** Seconds after its last loud frame that belong to it. */
const AFTER = 0.2;
/** Seconds of the longest utterance, and the seconds at its end in which it is cut. */
export const LONGEST = 28;
const CUT_WITHIN = 10;
/** Frames on each side of a cut that should be quiet as well. */
const AROUND = 2;

/** Sample at which an utterance begins or ends, counted from the first one. */
export interface Boundary {
  type: "start" | "end";
  at: number;
}

export class Endpointer {
  /** Samples of a frame. */
  readonly #frame: number;
  readonly #rate: number;
  #sum = 0;
  #filled = 0;
  /** Decibels of frames whose probability is not known yet. */
  #waiting: number[] = [];
  /** Probabilities of speech that are still needed, and how many were before them. */
  readonly #voice: number[] = [];
  #passed = 0;
  /** Frames so far. */
  #frames = 0;
  /** Decibels of the last frames, for the noise. */
  readonly #recent = new Array<number>(ASSUMED).fill(QUIET);
  /** Decibels of the utterance's frames; undefined outside of one. */
  #levels: number[] | undefined;
  #start = 0;
  /** Frame after the last loud one. */
  #loudEnd = 0;
  /** Frames of speech, less those without, outside of an utterance. */
  #rising = 0;
  /** Sample at which the last utterance ended. */
  #end = 0;

  /** Creates one for sound of `rate` samples a second. */
  constructor(rate: number) {
    this.#rate = rate;
    this.#frame = Math.max(1, Math.round(rate * FRAME));
  }

  /** Whether someone speaks. */
  get isInside(): boolean {
    return this.#levels !== undefined;
  }

  /** Sample up to which there was speech. */
  get spoken(): number {
    return this.#loudEnd * this.#frame;
  }

  /**
   * Takes the next samples; returns where utterances begin and end, in order. `voice`: the probabilities that have become known, for
   * which the samples then wait; without them energy decides.
   */
  push(samples: Float32Array, voice?: readonly number[]): Boundary[] {
    const found: Boundary[] = [];
    for (const probability of voice ?? []) this.#voice.push(probability);
    for (const sample of samples) {
      this.#sum += sample * sample;
      if (++this.#filled < this.#frame) continue;
      const level = 10 * Math.log10(this.#sum / this.#frame + 1e-12);
      this.#sum = this.#filled = 0;
      this.#waiting.push(level);
    }
    this.#settle(voice !== undefined, found);
    return found;
  }

  /** Ends the sound, and with it an utterance. */
  finish(): Boundary[] {
    const found: Boundary[] = [];
    // The detector does not hear the last moments.
    this.#settle(false, found);
    if (this.#levels !== undefined) this.#close(this.#frames * this.#frame + this.#filled, found);
    return found;
  }

  /** Takes the frames that wait, as far as their probabilities are known, if they are to come. */
  #settle(hasVoice: boolean, found: Boundary[]): void {
    let taken = 0;
    for (const level of this.#waiting) {
      const heard = this.#voice[this.#current - this.#passed];
      if (heard === undefined && hasVoice) break;
      this.#take(level, heard, found);
      taken++;
    }
    this.#waiting.splice(0, taken);
    this.#passed += this.#voice.splice(0, Math.max(0, this.#current - this.#passed)).length;
  }

  /** Number of the probability in whose time the next frame is. */
  get #current(): number {
    return Math.floor(((this.#frames + 0.5) * this.#frame) / this.#rate / HEARD);
  }

  #take(level: number, heard: number | undefined, found: Boundary[]): void {
    this.#recent[(this.#frames++ + ASSUMED) % Math.round(MEMORY / FRAME)] = Math.max(level, QUIET);
    const isOutside = this.#levels === undefined;
    const isLoud =
      heard === undefined
        ? level > this.#noise() + (isOutside ? MARGIN : MARGIN_WITHIN)
        : heard >= (isOutside ? ON : OFF);
    if (isLoud) this.#loudEnd = this.#frames;
    if (this.#levels === undefined) {
      this.#rising = Math.max(0, this.#rising + (isLoud ? 1 : -1));
      if (this.#rising >= BEGINNING) this.#open(level, found);
      return;
    }
    this.#levels.push(level);
    const now = this.#frames * this.#frame;
    const silence = now - this.#loudEnd * this.#frame;
    if (silence >= PAUSE * this.#rate) this.#close(now - silence + this.#seconds(AFTER), found);
    else if (now - this.#start >= LONGEST * this.#rate) this.#cut(this.#levels, found);
  }

  /** Returns the level of the noise in decibels. */
  #noise(): number {
    const sorted = Float32Array.from(this.#recent).sort();
    return sorted[Math.floor(sorted.length * QUIETEST)] ?? QUIET;
  }

  #open(level: number, found: Boundary[]): void {
    const now = this.#frames * this.#frame;
    this.#start = Math.max(this.#end, now - this.#seconds(BEFORE));
    this.#levels = [level];
    found.push({ type: "start", at: this.#start });
  }

  #close(at: number, found: Boundary[]): void {
    found.push({ type: "end", at });
    this.#end = at;
    this.#levels = undefined;
    this.#rising = 0;
  }

  /** Ends an utterance at its quietest point; another one begins there. */
  #cut(levels: number[], found: Boundary[]): void {
    const first = Math.max(AROUND, levels.length - Math.round(CUT_WITHIN / FRAME));
    let quietest = { loudness: Infinity, index: levels.length };
    for (let index = first; index < levels.length - AROUND; index++) {
      const loudness = levels.slice(index - AROUND, index + AROUND + 1).reduce((sum, level) => sum + level, 0);
      if (loudness < quietest.loudness) quietest = { loudness, index };
    }
    const later = levels.slice(quietest.index);
    const at = (this.#frames - later.length) * this.#frame;
    this.#close(at, found);
    this.#levels = later;
    this.#start = at;
    found.push({ type: "start", at });
  }

  #seconds(seconds: number): number {
    return Math.round(seconds * this.#rate);
  }
}
