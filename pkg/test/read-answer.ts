/** Reads an answer's text as an engine does, from request to message. */
import type { ChatCompletionCreateParams, ChatCompletionTool } from "../src/api/openai.js";
import { toChatRequests } from "../src/request/request.js";
import type { ModelStyle } from "../src/request/tools.js";

export interface Read {
  content: string;
  reasoning: string;
  calls: { name: string; arguments: string }[];
}

export function tool(name: string, properties: object = {}): ChatCompletionTool {
  return { type: "function", function: { name, parameters: { type: "object", properties } } };
}

export interface Reading {
  style: ModelStyle;
  tools: ChatCompletionTool[];
  inThoughts?: boolean;
  params?: Partial<ChatCompletionCreateParams>;
}

/** Reads an answer that arrives in these pieces. */
export function readAnswer(pieces: string[], { style, tools, inThoughts = false, params }: Reading): Read {
  const messages = [{ role: "user" as const, content: "Hi" }];
  const { plan } = toChatRequests({ messages, tools, ...params }, style);
  const parser = plan.parser(inThoughts);
  const found: Read = { content: "", reasoning: "", calls: [] };
  pieces.forEach((piece, i) => {
    const parts = parser.feed(piece, i === pieces.length - 1);
    found.content += parts.content;
    found.reasoning += parts.reasoning;
    for (const { index, name, arguments: args } of parts.calls) {
      if (name !== undefined) found.calls[index] = { name, arguments: "" };
      const call = found.calls[index];
      if (call === undefined) throw new Error("a call begins without its name");
      call.arguments += args;
    }
  });
  return found;
}

/** Splits a text into pieces of `size` characters. */
export function pieces(text: string, size: number): string[] {
  const count = Math.max(1, Math.ceil(text.length / size));
  return Array.from({ length: count }, (_, i) => text.slice(i * size, (i + 1) * size));
}

/** Returns a reproducible generator of numbers below `n`. */
export function randomFrom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}
