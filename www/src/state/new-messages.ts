/** Messages and conversations as they begin. */
import type { Backend } from "hearth-llm";
import type { Conversation, DraftPicture } from "../store/db.js";
import { picturesOf, textOf, withText, type Part } from "../store/parts.js";
import { titleOf, type Message } from "../store/tree.js";
import { altOf } from "./picture-files.js";

/** Returns the parts of a question. */
export function partsOf(text: string, pictures: readonly DraftPicture[]): Part[] {
  return withText(
    pictures.map(({ part }) => part),
    text,
  );
}

/** Returns a conversation that begins with this question. */
export function newHead(parts: Part[], system: string): Conversation {
  const [picture] = picturesOf({ parts });
  const now = Date.now();
  return {
    id: crypto.randomUUID(),
    title: titleOf(textOf({ parts }) || (picture === undefined ? "" : altOf(picture, 0))),
    created: now,
    updated: now,
    leaf: null,
    system,
  };
}

/** Returns the messages that a conversation has not forgotten. */
export function remembered(messages: readonly Message[], head: Conversation | undefined): readonly Message[] {
  const forgotten = new Set(head?.forgotten);
  return forgotten.size === 0 ? messages : messages.filter(({ id }) => !forgotten.has(id));
}

/** Returns the answer to a question before its first word. */
export function answerTo(question: Message, by: Backend | undefined): Message {
  const message = newMessage(question.conversation, question.id, "assistant", []);
  return { ...message, end: "running", model: by?.model.name ?? "" };
}

export function newMessage(conversation: string, parent: string | null, role: Message["role"], parts: Part[]): Message {
  return {
    id: crypto.randomUUID(),
    conversation,
    parent,
    role,
    parts,
    reasoning: "",
    end: "stop",
    stats: null,
    model: "",
    created: Date.now(),
  };
}
