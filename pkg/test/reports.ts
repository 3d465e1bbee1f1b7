/** Reports on models that do not exist. */
import type { ModelReport } from "../src/core/wasm-contract.js";

const GIB = 2 ** 30;

/** Returns the report on a model of a billion parameters: 2 GiB in F16, a KV cache of 0.5 GiB for 4096 positions. */
export function report(
  quants: ModelReport["quants"] = { F16: { tensors: 1, parameters: GIB, bytes: 2 * GIB } },
): ModelReport {
  const bytes = Object.values(quants).reduce((sum, quant) => sum + quant.bytes, 0);
  const none = { state: 0, scratch: 0, vision: 0 };
  const memory = { weights: bytes, kv: GIB / 2, kv_binding: GIB / 64, ...none, total: bytes + GIB / 2 };
  return {
    format: "gguf",
    architecture: "llama",
    name: "one",
    license: null,
    parameters: GIB,
    quants,
    tensor_bytes: bytes,
    n_ctx_train: 8192,
    sampling: null,
    budget: {
      config: { n_layers: 16 } as NonNullable<ModelReport["budget"]>["config"],
      n_ctx: 4096,
      memory,
      token: { flops: 2 * GIB, bytes },
      device: { fits: true, reason: null, tokens_per_second: 50, speed: null },
    },
  };
}
