/** A GGUF file in a real model's shape with weights of zero, generated as a stream in the page: no such file exists. */

import { F32, header, Q4_0, type Tensor, type Value } from "./gguf.js";

export interface Shape {
  n_layers: number;
  d_model: number;
  n_heads: number;
  n_kv_heads: number;
  d_ff: number;
  vocab: number;
}

function tensors({ n_layers, d_model, n_heads, n_kv_heads, d_ff, vocab }: Shape): Tensor[] {
  const kv = (d_model / n_heads) * n_kv_heads;
  const all: Tensor[] = [
    { name: "token_embd.weight", shape: [d_model, vocab], type: Q4_0 },
    { name: "output_norm.weight", shape: [d_model], type: F32 },
  ];
  for (let i = 0; i < n_layers; i++) {
    const add = (name: string, shape: number[], type: number): void => {
      all.push({ name: `blk.${String(i)}.${name}.weight`, shape, type });
    };
    add("attn_norm", [d_model], F32);
    add("ffn_norm", [d_model], F32);
    add("attn_q", [d_model, d_model], Q4_0);
    add("attn_k", [d_model, kv], Q4_0);
    add("attn_v", [d_model, kv], Q4_0);
    add("attn_output", [d_model, d_model], Q4_0);
    add("ffn_gate", [d_model, d_ff], Q4_0);
    add("ffn_up", [d_model, d_ff], Q4_0);
    add("ffn_down", [d_ff, d_model], Q4_0);
  }
  return all;
}

/** Returns the header's bytes and the length of the whole file. */
export function synthetic(shape: Shape): { header: number[]; total: number } {
  const { bytes, total } = header(metadata(shape), tensors(shape));
  return { header: [...bytes], total };
}

function metadata(shape: Shape): [string, Value][] {
  return [
    ["llama.block_count", { u32: shape.n_layers }],
    ["llama.embedding_length", { u32: shape.d_model }],
    ["llama.attention.head_count", { u32: shape.n_heads }],
    ["llama.attention.head_count_kv", { u32: shape.n_kv_heads }],
    ["llama.feed_forward_length", { u32: shape.d_ff }],
    ["llama.context_length", { u32: 4096 }],
    ["llama.attention.layer_norm_rms_epsilon", { f32: 1e-5 }],
    ["general.architecture", { text: "llama" }],
    ["tokenizer.ggml.model", { text: "gpt2" }],
    ["tokenizer.ggml.pre", { text: "smollm" }],
    ["tokenizer.ggml.tokens", { texts: Array.from({ length: shape.vocab }, (_, i) => `t${String(i)}`) }],
    ["tokenizer.ggml.merges", { texts: [] }],
  ];
}
