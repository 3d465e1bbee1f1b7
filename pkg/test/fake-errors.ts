/** Errors as the core throws them, and those of a header that is none. */

export class CoreError extends Error {
  override readonly name = "HearthError";
  constructor(
    readonly code: string,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

export function checkHeader(chunk: Uint8Array): void {
  const text = new TextDecoder("latin1").decode(chunk.subarray(0, 64));
  if (!text.startsWith("GGUF")) {
    const found = JSON.stringify(text.slice(0, 4));
    throw new CoreError(
      "bad_file",
      `GGUF file is malformed at magic: expected "GGUF", found ${found}`,
      "Download it again.",
    );
  }
  const architecture = /arch=(\w+)/.exec(text)?.[1];
  if (architecture !== undefined) {
    throw new CoreError(
      "unsupported_architecture",
      `unknown architecture "${architecture}"; known: llama`,
      "Choose another.",
    );
  }
}

/** Checks the header of one of several files: the web page of an error, or a projector that is not known. */
export function checkPart(chunk: Uint8Array): void {
  const head = new TextDecoder("latin1").decode(chunk.subarray(0, 64));
  if (head.startsWith("<")) checkHeader(chunk);
  if (head.includes("projector=unknown")) {
    throw new CoreError("unsupported_architecture", 'unknown projector "unknown"', "Choose another.");
  }
}
