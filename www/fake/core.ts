/** The fake core at the pace of a middling machine, for work on the page. */
import { fake, Inspector as FakeInspector } from "../../pkg/test/fake-wasm.js";
import type { ModelReport } from "../../pkg/src/core/wasm-contract.js";

Object.assign(fake, { stepMs: 35, pushMs: 60, compileMs: 2400 });

export * from "../../pkg/test/fake-wasm.js";
export { default } from "../../pkg/test/fake-wasm.js";

/** What a model of a billion parameters asks for, so that the page has something to draw. */
const BUDGET: NonNullable<ModelReport["budget"]> = {
  config: {
    architecture: "fake",
    name: "Fake 1B",
    n_layers: 16,
    d_model: 2048,
    n_heads: 32,
    n_kv_heads: 8,
    head_dim: 64,
    d_ff: 8192,
    n_experts: 0,
    n_experts_used: 0,
    pooling: null,
    embedding_dim: 0,
    vocab_size: 128256,
    n_ctx_train: 131072,
    eps: 1e-5,
    rope_theta: 500_000,
    rope_dim: 64,
    sliding_window: 0,
  },
  n_ctx: 2048,
  memory: { weights: 7e8, kv: 6.7e7, kv_binding: 2.1e6, state: 0, vision: 0, scratch: 3e7, total: 7.97e8 },
  token: { flops: 2.5e9, bytes: 7.6e8 },
  device: null,
};

export class Inspector extends FakeInspector {
  override push(chunk: Uint8Array): ModelReport | null {
    const report = super.push(chunk);
    if (report === null) return null;
    const { format, architecture, license, tensor_bytes, sampling } = report;
    const rest = { format, architecture, license, tensor_bytes, sampling, budget: BUDGET };
    const quants = { Q4_K: { tensors: 112, parameters: 1e9, bytes: 5.6e8 } };
    return { ...rest, name: "Fake 1B", parameters: 1.24e9, n_ctx_train: 131072, quants };
  }
}
