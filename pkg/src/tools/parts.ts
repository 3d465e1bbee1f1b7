/** Schemas of the parameters of the tools that a model may call, by tool name. */
export type Schemas = ReadonlyMap<string, unknown>;

/** Piece of a tool call. */
export interface CallDelta {
  /** Index of the call within the answer. */
  index: number;
  /** Set on the first piece of a call. */
  name?: string;
  arguments: string;
}

export interface Parts {
  reasoning: string;
  content: string;
  calls: CallDelta[];
}

export interface Parser {
  /** Takes the next piece of text and returns the parts that are certain, or everything if `isLast`. */
  feed(text: string, isLast: boolean): Parts;
}

/** Part of a plan that concerns how an answer is read. */
export interface ReadingPlan {
  /** Creates the parser of one answer; `inThoughts`: the answer begins inside the model's thoughts. */
  parser(inThoughts: boolean): Parser;
}

/** Returns how many characters at the end of `text` may be the beginning of one of the tags. */
export function beginningOf(tags: readonly string[], text: string): number {
  let most = 0;
  for (const tag of tags) {
    for (let n = Math.min(tag.length - 1, text.length); n > most; n--) {
      if (text.endsWith(tag.slice(0, n))) most = n;
    }
  }
  return most;
}
