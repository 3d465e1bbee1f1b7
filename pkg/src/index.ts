/** Hearth: open language models in the browser, on WebGPU. */
export type { Adapters } from "./backend/adapters.js";
export {
  Engine,
  fetchModel,
  inspectModel,
  type AdapterOptions,
  type AdapterSource,
  type EngineOptions,
  type FetchOptions,
  type InspectOptions,
  type ModelSource,
  type ProjectorSource,
} from "./engine.js";
export {
  CORE_ERROR_CODES,
  HearthError,
  HOST_ERROR_CODES,
  type CoreErrorCode,
  type HearthErrorCode,
  type HearthErrorOptions,
  type HostErrorCode,
} from "./core/errors.js";
export { createBeside, type BesideOptions } from "./fit/beside.js";
export { canRun, type Evidence, type Fit, type FitOptions, type FitSpeed } from "./fit/fit.js";
export { CompletionStream } from "./api/stream.js";
export { Completions, TextCompletions, type ChatCompletionStream } from "./api/completions.js";
export { apiOf, type Api } from "./api/api.js";
export { Embeddings } from "./api/embeddings.js";
export { Translations, type TranslationStream } from "./api/translations.js";
export type { Backend, BackendModel, BackendOptions, Capabilities, LocalEngine, Sent } from "./backend/backend.js";
export type { Diagnostics } from "./fit/diagnostics.js";
export type {
  CacheMode,
  ContextStoreOptions,
  DeviceChoice,
  DownloadOptions,
  LoadProgress,
  Notice,
} from "./core/protocol.js";
export type {
  AdapterInfo,
  AdvisedSampling,
  AnswerEnd,
  Arithmetic,
  Budget,
  CompletionTokensDetails,
  DeviceInfo,
  DeviceKind,
  DeviceLimits,
  DeviceOptions,
  DeviceTuning,
  DeviceVerdict,
  Drafts,
  EngineStats,
  FileFormat,
  InspectorOptions,
  KvType,
  MemoryUse,
  ModelConfig,
  ModelInfo,
  ModelReport,
  Overrides,
  PictureProcessor,
  Pooling,
  PredictedSpeed,
  ProcessorKind,
  RopeScaling,
  ShapeTuning,
  Similarity,
  SimilarityFunction,
  PromptTokensDetails,
  Quantize,
  QuantUse,
  StepTime,
  ThoughtMarks,
  TileShape,
  TokenWork,
  ToolStyle,
  Usage,
} from "./core/wasm-contract.js";
export type * from "./api/openai.js";
export type * from "./api/ranking.js";
export type * from "./api/serving.js";
export type * from "./translations/types.js";
export { parseHubId, type HubId } from "./source/paste.js";
