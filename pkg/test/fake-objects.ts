/** Plain objects that the fake core returns, with every field of the real one's. */
import type {
  DeviceInfo,
  DeviceOptions,
  DeviceTuning,
  EngineStats,
  ModelInfo,
  PictureProcessor,
} from "../src/core/wasm-contract.js";

/** Result of measuring the device; the fake sets `wide` if it was measured before. */
export const TUNING: DeviceTuning = {
  decode_threads_per_tile: 16,
  prefill_threads_per_tile: 4,
  subgroups: true,
  arithmetic: "f32",
  shared_tile: false,
  macs_per_ms: 1e9,
};

export function deviceInfo(kind: DeviceInfo["kind"], { features }: DeviceOptions): DeviceInfo {
  const isGpu = kind === "webgpu";
  return {
    kind,
    name: isGpu ? "Fake GPU 9000" : "CPU (WebAssembly SIMD)",
    vendor: isGpu ? "fake" : "",
    architecture: isGpu ? "paper" : "wasm32",
    threads: 1,
    backend: isGpu ? "browser-webgpu" : "flex",
    software: !isGpu,
    features: features === "none" || !isGpu ? [] : ["shader-f16", "subgroups"],
    limits: {
      maxBufferSize: 2 ** 31,
      maxStorageBufferBindingSize: 2 ** 30,
      maxStorageBuffersPerShaderStage: 10,
      maxComputeWorkgroupStorageSize: 2 ** 15,
    },
    readback_ms: 0.1,
  };
}

export const MODEL: ModelInfo = {
  architecture: "llama",
  name: "Fake 135M Instruct",
  n_layers: 30,
  d_model: 576,
  n_heads: 9,
  n_kv_heads: 3,
  head_dim: 64,
  d_ff: 1536,
  n_experts: 0,
  n_experts_used: 0,
  pooling: "mean",
  embedding_dim: 576,
  vocab_size: 49152,
  n_ctx: 2048,
  n_ctx_train: 8192,
  eps: 1e-5,
  rope_theta: 100_000,
  rope_dim: 64,
  sliding_window: 0,
  parameters: 134_515_008,
  weight_bytes: 0,
  kv_bytes: 47_185_920,
  state_bytes: 0,
  kv_type: "f16",
  tool_style: null,
  thought_marks: null,
  sampling: null,
  vision: null,
  similarity: null,
  quants: { Q4_1: 211, F32: 61 },
};

/** Rules for pictures of a model that sees. */
export const VISION: PictureProcessor = {
  kind: "idefics3",
  patch: 16,
  merge: 4,
  side: 512,
  longest_edge: 2048,
  min_pixels: 0,
  max_pixels: 0,
  min_tiles: 0,
  max_tiles: 0,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};

/** Counters of an engine that has not run. */
export const STATS: EngineStats = {
  dispatches: 0,
  replays: 0,
  dispatches_per_token: 1,
  dispatches_per_draft_step: 0,
  draft_steps: 0,
  draft_replays: 0,
  drafted: 0,
  accepted: 0,
  frames: 0,
  readbacks: 0,
  bytes_read: 0,
  gpu_bytes: 0,
  heap_bytes: 2 ** 24,
  constructor_runs: 1,
  pipelines: 0,
};
