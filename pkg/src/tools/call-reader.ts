/** Reads one call, a JSON object of a name and arguments, while it arrives, so that its arguments can be streamed. */

/** What is new of a call. */
export interface CallPiece {
  name?: string;
  /** The next characters of the arguments' JSON. */
  arguments: string;
}

/** The usual order: the name first. */
const HEAD = /^\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*/;

/** Follows a JSON text to the end of its first value. */
export class JsonEnd {
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #hasBegun = false;

  /** How many of these characters belong to the value, and whether it ends with them. */
  feed(text: string): { taken: number; isEnd: boolean } {
    for (let i = 0; i < text.length; i++) {
      const c = text.charAt(i);
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (c === "\\") this.#isEscaped = true;
        else if (c === '"') {
          this.#inString = false;
          if (this.#depth === 0) return { taken: i + 1, isEnd: true };
        }
      } else if (c === '"') {
        this.#inString = this.#hasBegun = true;
      } else if (c === "{" || c === "[") {
        this.#depth += 1;
        this.#hasBegun = true;
      } else if (c === "}" || c === "]") {
        // The end of what a bare value stands in.
        if (this.#depth === 0) return { taken: i, isEnd: true };
        this.#depth -= 1;
        if (this.#depth === 0) return { taken: i + 1, isEnd: true };
      } else if (this.#depth === 0 && this.#hasBegun && /[\s,]/.test(c)) {
        return { taken: i, isEnd: true };
      } else if (!/\s/.test(c)) {
        this.#hasBegun = true;
      }
    }
    return { taken: text.length, isEnd: false };
  }
}

export class CallReader {
  /** Of the object, what is not given yet. */
  #held = "";
  #whole = "";
  readonly #object = new JsonEnd();
  #args: JsonEnd | undefined;
  /** Something of the arguments was given; blanks before them are none of it. */
  #hasArguments = false;
  #state: "head" | "arguments" | "tail" = "head";

  /** Takes text; gives what is new of the call, what comes behind it, and whether its object has ended. */
  feed(text: string): { piece: CallPiece | undefined; rest: string; isEnd: boolean } {
    const { taken, isEnd } = this.#object.feed(text);
    this.#whole += text.slice(0, taken);
    this.#held += text.slice(0, taken);
    const piece = this.#read(isEnd);
    return { piece, rest: text.slice(taken), isEnd };
  }

  /** What was read so far as it came. */
  get text(): string {
    return this.#whole;
  }

  #read(isEnd: boolean): CallPiece | undefined {
    let piece: CallPiece | undefined;
    if (this.#state === "head") {
      const head = HEAD.exec(this.#held);
      if (head?.[1] !== undefined) {
        piece = { name: JSON.parse(head[1]) as string, arguments: "" };
        this.#held = this.#held.slice(head[0].length);
        this.#args = new JsonEnd();
        this.#state = "arguments";
      } else if (isEnd) {
        return this.#unordered();
      }
    }
    if (this.#args !== undefined && this.#state === "arguments") {
      if (!this.#hasArguments) this.#held = this.#held.trimStart();
      this.#hasArguments ||= this.#held !== "";
      const { taken, isEnd: isArgsEnd } = this.#args.feed(this.#held);
      piece ??= { arguments: "" };
      piece.arguments = this.#held.slice(0, taken);
      this.#held = this.#held.slice(taken);
      if (isArgsEnd) this.#state = "tail";
    }
    return piece;
  }

  /** An object whose name does not come first, or that is no call at all. */
  #unordered(): CallPiece | undefined {
    const call = parseCall(this.#whole);
    return call === undefined ? undefined : { name: call.name, arguments: call.arguments };
  }
}

/** A whole call; undefined for what is none. */
export function parseCall(text: string): { name: string; arguments: string } | undefined {
  try {
    const { name, arguments: args, parameters } = JSON.parse(text) as Record<string, unknown>;
    if (typeof name !== "string") return undefined;
    return { name, arguments: JSON.stringify(args ?? parameters ?? {}) };
  } catch {
    return undefined;
  }
}
