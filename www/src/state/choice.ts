/** The model that a visitor chose to run. */
import type { EngineOptions } from "hearth-llm";

export type Source = string | File | File[];

/** A model to load, and its options. */
export interface Choice {
  source: Source;
  options: Pick<EngineOptions, "device" | "contextSize" | "kvType" | "quantize">;
}
