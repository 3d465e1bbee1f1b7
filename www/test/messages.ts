/** Messages for tests. */
import type { Message } from "../src/store/tree.js";

export function message(id: string, parent: string | null, created = 0, content = id): Message {
  return {
    id,
    conversation: "c",
    parent,
    role: "user",
    content,
    reasoning: "",
    end: "stop",
    stats: null,
    model: "",
    created,
  };
}
