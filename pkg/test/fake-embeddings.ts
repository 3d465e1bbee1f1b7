/** Embeddings and scores of the fake core. */
import type { EmbedInput, RankInput, RankScore, WasmEmbeddings } from "../src/core/wasm-contract.js";
import { CoreError } from "./fake-errors.js";

/**
 * Returns an input's length and 1 as its embedding, for as many inputs as fit the context together; an error of the
 * first is thrown. A picture is taken alone, and its embedding begins with its number among `pictures`.
 */
export function embeddingsOf(inputs: EmbedInput[], contextSize: number, pictures: string[]): WasmEmbeddings {
  const image = inputs[0]?.image;
  if (image !== undefined) {
    const values = Float32Array.of(100 + pictures.indexOf(image), 1);
    return { values, tokens: Uint32Array.of(9), free: () => undefined };
  }
  const taken: number[] = [];
  let left = contextSize;
  for (const { text, ids, image, truncate = false, dimensions = 2 } of inputs) {
    if (image !== undefined) break;
    const length = (text ?? ids ?? []).length;
    const isWrong = dimensions > 2 || (length > contextSize && !truncate);
    if (taken.length > 0 && (isWrong || length > left)) break;
    if (dimensions > 2) throw new CoreError("invalid_request", "dimensions must be 1 to 2", "Correct it.");
    if (isWrong) {
      const message = `the prompt needs ${String(length)} tokens, the context holds ${String(contextSize)}`;
      throw new CoreError("context_overflow", message, "Shorten the conversation.");
    }
    taken.push(Math.min(length, contextSize));
    left -= length;
  }
  const width = inputs[0]?.dimensions ?? 2;
  const values = taken.flatMap((length) => [length, 1].slice(0, width));
  return { values: Float32Array.from(values), tokens: Uint32Array.from(taken), free: () => undefined };
}

/** Scores a document by the share of its characters that the query has. */
export function scoreOf({ query, document, truncate = false }: RankInput, contextSize: number): RankScore {
  const tokens = query.length + document.length;
  if (tokens > contextSize && !truncate) {
    throw new CoreError("context_overflow", `the prompt needs ${String(tokens)} tokens`, "Shorten it.");
  }
  const shared = Array.from(document).filter((character) => query.includes(character)).length;
  return { score: shared / Math.max(document.length, 1), tokens: Math.min(tokens, contextSize) };
}
