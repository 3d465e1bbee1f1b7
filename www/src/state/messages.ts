/** A conversation as the model gets it. */
import type { ChatCompletionContentPart, ChatCompletionMessageParam } from "hearth-llm";
import { isPicture, picturesOf, textOf } from "../store/parts.js";
import type { Message } from "../store/tree.js";
import { fileOf } from "./picture-files.js";

export interface Given {
  messages: ChatCompletionMessageParam[];
  /** Number of pictures that are not among them. */
  unseen: number;
}

/** Returns the system prompt and the messages; pictures only for a model that sees, each as its file. */
export async function toMessages(system: string, path: readonly Message[], canSee: boolean): Promise<Given> {
  const messages: ChatCompletionMessageParam[] = system.trim() === "" ? [] : [{ role: "system", content: system }];
  let unseen = 0;
  for (const message of path) {
    const param = toParam(message);
    const pictures = picturesOf(message).length;
    if (pictures > 0) {
      const seen = canSee ? await toParts(message) : [];
      const found = seen.filter(({ type }) => type === "image_url").length;
      unseen += pictures - found;
      if (found > 0) param.content = seen;
    }
    messages.push(param);
  }
  return { messages, unseen };
}

async function toParts({ conversation, parts }: Message): Promise<ChatCompletionContentPart[]> {
  const found: ChatCompletionContentPart[] = [];
  for (const part of parts) {
    if (part.type === "text") found.push({ type: "text", text: part.text });
    if (!isPicture(part)) continue;
    const url = await fileOf(conversation, part.file);
    if (url !== undefined) found.push({ type: "image_url", image_url: { url } });
  }
  return found;
}

/** Returns a message's text and thoughts. */
export function toParam(message: Message): ChatCompletionMessageParam {
  const { role, reasoning } = message;
  return { role, content: textOf(message), ...(reasoning === "" ? {} : { reasoning_content: reasoning }) };
}

/** Returns a question with this text in place of its own and with its pictures, as a question to documents is sent. */
export function withPrompt({ content }: ChatCompletionMessageParam, text: string): ChatCompletionMessageParam {
  if (!Array.isArray(content)) return { role: "user", content: text };
  const pictures = content.filter(({ type }) => type === "image_url");
  return { role: "user", content: pictures.length === 0 ? text : [{ type: "text", text }, ...pictures] };
}
