/** A conversation that begins with the path to a message of another one. */
import type { Bundle } from "./exchange.js";
import { pathTo, withoutJournal, type Message } from "./tree.js";

/** Returns the conversation's path to a message as a conversation of its own. */
export function forkOf({ conversation, messages, files }: Bundle, leaf: string, now = Date.now()): Bundle {
  const id = crypto.randomUUID();
  const ids = new Map<string, string>();
  const path = pathTo(new Map(messages.map((message) => [message.id, message])), leaf).map((message): Message => {
    ids.set(message.id, crypto.randomUUID());
    const end = message.end === "running" ? "stopped" : message.end;
    const parent = message.parent === null ? null : (ids.get(message.parent) ?? null);
    return { ...withoutJournal(message), id: ids.get(message.id) ?? "", conversation: id, parent, end };
  });
  const used = new Set(path.flatMap(({ parts }) => parts.flatMap((part) => ("file" in part ? [part.file] : []))));
  const forgotten = conversation.forgotten?.flatMap((one) => ids.get(one) ?? []);
  return {
    conversation: {
      ...conversation,
      id,
      created: now,
      updated: now,
      leaf: path.at(-1)?.id ?? null,
      ...(forgotten !== undefined && { forgotten }),
    },
    messages: path,
    files: files.filter(({ hash }) => used.has(hash)).map((file) => ({ ...file, conversation: id })),
  };
}
