/** The model that a visitor chose to run. */
import type { EngineOptions } from "hearth-llm";

export type Source = string | File | File[];

/** A model to load, and its options. */
export interface Choice {
  source: Source;
  options: Pick<EngineOptions, "device" | "contextSize" | "kvType" | "quantize">;
}

/** A model on a server, or the browser's own. The server's key is not part of it. */
export interface ServerChoice {
  /** Address of the server's API; empty for the browser's model. */
  server: string;
  /** The model's name on the server. */
  model: string;
}
