/** Reads one call, a JSON object with a name and arguments, while it arrives, so that its arguments can be streamed. */

/** New part of a call. */
export interface CallPiece {
  name?: string;
  /** The next characters of the arguments' JSON. */
  arguments: string;
}

/** Result of reading a piece of text. */
export interface Reading {
  piece?: CallPiece | undefined;
  /** Text after the call. */
  rest: string;
  /**
   * The call is complete, or the text turned out to be none; then the reader's `text` is what had been taken for a
   * call.
   */
  end?: "call" | "none";
  /** Members of the call's object that do not belong to the call. */
  extra?: string;
}

export interface Reader {
  feed(text: string, isLast: boolean): Reading;
  /** All text read so far, unchanged. */
  readonly text: string;
}

/**
 * Reader for the call at the beginning of a text, and the length of what it knows already; "maybe" if more text is
 * needed to decide.
 */
export type Beginning = { reader: Reader; length: number } | "maybe" | "none";

/** Beginning of a call in the usual order, with the name first. */
const HEAD =
  /^\s*\{\s*(?:"type"\s*:\s*"function"\s*,\s*|"tool_call_id"\s*:\s*(?:"\w*"|\d+)\s*,\s*)?"(?:tool_)?name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:/;
/**
 * Number of characters within which the name must come for the arguments to be streamed, so that the search is bounded.
 */
const MOST_HEAD = 512;

/** Follows a JSON text to the end of its first value. */
export class JsonEnd {
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #hasBegun = false;

  /** Returns how many of these characters belong to the value, and whether it ends with them. */
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
        // The enclosing list or object ends, and the bare value with it.
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

/**
 * Reads arguments, which must be an object. An object is passed on as it arrives; anything else is held until complete.
 */
export class ArgumentsReader {
  readonly #end = new JsonEnd();
  #isObject = false;
  #held = "";
  isEmpty = true;

  /**
   * Reads the next characters. `args`: the next characters of the object, or null once it is known to be none. With
   * `isLast`, the held text is judged as complete.
   */
  feed(text: string, isLast: boolean): { args: string | null; rest: string; isEnd: boolean } {
    let fresh = text;
    if (!this.#isObject && this.#held === "") fresh = fresh.trimStart();
    this.#isObject ||= this.#held === "" && fresh.startsWith("{");
    this.isEmpty &&= fresh === "";
    const { taken, isEnd } = this.#end.feed(fresh);
    const rest = fresh.slice(taken);
    fresh = fresh.slice(0, taken);
    if (this.#isObject) return { args: fresh, rest, isEnd };
    this.#held += fresh;
    if (!isEnd && !isLast) return { args: "", rest, isEnd };
    return { args: objectText(this.#held) ?? null, rest, isEnd: true };
  }
}

/**
 * Returns the JSON object that a text contains, directly or as a JSON string within it; `{}` for empty text and null.
 * Undefined if it is not an object, which tools and templates require.
 */
export function objectText(text: string): string | undefined {
  if (text.trim() === "") return "{}";
  try {
    const value: unknown = JSON.parse(text);
    if (value === null) return "{}";
    if (typeof value === "string") return objectText(value);
    return typeof value === "object" && !Array.isArray(value) ? text : undefined;
  } catch {
    return undefined;
  }
}

export class CallReader implements Reader {
  readonly #accepts: (name: string) => boolean;
  readonly #object = new JsonEnd();
  #args: ArgumentsReader | undefined;
  /** Name that was not delivered yet: it goes with the first piece of the arguments. */
  #name: string | undefined;
  #state: "head" | "arguments" | "tail" = "head";
  #hasObject = true;
  #isGiven = false;
  readonly #members = new JsonEnd();
  #tail = "";
  text = "";

  /** Creates a reader. `name`: the name if already known, so that only the arguments follow. */
  constructor(accepts: (name: string) => boolean = () => true, name?: string) {
    this.#accepts = accepts;
    if (name !== undefined) this.#begin(name, false);
  }

  feed(text: string, isLast: boolean): Reading {
    let rest = text;
    if (this.#state === "head") {
      const { taken, isEnd } = this.#object.feed(text);
      // The text examined before did not contain a head.
      const isOpen = this.text.length < MOST_HEAD;
      this.text += text.slice(0, taken);
      rest = text.slice(taken);
      const head = isOpen ? HEAD.exec(this.text.slice(0, MOST_HEAD)) : null;
      if (head?.[1] === undefined) return isEnd ? this.#unordered(rest) : this.#more(isLast);
      const name = unquoted(head[1]);
      if (name === undefined || !this.#accepts(name)) return { rest, end: "none" };
      rest = this.text.slice(head[0].length) + rest;
      this.text = head[0];
      this.#begin(name, true);
    }
    return this.#state === "arguments" ? this.#arguments(rest, isLast) : this.#readTail(rest, isLast, undefined);
  }

  #begin(name: string, hasObject: boolean): void {
    this.#name = name;
    this.#hasObject = hasObject;
    this.#args = new ArgumentsReader();
    this.#state = "arguments";
  }

  #more(isLast: boolean): Reading {
    return isLast ? { rest: "", end: "none" } : { rest: "" };
  }

  #arguments(text: string, isLast: boolean): Reading {
    const { args, rest, isEnd } = this.#args?.feed(text, isLast) ?? { args: null, rest: "", isEnd: true };
    // Once a piece was delivered it cannot be retracted, so the text is no longer needed.
    if (!this.#isGiven) this.text += text.slice(0, text.length - rest.length);
    // An object that ends before its arguments was cut off; after a name alone, arguments may be missing.
    if (args === null || (isLast && this.#hasObject && this.#args?.isEmpty)) return { rest, end: "none" };
    let piece: CallPiece | undefined;
    if (args !== "") {
      piece = this.#name === undefined ? { arguments: args } : { name: this.#name, arguments: args };
      this.#name = undefined;
      this.#isGiven = true;
    }
    if (isEnd && !this.#hasObject) return { piece, rest, end: "call" };
    if (isEnd) {
      this.#state = "tail";
      return this.#readTail(rest, isLast, piece);
    }
    return isLast ? { piece, rest, end: this.#isGiven ? "call" : "none" } : { piece, rest };
  }

  /** Reads from the arguments to the end of the object, which may have more members, or lack its closing brace. */
  #readTail(text: string, isLast: boolean, piece: CallPiece | undefined): Reading {
    const more = this.#tail === "" ? text.trimStart() : text;
    if (this.#tail === "") {
      if (more === "") return isLast ? { piece, rest: "", end: "call" } : { piece, rest: "" };
      if (more.startsWith("}")) return { piece, rest: more.slice(1), end: "call" };
      if (!more.startsWith(",")) return { piece, rest: text, end: "call" };
      // The remaining members are parsed as an object by themselves.
      this.#members.feed("{");
    }
    const { taken, isEnd } = this.#members.feed(more);
    this.#tail += more.slice(0, taken);
    const rest = more.slice(taken);
    if (!isEnd && !isLast) return { piece, rest };
    const members = parsedObject(`{${this.#tail.slice(1)}`);
    const extra = members !== undefined && extraOf(members) === "" ? "" : this.#tail;
    return { piece, rest, end: "call", extra };
  }

  /** Reads an object whose name does not come first, or that is no call at all. */
  #unordered(rest: string): Reading {
    const call = parseCall(this.text);
    if (call === undefined || !this.#accepts(call.name)) return { rest, end: "none" };
    const { extra, ...piece } = call;
    return { piece, rest, end: "call", extra };
  }
}

function unquoted(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}

function parsedObject(text: string): Record<string, unknown> | undefined {
  const found = text.trimStart().startsWith("{") ? (unquoted(text) as unknown) : undefined;
  return found as Record<string, unknown> | undefined;
}

/** Parses a whole call, bare or in OpenAI's wrapper; returns undefined for anything else. */
function parseCall(text: string): { name: string; arguments: string; extra: string } | undefined {
  const object = parsedObject(text);
  if (object === undefined) return undefined;
  const { function: wrapped, ...outer } = object;
  const inner = typeof wrapped === "object" ? { ...outer, ...wrapped } : { name: wrapped, ...outer };
  const { name: given, tool_name, arguments: args, parameters, ...others } = inner as Record<string, unknown>;
  const name = given ?? tool_name;
  const isTwofold = (args !== undefined && parameters !== undefined) || (given ?? name) !== (tool_name ?? name);
  if (isTwofold) return undefined;
  const found = objectText(JSON.stringify(args ?? parameters ?? null));
  if (typeof name !== "string" || found === undefined) return undefined;
  return { name, arguments: found, extra: extraOf(others) };
}

/** Returns the members of an object that do not belong to a call, as JSON. */
function extraOf(members: Record<string, unknown>): string {
  const others = Object.entries(members).filter(([key]) => !["id", "call_id", "tool_call_id", "type"].includes(key));
  return others.length === 0 ? "" : JSON.stringify(Object.fromEntries(others));
}
