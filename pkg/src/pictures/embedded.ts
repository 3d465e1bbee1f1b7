/** Pictures that are embedded, on their way to the worker. */
import type { PictureInput } from "../api/openai.js";
import { HearthError } from "../core/errors.js";
import type { EmbedAsked, EmbedRequest } from "../core/protocol.js";
import type { ModelInfo } from "../core/wasm-contract.js";
import { toPictureSource } from "./source.js";

/** Returns a request as it crosses to the worker: at once if there are no pictures. */
export function withEmbedded(
  request: EmbedRequest<PictureInput>,
  model: ModelInfo,
  signal: AbortSignal,
): EmbedRequest | Promise<EmbedRequest> {
  const { inputs, ...others } = request;
  const texts: EmbedAsked[] = [];
  for (const input of inputs) {
    if ("image" in input) return read(request, model, signal);
    texts.push(input);
  }
  return { ...others, inputs: texts };
}

async function read(
  { inputs, ...others }: EmbedRequest<PictureInput>,
  { name, vision, similarity }: ModelInfo,
  signal: AbortSignal,
): Promise<EmbedRequest> {
  if (vision === null || similarity === null) {
    throw new HearthError("invalid_request", `the model ${name} makes no embeddings of pictures`, {
      hint: "Choose one that compares pictures with texts, such as CLIP or SigLIP, as a folder with preprocessor_config.json.",
    });
  }
  const sent: EmbedAsked[] = [];
  for (const [index, input] of inputs.entries()) {
    if (!("image" in input)) sent.push(input);
    else {
      const field = `input[${String(index)}]: image_url.url`;
      sent.push({ ...input, image: await toPictureSource(input.image, field, signal) });
    }
  }
  return { ...others, inputs: sent };
}
