/**
 * SmolVLM 256M in its true shape: the text model and its projector's file, in Q8_0 with weights drawn at random, the same in each run.
 * For time, memory and counters: what it says means nothing. The tokenizer is that of the tiny one, filled up to the true size.
 */
import { createCipheriv } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { goldenFile } from "./env.js";
import { F32, header, Q8_0, sizes, type Tensor, type Value } from "./gguf.js";

const TEXT = { layers: 30, width: 576, heads: 9, kv_heads: 3, head: 64, ff: 1536, vocab: 49_280 };
/** `merge`: side of the square of patches that becomes a row. */
const TOWER = { layers: 12, width: 768, heads: 12, ff: 3072, side: 512, patch: 16, merge: 4 };

/** Writes both files to a folder of their own; returns their paths, and what removes them. */
export function smolvlm256m(): { paths: [string, string]; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "hearth-smolvlm-"));
  const paths: [string, string] = [join(folder, "model.gguf"), join(folder, "mmproj.gguf")];
  write(paths[0], textMetadata(), textTensors());
  write(paths[1], towerMetadata(), towerTensors());
  return {
    paths,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Tokenizer {
  model: { vocab: Record<string, number>; merges: [string, string][] };
  added_tokens: { id: number; content: string }[];
}

function textMetadata(): [string, Value][] {
  const file = (name: string): string => readFileSync(goldenFile(`vision/vision_smolvlm/hf/${name}`), "utf8");
  const { model, added_tokens } = JSON.parse(file("tokenizer.json")) as Tokenizer;
  const texts = Array.from({ length: TEXT.vocab }, (_, i) => `<${String(i)}>`);
  const i32s = texts.map(() => 1);
  for (const [content, id] of Object.entries(model.vocab)) texts[id] = content;
  for (const { id, content } of added_tokens) {
    texts[id] = content;
    i32s[id] = 3;
  }
  return [
    ["general.architecture", { text: "llama" }],
    ["general.name", { text: "SmolVLM 256M, weights drawn at random" }],
    ["llama.block_count", { u32: TEXT.layers }],
    ["llama.context_length", { u32: 8192 }],
    ["llama.embedding_length", { u32: TEXT.width }],
    ["llama.feed_forward_length", { u32: TEXT.ff }],
    ["llama.attention.head_count", { u32: TEXT.heads }],
    ["llama.attention.head_count_kv", { u32: TEXT.kv_heads }],
    ["llama.rope.freq_base", { f32: 100_000 }],
    ["llama.rope.dimension_count", { u32: TEXT.head }],
    ["llama.attention.layer_norm_rms_epsilon", { f32: 1e-5 }],
    ["llama.vocab_size", { u32: TEXT.vocab }],
    ["tokenizer.ggml.model", { text: "gpt2" }],
    ["tokenizer.ggml.pre", { text: "smollm" }],
    ["tokenizer.ggml.tokens", { texts }],
    ["tokenizer.ggml.token_type", { i32s }],
    ["tokenizer.ggml.merges", { texts: model.merges.map((pair) => pair.join(" ")) }],
    ["tokenizer.ggml.bos_token_id", { u32: texts.indexOf("<|im_start|>") }],
    ["tokenizer.ggml.eos_token_id", { u32: texts.indexOf("<end_of_utterance>") }],
    ["tokenizer.ggml.add_bos_token", { bool: false }],
    ["tokenizer.chat_template", { text: file("chat_template.jinja") }],
  ];
}

function textTensors(): Tensor[] {
  const { width, head, kv_heads, ff, vocab } = TEXT;
  const kv = head * kv_heads;
  return [
    matrix("token_embd", width, vocab),
    ...Array.from({ length: TEXT.layers }, (_, i) => `blk.${String(i)}.`).flatMap((at) => [
      vector(`${at}attn_norm.weight`, width),
      matrix(`${at}attn_q`, width, width),
      matrix(`${at}attn_k`, width, kv),
      matrix(`${at}attn_v`, width, kv),
      matrix(`${at}attn_output`, width, width),
      vector(`${at}ffn_norm.weight`, width),
      matrix(`${at}ffn_gate`, width, ff),
      matrix(`${at}ffn_up`, width, ff),
      matrix(`${at}ffn_down`, ff, width),
    ]),
    vector("output_norm.weight", width),
  ];
}

function towerMetadata(): [string, Value][] {
  return [
    ["general.architecture", { text: "clip" }],
    ["general.type", { text: "mmproj" }],
    ["clip.has_vision_encoder", { bool: true }],
    ["clip.projector_type", { text: "idefics3" }],
    ["clip.use_gelu", { bool: true }],
    ["clip.vision.image_size", { u32: TOWER.side }],
    // (2048 in the true one, which then cuts every picture into up to 16 tiles more)
    ["clip.vision.preproc_image_size", { u32: TOWER.side }],
    ["clip.vision.patch_size", { u32: TOWER.patch }],
    ["clip.vision.embedding_length", { u32: TOWER.width }],
    ["clip.vision.feed_forward_length", { u32: TOWER.ff }],
    ["clip.vision.projection_dim", { u32: TEXT.width }],
    ["clip.vision.block_count", { u32: TOWER.layers }],
    ["clip.vision.attention.head_count", { u32: TOWER.heads }],
    ["clip.vision.attention.layer_norm_epsilon", { f32: 1e-6 }],
    ["clip.vision.projector.scale_factor", { u32: TOWER.merge }],
  ];
}

function towerTensors(): Tensor[] {
  const { width, ff, side, patch, merge } = TOWER;
  const norm = (name: string): Tensor[] => [vector(`${name}.weight`, width), vector(`${name}.bias`, width)];
  const projection = (name: string, columns: number, rows: number): Tensor[] => [
    matrix(name, columns, rows),
    vector(`${name}.bias`, rows),
  ];
  return [
    matrix("mm.model.fc", width * merge * merge, TEXT.width),
    vector("v.patch_embd.weight", patch, patch, 3, width),
    vector("v.patch_embd.bias", width),
    vector("v.position_embd.weight", width, (side / patch) ** 2),
    ...Array.from({ length: TOWER.layers }, (_, i) => `v.blk.${String(i)}.`).flatMap((at) => [
      ...norm(`${at}ln1`),
      ...norm(`${at}ln2`),
      ...["q", "k", "v", "out"].flatMap((part) => projection(`${at}attn_${part}`, width, width)),
      ...projection(`${at}ffn_up`, width, ff),
      ...projection(`${at}ffn_down`, ff, width),
    ]),
    ...norm("v.post_ln"),
  ];
}

function matrix(name: string, columns: number, rows: number): Tensor {
  return { name: `${name}.weight`, shape: [columns, rows], type: Q8_0 };
}

function vector(name: string, ...shape: number[]): Tensor {
  return { name, shape, type: F32 };
}

function write(path: string, metadata: [string, Value][], tensors: Tensor[]): void {
  const file = openSync(path, "w");
  writeSync(file, header(metadata, tensors).bytes);
  const random = draws();
  for (const tensor of tensors) {
    writeSync(file, tensor.type === Q8_0 ? blocks(tensor, random) : floats(tensor, random));
    writeSync(file, Buffer.alloc(sizes(tensor).padding));
  }
  closeSync(file);
}

/** Returns what gives as many bytes as are asked for, each time others. */
function draws(): (count: number) => Buffer {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  return (count) => cipher.update(Buffer.alloc(count));
}

/** Returns blocks of uniform bytes, whose values have a deviation of 1 / sqrt(columns). */
function blocks(tensor: Tensor, random: (count: number) => Buffer): Buffer {
  const bytes = random(sizes(tensor).bytes);
  const scale = half(1 / (73.9 * Math.sqrt(tensor.shape[0] ?? 1)));
  for (let at = 0; at < bytes.length; at += 34) bytes.writeUInt16LE(scale, at);
  return bytes;
}

/** Returns ones for weights of norms, else numbers between -0.06 and 0.06. */
function floats(tensor: Tensor, random: (count: number) => Buffer): Buffer {
  const bytes = random(sizes(tensor).bytes);
  const isNorm = /(norm|ln\d?)\.weight$/.test(tensor.name);
  for (let at = 0; at < bytes.length; at += 4) {
    bytes.writeFloatLE(isNorm ? 1 : 0.06 * (bytes.readInt32LE(at) / 2 ** 31), at);
  }
  return bytes;
}

/** Returns the bits of a half for a number above 2^-14. */
function half(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  return ((exponent + 15) << 10) + Math.round((value / 2 ** exponent - 1) * 1024);
}
