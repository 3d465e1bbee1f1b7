/** Prompts of the Prompt API as messages, with the errors that its draft names. */
import type { ChatCompletionContentPart, ChatCompletionMessageParam, PictureInput } from "../api/openai.js";
import { toHearthError } from "../core/errors.js";

export interface PromptContent {
  /** `"text"`, or `"image"` in messages of the user; sound and tools are refused with `NotSupportedError`. */
  type: string;
  /** A text; or a Blob, ImageData, or anything that `createImageBitmap` takes, or a file's bytes. */
  value: string | ImageBitmapSource | BufferSource;
}

export interface PromptMessage {
  role: "system" | "user" | "assistant";
  content: string | PromptContent[];
  /** Lets the answer continue this message, which must be the last one and the assistant's. */
  prefix?: boolean;
}

/** A text of the user, or messages. */
export type Prompt = string | PromptMessage[];

export interface Input {
  messages: ChatCompletionMessageParam[];
  /** Whether the answer continues the last message. */
  isPrefixed: boolean;
}

/** Checks a prompt. A system message may only be the first of a session, `isFirst`. */
export function toInput(prompt: Prompt, isFirst: boolean): Input {
  if (typeof prompt === "string") return { messages: [{ role: "user", content: prompt }], isPrefixed: false };
  if (!Array.isArray(prompt)) throw new TypeError("a prompt is a text or a list of messages");
  const messages = prompt.map(({ role, content, prefix = false }, index): ChatCompletionMessageParam => {
    if (!["system", "user", "assistant"].includes(role)) throw new TypeError(`there is no role "${role}"`);
    if (role === "system" && (index > 0 || !isFirst)) {
      throw new TypeError("a system message must be the first of the session");
    }
    if (prefix && (role !== "assistant" || index < prompt.length - 1)) {
      throw new DOMException("only the last message, if it is the assistant's, may be a prefix", "SyntaxError");
    }
    return { role, content: toContent(content, role) };
  });
  return { messages, isPrefixed: prompt.at(-1)?.prefix === true };
}

function toContent(content: string | PromptContent[], role: string): string | ChatCompletionContentPart[] {
  if (typeof content === "string") return content;
  const parts = content.map(({ type, value }): ChatCompletionContentPart => {
    if (type === "image" && role === "user") return { type: "image_url", image_url: { url: toPicture(value) } };
    if (type !== "text") throw unsupported(`content of type "${type}" is not supported in messages of role "${role}"`);
    return { type: "text", text: value as string };
  });
  return parts.some(({ type }) => type === "image_url") ? parts : textOf(parts);
}

function toPicture(value: PromptContent["value"]): PictureInput {
  if (typeof value === "string") throw new TypeError("a picture is no text: give a Blob, ImageData or canvas");
  if (value instanceof ArrayBuffer) return new Blob([value]);
  if (ArrayBuffer.isView(value)) return new Blob([value]);
  // Images and frames of videos are drawn as canvases are.
  return value as PictureInput;
}

/** Returns the text of a message, without its pictures. */
export function textOf(content: ChatCompletionMessageParam["content"]): string {
  if (!Array.isArray(content)) return content ?? "";
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

/** Returns the number of pictures in a message. */
export function picturesIn(content: ChatCompletionMessageParam["content"]): number {
  return Array.isArray(content) ? content.filter(({ type }) => type === "image_url").length : 0;
}

export function unsupported(message: string): DOMException {
  return new DOMException(message, "NotSupportedError");
}

/** Returns the error of a prompt that does not fit, of the browser's own class where it has one. */
export function tooLong(requested: number, quota: number): DOMException {
  const message = `the prompt needs about ${String(requested)} tokens, the context holds ${String(quota)}`;
  const { QuotaExceededError: Own } = globalThis as {
    QuotaExceededError?: new (message: string, options: object) => DOMException;
  };
  if (Own !== undefined) return new Own(message, { requested, quota });
  return Object.assign(new DOMException(message, "QuotaExceededError"), { requested, quota });
}

/** Returns the draft's error for a failure; the message says what happened. */
export function toDraftError(error: unknown): unknown {
  if (error instanceof DOMException || error instanceof TypeError) return error;
  const { code, message } = toHearthError(error);
  if (code === "cancelled") return new DOMException(message, "AbortError");
  const isRefusal = ["invalid_request", "grammar_error", "template_error", "unsupported_by_server"].includes(code);
  return new DOMException(message, isRefusal ? "NotSupportedError" : "OperationError");
}
