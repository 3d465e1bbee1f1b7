/** Converts OpenAI's request for embeddings to the worker's. */
import type { EmbeddingCreateParams, PictureInput } from "../api/openai.js";
import { HearthError, invalid } from "../core/errors.js";
import type { EmbedRequest } from "../core/protocol.js";
import { toEmbedded } from "./content.js";
import { checkFields } from "./fields.js";

export function toEmbedRequest(params: EmbeddingCreateParams): {
  request: EmbedRequest<PictureInput>;
  encoding: "float" | "base64";
} {
  checkFields("embeddings", params);
  const encoding = (params.encoding_format as string | null | undefined) ?? "float";
  if (encoding !== "float" && encoding !== "base64") throw invalid("encoding_format", '"float" or "base64"', encoding);
  const request: EmbedRequest<PictureInput> = { inputs: toInputs(params.input), truncate: params.truncate ?? false };
  const dimensions = params.dimensions ?? undefined;
  if (dimensions !== undefined) {
    if (!isCount(dimensions) || dimensions === 0) throw invalid("dimensions", "a whole number above 0", dimensions);
    request.dimensions = dimensions;
  }
  return { request, encoding };
}

/** An array of numbers is one input, any other array several. */
function toInputs(input: unknown): EmbedRequest<PictureInput>["inputs"] {
  const all: unknown[] = !Array.isArray(input) || isIds(input) ? [input] : input;
  if (all.length > 0 && all.every((text) => typeof text === "string")) return all.map((text) => ({ text }));
  if (all.length > 0 && all.every(isIds)) return all.map((ids) => ({ ids }));
  if (all.length > 0 && all.every((one) => typeof one === "string" || isPart(one))) {
    return all.map((one, index) =>
      typeof one === "string" ? { text: one } : toEmbedded(`input[${String(index)}]`, one),
    );
  }
  throw new HearthError(
    "invalid_request",
    "invalid request: input must be a text, its tokens in an array, or several of either in an array; or texts and image_url parts",
  );
}

function isPart(value: unknown): value is object {
  return typeof value === "object" && value !== null && "type" in value;
}

function isIds(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every(isCount);
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32;
}
