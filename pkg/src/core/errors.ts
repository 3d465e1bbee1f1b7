/**
 * The package's only error class.
 *
 * `code` is stable and meant for programs, `message` says what happened, `hint` what the user can do about it. The Rust
 * core throws the same shape; codes that only JavaScript can raise (downloads, the worker) are listed here.
 */

/** Codes raised by the Rust core, see `modelfile/src/error.rs`. */
export const CORE_ERROR_CODES = [
  "bad_file",
  "truncated_file",
  "unsupported_architecture",
  "unsupported_quant",
  "missing_tensor",
  "tensor_shape",
  "bad_metadata",
  "tokenizer_error",
  "template_error",
  "grammar_error",
  "context_overflow",
  "invalid_request",
  "bad_audio",
  "bad_picture",
  "out_of_memory",
  "no_webgpu",
  "device_lost",
  "gpu_error",
  "not_finite",
  "cancelled",
  "busy",
  "io_error",
  "internal_error",
] as const;

/** Codes raised by the JavaScript side. */
export const HOST_ERROR_CODES = [
  "download_http",
  "download_stalled",
  "download_broken",
  "download_changed",
  "download_length",
  "download_checksum",
  "wasm_failed",
  "worker_died",
  "disposed",
  "remote_unreachable",
  "remote_auth",
  "remote_model",
  "remote_busy",
  "remote_interrupted",
  "remote_error",
  "unsupported_by_server",
  "document_type",
  "document_damaged",
  "document_encrypted",
  "document_too_large",
  "document_stalled",
  "extractor_missing",
  "audio_undecodable",
  "capture_failed",
  "picture_undecodable",
] as const;

export type CoreErrorCode = (typeof CORE_ERROR_CODES)[number];
export type HostErrorCode = (typeof HOST_ERROR_CODES)[number];
export type HearthErrorCode = CoreErrorCode | HostErrorCode;

const HINTS: Partial<Record<HearthErrorCode, string>> = {
  bad_file: "Download the file again, or check that it is a model file of this format.",
  truncated_file: "The download or copy is incomplete: fetch the file again and compare its size.",
  invalid_request: "Correct the named field.",
  bad_audio: "Give a WAV file of PCM or 32-bit floats, or another format that the browser decodes.",
  bad_picture: "Give a picture of at most 100 million pixels, neither empty nor very long and narrow.",
  context_overflow: "Shorten the conversation, begin a new one, or load the model with a larger context.",
  grammar_error: "Simplify the schema or grammar that the answer has to follow.",
  no_webgpu:
    'Use a current Chrome, Edge, Firefox or Safari with hardware acceleration on, or allow the CPU with device: "cpu".',
  busy: "Wait until the request that runs has ended, or stop it.",
  out_of_memory: "Choose a smaller model or context, or close other pages.",
  unsupported_quant: "Choose a file in one of the supported storage types.",
  device_lost: "Create the engine again.",
  cancelled: "Nothing to do: the request was stopped on purpose.",
  io_error: "Check the file and try again.",
  internal_error: "Please report this with the message and the model's name.",
  download_http: "Check the address of the model file.",
  download_stalled: "Check the network connection and try again.",
  download_broken: "Check the network connection and try again.",
  download_changed: "The file on the server was replaced while it was loading: try again.",
  download_length: "The server gives a wrong length for this file: try again or use another address.",
  download_checksum: "Load the model again; if it stays, the server or something on the way to it damages the file.",
  wasm_failed: "Reload the page; if it stays, check that the server sends hearth_bg.wasm as application/wasm.",
  worker_died: "Create the engine again; if it stays, choose a smaller model or close other pages.",
  disposed: "Create a new engine: this one was disposed.",
  remote_unreachable: "Check the server's address, and that it runs.",
  remote_auth: "Check the server's key.",
  remote_model: "Name a model that the server has.",
  remote_busy: "Try again later.",
  remote_interrupted: "Ask again.",
  remote_error: "Check the server's log.",
  unsupported_by_server: "Leave the field out, or choose another server.",
  document_type: "Save it as PDF, DOCX, HTML, Markdown or text.",
  document_damaged: "Open the file in its own program, and save it again.",
  document_encrypted: "Give its password: library.add(file, { password }).",
  document_too_large: "Divide the file, or raise `limits` in Library.open.",
  document_stalled: "Try again, or print the file to a new PDF.",
  extractor_missing: "Install the optional package that reads this kind of file.",
  audio_undecodable: "Save the recording as WAV, MP3, M4A, Ogg or FLAC.",
  capture_failed: "Allow the microphone, and ask for its stream again.",
  picture_undecodable: "Save the picture as JPEG, PNG or WebP.",
};

