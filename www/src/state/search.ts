/** Search through the conversations' titles and texts. */
import { textOf } from "../store/parts.js";
import { conversations } from "./chat.js";
import { opened } from "./store.js";

/** Returns the conversations whose title or text contains the words, each with an excerpt. */
export async function search(words: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const wanted = words.toLocaleLowerCase();
  await (
    await opened()
  ).scan((message) => {
    const { conversation } = message;
    if (found.has(conversation)) return true;
    const content = textOf(message);
    const at = content.toLocaleLowerCase().indexOf(wanted);
    if (at >= 0) found.set(conversation, content.slice(Math.max(0, at - 24), at + 60).replace(/\s+/g, " "));
    return true;
  });
  for (const { id, title } of conversations.value) {
    if (!found.has(id) && title.toLocaleLowerCase().includes(wanted)) found.set(id, "");
  }
  return found;
}
