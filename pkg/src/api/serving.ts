/** Parts of answers that say where and how fast they were made. */

/** Timings of a request under the names of llama.cpp's server, summed over its answers. */
export interface Timings {
  /** Prompt tokens reused from an earlier request (`cache_n`), and those computed (`prompt_n`). */
  cache_n: number;
  prompt_n: number;
  /** Milliseconds from the start of processing to the first token. */
  prompt_ms: number;
  prompt_per_token_ms: number;
  prompt_per_second: number;
  predicted_n: number;
  /** Milliseconds from the first token to the last; the rates below therefore do not count the first token. */
  predicted_ms: number;
  predicted_per_token_ms: number;
  predicted_per_second: number;
}

/** Progress of reading a prompt, under the names of llama.cpp's server; `phase` and `looked` are beyond it. */
export interface PromptProgress {
  /** Tokens of the prompt, those of them that were reused from an earlier request, and those that have been read, these included. */
  total: number;
  cache: number;
  processed: number;
  /** Milliseconds since reading began. */
  time_ms: number;
  /** Activity: the model looks at a picture, or reads. */
  phase: "picture" | "prefill";
  /** Share of the work of looking at the prompt's pictures that is done, from 0 to 1; absent if there is none to do. */
  looked?: number;
}

/** Place where an answer was made. */
export interface ServedBy {
  /** `here`: on this device, by this page. `browser`: by the browser's own model. `server`: by the one in `server`. */
  where: "here" | "browser" | "server";
  /** Host of the server, with its port; absent elsewhere. */
  server?: string;
  model: string;
  /** Why a router chose this place. */
  reason?: string;
}
