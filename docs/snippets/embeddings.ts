/** Vectors of texts and pictures, and rankings of documents. */
import type { Engine } from "hearth-llm";

export async function embed(engine: Engine): Promise<unknown> {
  // #region embed
  const { data } = await engine.embeddings.create({ input: ["A cat sat.", "Ein Kater saß."] });
  // #endregion embed
  return data;
}

export async function classify(engine: Engine, picture: Blob, labels: string[]): Promise<number[]> {
  // #region classify
  const { data } = await engine.embeddings.create({
    input: [{ type: "image_url", image_url: { url: picture } }, ...labels.map((label) => `a photo of ${label}`)],
  });
  const [seen = [], ...texts] = data.map(({ embedding }) => embedding as number[]);
  const { scale, bias, function: by } = engine.model.similarity ?? { scale: 1, bias: 0, function: "sigmoid" };
  // Embeddings have length 1, so their dot product is the cosine.
  const logits = texts.map((text) => scale * text.reduce((sum, v, i) => sum + v * (seen[i] ?? 0), 0) + bias);
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  const probabilities = by === "softmax" ? powers.map((p) => p / sum) : logits.map((l) => 1 / (1 + Math.exp(-l)));
  // #endregion classify
  return probabilities;
}

export async function rank(engine: Engine): Promise<unknown> {
  // #region rank
  const { results } = await engine.rerank({
    query: "warm house",
    documents: ["A small fire.", "The sea."],
    top_n: 1,
  });
  // #endregion rank
  return results;
}
