/** Pictures of requests as servers take them: addresses. */
import type { ChatCompletionContentPartImage, ChatCompletionMessageParam } from "../api/openai.js";

/**
 * Returns a request whose pictures are https and data addresses. Those are left as they are; what only this page has goes with the
 * request as a data address: files with their own bytes, canvases and bitmaps as PNG.
 */
export async function withAddresses<Params extends object>(params: Params, signal: AbortSignal): Promise<Params> {
  const { messages } = params as { messages?: unknown };
  // Other messages are checked where they are read.
  if (!Array.isArray(messages) || !messages.some(hasPictures)) return params;
  // Most requests have none.
  const { toAddress } = await import("./picture-addresses.js");
  const sent: unknown[] = [];
  for (const [index, message] of (messages as ChatCompletionMessageParam[]).entries()) {
    if (!hasPictures(message)) {
      sent.push(message);
      continue;
    }
    const content: unknown[] = [];
    for (const part of message.content) {
      if (!isPicture(part)) content.push(part);
      else {
        const { url, ...others } = part.image_url;
        const field = `messages[${String(index)}].content: image_url.url`;
        content.push({ ...part, image_url: { ...others, url: await toAddress(url, field, signal) } });
      }
    }
    sent.push({ ...message, content });
  }
  return { ...params, messages: sent };
}

function hasPictures(message: unknown): message is { content: object[] } {
  const content = (message as { content?: unknown } | null)?.content;
  return Array.isArray(content) && content.some(isPicture);
}

function isPicture(part: unknown): part is ChatCompletionContentPartImage {
  const { type, image_url } = (part ?? {}) as { type?: unknown; image_url?: unknown };
  return type === "image_url" && typeof image_url === "object" && image_url !== null;
}
