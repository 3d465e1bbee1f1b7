/** What a piece of an answer's text turns out to be. */
export interface CallDelta {
  /** Of the call among the answer's. */
  index: number;
  /** With the first piece of a call. */
  name?: string;
  arguments: string;
}

export interface Parts {
  reasoning: string;
  content: string;
  calls: CallDelta[];
}

export interface Parser {
  /** Takes the next piece of text; gives what is known of it. With `isLast`, all of it. */
  feed(text: string, isLast: boolean): Parts;
}

/** Characters at the end of `text` that one of the tags begins with. */
export function beginningOf(tags: readonly string[], text: string): number {
  let most = 0;
  for (const tag of tags) {
    for (let n = Math.min(tag.length - 1, text.length); n > most; n--) {
      if (text.endsWith(tag.slice(0, n))) most = n;
    }
  }
  return most;
}
