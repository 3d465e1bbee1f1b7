/** Hearth: open language models in the browser, on WebGPU. */
export { Engine, inspectModel, type EngineOptions, type InspectOptions, type ModelSource } from "./engine.js";
export { HearthError, type CoreErrorCode, type HearthErrorCode, type HostErrorCode } from "./errors.js";
export { canRun, type Fit, type FitOptions } from "./fit.js";
export { CompletionStream } from "./stream.js";
export type { ChatCompletionStream, Completions, TextCompletions } from "./completions.js";
export type { Diagnostics } from "./diagnostics.js";
export type { Embeddings } from "./embeddings.js";
export type { CacheMode, DeviceChoice, DownloadOptions, LoadProgress, Notice } from "./protocol.js";
export type {
  DeviceInfo,
  DeviceOptions,
  Drafts,
  EngineStats,
  KvType,
  ModelInfo,
  ModelReport,
} from "./wasm-contract.js";
export type * from "./openai.js";
