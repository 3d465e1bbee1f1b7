/** Hearth: open language models in the browser, on WebGPU. */
export { Engine, inspectModel, type EngineOptions, type InspectOptions, type ModelSource } from "./engine.js";
export {
  CORE_ERROR_CODES,
  HearthError,
  HOST_ERROR_CODES,
  type CoreErrorCode,
  type HearthErrorCode,
  type HearthErrorOptions,
  type HostErrorCode,
} from "./errors.js";
export { canRun, type Evidence, type Fit, type FitOptions } from "./fit.js";
export { CompletionStream } from "./stream.js";
export type { ChatCompletionStream, Completions, TextCompletions } from "./completions.js";
export type { Diagnostics } from "./diagnostics.js";
export type { Embeddings } from "./embeddings.js";
export type { CacheMode, DeviceChoice, DownloadOptions, LoadProgress, Notice } from "./protocol.js";
export type {
  DeviceInfo,
  DeviceOptions,
  DeviceTuning,
  Drafts,
  EngineStats,
  InspectorOptions,
  KvType,
  ModelInfo,
  ModelReport,
  Quantize,
  ToolStyle,
  Usage,
} from "./wasm-contract.js";
export type * from "./openai.js";