/** Returns the error of an invalid field in a request. */
export function invalid(field: string, expected: string, found: unknown): HearthError {
  const shown = typeof found === "string" ? `"${found}"` : found === undefined ? "nothing" : JSON.stringify(found);
  return new HearthError("invalid_request", `invalid request: ${field} must be ${expected}, found ${shown}`);
}

export interface HearthErrorOptions {
  hint?: string;
  cause?: unknown;
  /** HTTP status, for `download_http` and errors of servers. */
  status?: number;
}

export class HearthError extends Error {
  override readonly name = "HearthError";
  readonly code: HearthErrorCode;
  readonly hint: string;
  readonly status: number | undefined;

  constructor(code: HearthErrorCode, message: string, options: HearthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? HINTS[code] ?? "";
    this.status = options.status;
  }
}

/**
 * A HearthError as plain data for messages between page and worker: structured clone drops an Error's own properties.
 */
export interface SerializedError {
  code: HearthErrorCode;
  message: string;
  hint: string;
  status?: number;
  stack?: string;
  cause?: string;
}

export function serializeError(value: unknown): SerializedError {
  const error = toHearthError(value);
  const out: SerializedError = { code: error.code, message: error.message, hint: error.hint };
  if (error.status !== undefined) out.status = error.status;
  if (error.stack !== undefined) out.stack = error.stack;
  if (error.cause !== undefined) out.cause = describe(error.cause);
  return out;
}

export function deserializeError(data: SerializedError): HearthError {
  const options: HearthErrorOptions = { hint: data.hint };
  if (data.status !== undefined) options.status = data.status;
  if (data.cause !== undefined) options.cause = data.cause;
  const error = new HearthError(data.code, data.message, options);
  // The worker's stack shows where the error happened.
  if (data.stack !== undefined) error.stack = data.stack;
  return error;
}

/** Converts any thrown value to a HearthError: errors of the core keep their code, an abort becomes `cancelled`. */
export function toHearthError(value: unknown, fallback: HearthErrorCode = "internal_error"): HearthError {
  if (value instanceof HearthError) return value;
  if (isCoreError(value)) {
    const error = new HearthError(value.code, value.message, { hint: value.hint });
    if (value.stack !== undefined) error.stack = value.stack;
    return error;
  }
  if (value instanceof Error && value.name === "AbortError") return cancelled(value);
  return new HearthError(fallback, describe(value), { cause: value });
}

export function cancelled(cause?: unknown): HearthError {
  return new HearthError("cancelled", "cancelled", cause === undefined ? {} : { cause });
}

/** Returns the error of foreign code that took the worker down or was taken down with it. */
export function stopped(on: "template" | "format", why: string, cause?: unknown): HearthError {
  const isTemplate = on === "template";
  const otherwise = isTemplate ? "use another file of this model" : "simplify the schema or grammar";
  return new HearthError(
    isTemplate ? "template_error" : "grammar_error",
    `${isTemplate ? "the model's chat template" : "the answer's format"} was stopped: ${why}`,
    { hint: `The engine has ended with it: ${otherwise}, or create the engine again.`, cause },
  );
}

/** Throws `cancelled` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | null | undefined): void {
  if (signal?.aborted) throw cancelled(signal.reason);
}

function isCoreError(value: unknown): value is Error & { code: HearthErrorCode; hint: string } {
  return value instanceof Error && value.name === "HearthError" && "code" in value && typeof value.code === "string";
}

function describe(value: unknown): string {
  return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
}
