/** A GGUF file in a real model's shape with weights of zero, generated as a stream in the page: no such file exists. */

export interface Shape {
  n_layers: number;
  d_model: number;
  n_heads: number;
  n_kv_heads: number;
  d_ff: number;
  vocab: number;
}

const F32 = 0;
const Q4_0 = 2;
const U32 = 4;
const FLOAT = 6;
const STRING = 8;
const ARRAY = 9;

interface Tensor {
  name: string;
  shape: number[];
  type: number;
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
  const parts: Buffer[] = [];
  const u32 = (n: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(n);
    parts.push(bytes);
  };
  const u64 = (n: number): void => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(n));
    parts.push(bytes);
  };
  const text = (value: string): void => {
    const bytes = Buffer.from(value);
    u64(bytes.length);
    parts.push(bytes);
  };
  const all = tensors(shape);
  const numbers: [string, number][] = [
    ["block_count", shape.n_layers],
    ["embedding_length", shape.d_model],
    ["attention.head_count", shape.n_heads],
    ["attention.head_count_kv", shape.n_kv_heads],
    ["feed_forward_length", shape.d_ff],
    ["context_length", 4096],
  ];
  parts.push(Buffer.from("GGUF"));
  u32(3);
  u64(all.length);
  u64(numbers.length + 6);
  for (const [key, value] of numbers) {
    text(`llama.${key}`);
    u32(U32);
    u32(value);
  }
  text("llama.attention.layer_norm_rms_epsilon");
  u32(FLOAT);
  const eps = Buffer.alloc(4);
  eps.writeFloatLE(1e-5);
  parts.push(eps);
  for (const [key, value] of [
    ["general.architecture", "llama"],
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", "smollm"],
  ] as const) {
    text(key);
    u32(STRING);
    text(value);
  }
  text("tokenizer.ggml.tokens");
  u32(ARRAY);
  u32(STRING);
  u64(shape.vocab);
  for (let i = 0; i < shape.vocab; i++) text(`t${String(i)}`);
  text("tokenizer.ggml.merges");
  u32(ARRAY);
  u32(STRING);
  u64(0);
  let at = 0;
  for (const { name, shape: dims, type } of all) {
    text(name);
    u32(dims.length);
    for (const dim of dims) u64(dim);
    u32(type);
    u64(at);
    const elements = dims.reduce((a, b) => a * b, 1);
    const bytes = type === F32 ? 4 * elements : (elements / 32) * 18;
    at += Math.ceil(bytes / 32) * 32;
  }
  const header = Buffer.concat(parts);
  const padded = Math.ceil(header.length / 32) * 32;
  return { header: [...Buffer.concat([header], padded)], total: padded + at };
}
