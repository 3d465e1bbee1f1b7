/** Prompts of the Prompt API as messages, with the errors that its draft names. */
import type { ChatCompletionMessageParam } from "../api/openai.js";
import { toHearthError } from "../core/errors.js";

export interface PromptContent {
  /** `"text"`; pictures, sound and tools are refused with `NotSupportedError`. */
  type: string;
  value: string;
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
    return { role, content: toText(content) };
  });
  return { messages, isPrefixed: prompt.at(-1)?.prefix === true };
}

function toText(content: string | PromptContent[]): string {
  if (typeof content === "string") return content;
  return content
    .map(({ type, value }) => {
      if (type !== "text") throw unsupported(`content of type "${type}" is not supported`);
      return value;
    })
    .join("");
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
