/** Needs of a model, before it is fetched; and what its files get wrong. */
import { canRun, Engine, inspectModel } from "hearth-llm";

export async function ask(): Promise<string> {
  // #region fits
  const model = "Qwen/Qwen3-4B-GGUF";
  const report = await inspectModel({ model });
  const { verdict, changes, needs, tokens_per_second } = await canRun({ model });
  // #endregion fits
  return JSON.stringify({ report, verdict, changes, needs, tokens_per_second });
}

export async function corrected(): Promise<Engine> {
  // #region overrides
  const engine = await Engine.create({
    model: "owner/name",
    overrides: {
      chatTemplate: "{% for message in messages %}{{ message.content }}\n{% endfor %}",
      ropeScaling: { kind: "yarn", factor: 4, originalContext: 32768 },
      metadata: { "tokenizer.ggml.eos_token_id": 2, "general.sampling.temp": 0.6, "general.sampling.top_p": null },
    },
  });
  // #endregion overrides
  return engine;
}
