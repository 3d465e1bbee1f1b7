/**
 * OpenAI's Harmony, which gpt-oss writes: messages on channels. `analysis` is thought, `final` the answer, and a message
 * `to=functions.NAME` a call. https://cookbook.openai.com/articles/openai-harmony
 */
import { beginningOf, type Parser, type Parts } from "./parts.js";

const MESSAGE = "<|message|>";
const ENDS = ["<|end|>", "<|call|>", "<|return|>", "<|start|>", "<|channel|>"];

export class HarmonyParser implements Parser {
  /** The prompt ends before the channel's name. */
  #state: "header" | "analysis" | "final" | "call" = "header";
  #held = "";
  #index = -1;

  feed(text: string, isLast: boolean): Parts {
    const parts: Parts = { reasoning: "", content: "", calls: [] };
    let rest = this.#held + text;
    this.#held = "";
    while (rest !== "") {
      if (this.#state === "header") {
        const at = rest.indexOf(MESSAGE);
        if (at < 0) {
          // A header without a message says nothing.
          if (!isLast) this.#held = rest;
          return parts;
        }
        this.#begin(rest.slice(0, at), parts);
        rest = rest.slice(at + MESSAGE.length);
        continue;
      }
      const ends = ENDS.map((tag) => ({ tag, at: rest.indexOf(tag) })).filter(({ at }) => at >= 0);
      const [end] = ends.sort((a, b) => a.at - b.at);
      const held = end !== undefined || isLast ? 0 : beginningOf(ENDS, rest);
      this.#give(rest.slice(0, end?.at ?? rest.length - held), parts);
      if (end === undefined) {
        this.#held = rest.slice(rest.length - held);
        return parts;
      }
      this.#state = "header";
      rest = rest.slice(end.at + end.tag.length);
    }
    return parts;
  }

  #begin(header: string, parts: Parts): void {
    const to = /\bto=functions\.([\w.-]+)/.exec(header)?.[1];
    if (to !== undefined) {
      this.#index += 1;
      this.#state = "call";
      parts.calls.push({ index: this.#index, name: to, arguments: "" });
    } else {
      // What is said on the commentary channel to nobody is meant for the reader.
      this.#state = /(?:^|\|>|\s)analysis\b/.test(header) ? "analysis" : "final";
    }
  }

  #give(text: string, parts: Parts): void {
    if (text === "") return;
    if (this.#state === "analysis") parts.reasoning += text;
    else if (this.#state === "call") parts.calls.push({ index: this.#index, arguments: text });
    else parts.content += text;
  }
}
