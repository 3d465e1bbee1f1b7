/** Pictures of requests on their way to the worker. */
import type { PictureInput } from "../api/openai.js";
import type { AnswerRequest, AskedMessage } from "../core/protocol.js";
import type { ModelInfo } from "../core/wasm-contract.js";
import { requireSight } from "./sight.js";
import { toPictureSource } from "./source.js";

/**
 * Returns requests as they cross to the worker: at once, in the order in which they were made, if there are no pictures.
 * Requests of one chat have the same messages, whose pictures are read once.
 */
export function withSources(
  requests: AnswerRequest<PictureInput>[],
  model: ModelInfo,
  signal: AbortSignal,
): AnswerRequest[] | Promise<AnswerRequest[]> {
  const messages = requests[0]?.messages ?? [];
  const hasPictures = messages.some(
    ({ content }) => Array.isArray(content) && content.some(({ type }) => type === "image"),
  );
  // Their messages have texts alone.
  const plain: object[] = requests;
  if (!hasPictures) return plain;
  requireSight(model);
  return read(requests, messages, signal);
}

async function read(
  requests: AnswerRequest<PictureInput>[],
  messages: AskedMessage<PictureInput>[],
  signal: AbortSignal,
): Promise<AnswerRequest[]> {
  const sent: AskedMessage[] = [];
  for (const [index, message] of messages.entries()) {
    const { content } = message;
    if (!Array.isArray(content)) {
      sent.push({ ...message, content });
      continue;
    }
    const field = `messages[${String(index)}].content`;
    const parts: Exclude<AskedMessage["content"], string | null> = [];
    for (const part of content) {
      if (part.type === "text") parts.push(part);
      else parts.push({ ...part, image: await toPictureSource(part.image, `${field}: image_url.url`, signal) });
    }
    sent.push({ ...message, content: parts });
  }
  return requests.map((request) => ({ ...request, messages: sent }));
}
