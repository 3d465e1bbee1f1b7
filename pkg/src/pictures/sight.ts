/** Whether a model sees pictures, and what it lacks if it does not. */
import { HearthError } from "../core/errors.js";
import type { ModelInfo } from "../core/wasm-contract.js";

/** Architectures whose models all see, and names of models that do among those of the others. */
const SEEING = /^(qwen2vl|qwen3vl|qwen3vlmoe|gemma4|mistral3)$/;
const NAMES = /(^|[^a-z])(vl|vlm|smolvlm\d?|vision|pixtral|llava|medgemma|translategemma)([^a-z]|$)|gemma[- ]?3n/i;
/** Gemma 3 sees from 4B on, and only with more layers than the 1B has. */
const GEMMA_3_LAYERS = 30;

/** Reports whether the makers of a model published a projector for it, as far as its file tells. */
export function wouldSee({
  architecture,
  name,
  n_layers,
}: Pick<ModelInfo, "architecture" | "name" | "n_layers">): boolean {
  if (SEEING.test(architecture) || NAMES.test(name)) return true;
  return architecture === "gemma3" && n_layers > GEMMA_3_LAYERS;
}

/** Fails for a model that sees nothing, and says what it lacks. */
export function requireSight(model: ModelInfo): void {
  const { name, vision } = model;
  if (vision !== null) return;
  if (wouldSee(model)) {
    throw new HearthError("invalid_request", `the model ${name} sees no pictures: its projector (mmproj) is missing`, {
      hint: 'Load it together with the projector of its repository: Engine.create({ model, mmproj: "….gguf" }), or both files.',
    });
  }
  throw new HearthError("invalid_request", `the model ${name} takes text only, and the request has a picture`, {
    hint: "Choose a model that sees, such as SmolVLM2, Gemma 3 4B or Qwen 3 VL, with its projector (mmproj).",
  });
}
