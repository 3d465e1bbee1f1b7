/** Messages for tests. */
import { textPart, type Part } from "../src/store/parts.js";
import type { Message } from "../src/store/tree.js";

/** Returns the parts of a message that is only text. */
export const said = (text: string): Part[] => (text === "" ? [] : [textPart(text)]);

export function message(id: string, parent: string | null, created = 0, content = id): Message {
  return {
    id,
    conversation: "c",
    parent,
    role: "user",
    parts: said(content),
    reasoning: "",
    end: "stop",
    stats: null,
    model: "",
    created,
  };
}
