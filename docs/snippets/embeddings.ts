/** Vectors of texts, and rankings of documents. */
import type { Engine } from "hearth-llm";

export async function embed(engine: Engine): Promise<unknown> {
  // #region embed
  const { data } = await engine.embeddings.create({ input: ["A cat sat.", "Ein Kater saß."] });
  // #endregion embed
  return data;
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
