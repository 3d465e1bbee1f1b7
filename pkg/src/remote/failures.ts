/** Names what went wrong between this page and a server. */
import { HearthError, type HearthErrorCode } from "../core/errors.js";
import { pageOrigin } from "./addresses.js";

/** Most characters of a server's own words in a message. */
const MOST_WORDS = 300;

interface ServerError {
  message: string;
  type: string;
  code: string;
  param: string;
}

/** Reads an error in any of the shapes that servers have: `{ error: {…} }`, `{ error: "…" }`, `{ detail }`, `{ message }`. */
export function errorIn(body: unknown): ServerError | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { error, detail, message, object } = body as Record<string, unknown>;
  const found = error ?? detail ?? (object === "error" ? body : message);
  if (found === undefined || found === null) return undefined;
  const fields = (typeof found === "object" ? found : { message: found }) as Record<string, unknown>;
  const words = typeof fields.message === "string" ? fields.message : JSON.stringify(found);
  const text = (value: unknown): string =>
    typeof value === "string" || typeof value === "number" ? String(value) : "";
  return { message: words, type: text(fields.type), code: text(fields.code), param: text(fields.param) };
}

/** Returns the error of a refusal, from its status and its body as text. */
export function refusal(status: number, text: string, host: string): HearthError {
  const error = errorIn(parsed(text));
  const isHtml = /^\s*</.test(text);
  const words = (error?.message ?? (isHtml ? "a page of HTML" : text.trim())).slice(0, MOST_WORDS);
  const said = `${host} answered ${String(status)}${words === "" ? "" : `: ${words}`}`;
  const fail = (code: HearthErrorCode, hint?: string): HearthError =>
    new HearthError(code, said, hint === undefined ? { status } : { status, hint });
  if (status === 401 || status === 403) {
    const hint = status === 403 ? { hint: originHint() } : {};
    return new HearthError("remote_auth", said, { status, ...hint });
  }
  if (error !== undefined && isOverflow(error)) {
    return fail("context_overflow", "Shorten the conversation, or start the server with a larger context.");
  }
  if (status === 429 || status === 503) return new HearthError("remote_busy", said, { status });
  // FastAPI's words for a route that it lacks, llama.cpp's, and 405 and 501 of others.
  const lacksRoute = words === "Not Found" || words === "File Not Found" || status === 405 || status === 501;
  if (status === 404 && error !== undefined && !lacksRoute) return fail("remote_model");
  if (lacksRoute && error !== undefined) return fail("unsupported_by_server", "This server does not serve that.");
  if (status === 404 || isHtml) {
    return fail("remote_error", "Check the address: OpenAI's API is usually below /v1.");
  }
  if (status === 400 || status === 413 || status === 422) {
    return fail("invalid_request", "Correct what the server names.");
  }
  return fail("remote_error");
}

/** Returns the error that a server reports within a stream. */
export function streamFailure(body: unknown, host: string): HearthError | undefined {
  const error = errorIn(body);
  if (error === undefined) return undefined;
  const status = Number(error.code);
  if (status >= 400 && status < 600) return refusal(status, JSON.stringify({ error }), host);
  const overflow = isOverflow(error) ? "context_overflow" : "remote_error";
  return new HearthError(overflow, `${host} ended the answer: ${error.message.slice(0, MOST_WORDS)}`);
}

function isOverflow({ type, code, param, message }: ServerError): boolean {
  return (
    type === "exceed_context_size_error" ||
    code === "context_length_exceeded" ||
    param === "input_tokens" ||
    /maximum context length/i.test(message)
  );
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function originHint(): string {
  const advice = `set OLLAMA_ORIGINS="${pageOrigin()}" and start it again`;
  return `Check the key. Ollama also answers 403 to pages that it was not told of: ${advice}.`;
}
