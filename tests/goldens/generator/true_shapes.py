"""Writes GGUF files of the true shapes of Qwen3.5 0.8B and Gemma 4 E2B, by hand: true_shapes.py qwen3.5-0.8b|gemma-4-e2b OUT.gguf

Shapes are those of the published configurations, in Q4_0 with an embedding of Q6_K; weights are random, and so is the text. The tokenizer is
that of the goldens, filled up to the vocabulary's size. For what only size shows: memory, limits of buffers, time to load.
"""

import sys
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

import gguf_io
from gold_tiny import train_bpe

RNG = np.random.default_rng(7)


def blocks(qtype: T, rows: int, cols: int) -> np.ndarray:
    """Random blocks whose values have a standard deviation of 1 / sqrt(cols): bytes, a row of blocks for each row."""
    size, n_bytes = gguf.GGML_QUANT_SIZES[qtype]
    made = RNG.integers(0, 256, (rows, cols // size, n_bytes), dtype=np.uint8)
    # (of uniform quants: 4.6 of Q4_0's, 18.5 times scales of up to 127 of Q6_K's)
    deviation, at = {T.Q4_0: (4.6, 0), T.Q6_K: (18.5 * 73, 208)}[qtype]
    scale = np.float16(1 / (deviation * np.sqrt(cols)))
    made[:, :, at : at + 2] = np.frombuffer(scale.tobytes(), np.uint8)
    return made.reshape(rows, -1)


def filled_up(tokenizer: dict, vocab: int) -> dict:
    more = range(len(tokenizer["tokens"]), vocab)
    return tokenizer | {"tokens": [*tokenizer["tokens"], *(f"<{i}>" for i in more)],
                        "types": [*tokenizer["types"], *(gguf.TokenType.NORMAL for _ in more)]}


class File:
    """A model whose lm_head is the embedding."""

    def __init__(self, path: Path, arch: str, name: str, keys: dict):
        self.writer, self.tensors = gguf_io.start(path, arch, name), []
        for key, value in (keys | {"attention.layer_norm_rms_epsilon": 1e-6}).items():
            add = {list: self.writer.add_array, float: self.writer.add_float32, int: self.writer.add_uint32}
            add[type(value)](f"{arch}.{key}", value)

    def matrix(self, name: str, cols: int, rows: int):
        qtype = T.Q6_K if name == "token_embd" else T.Q4_0
        self.tensors.append((f"{name}.weight", blocks(qtype, rows, cols), qtype))

    def vector(self, name: str, *shape: int, low=0.8, high=1.2):
        self.tensors.append((name, RNG.uniform(low, high, shape).astype(np.float32), T.F32))

    def feed_forward(self, layer: str, d: int, d_ff: int):
        for part, cols, rows in (("ffn_gate", d, d_ff), ("ffn_up", d, d_ff), ("ffn_down", d_ff, d)):
            self.matrix(layer + part, cols, rows)

    def finish(self, vocab: int):
        gguf_io.finish(self.writer, filled_up(train_bpe("smollm"), vocab), self.tensors)


def qwen35(path: Path):
    d, d_ff, head, layers, vocab = 1024, 3584, 256, 24, 248_320
    heads, dim, taps = 16, 128, 4
    file = File(path, "qwen35", "qwen3.5-0.8b", {
        "block_count": layers, "embedding_length": d, "feed_forward_length": d_ff, "context_length": 262_144,
        "attention.head_count": 8, "attention.head_count_kv": 2, "attention.key_length": head, "attention.value_length": head,
        "rope.dimension_count": 64, "rope.freq_base": 1e7, "full_attention_interval": 4, "ssm.conv_kernel": taps, "ssm.state_size": dim,
        "ssm.group_count": heads, "ssm.time_step_rank": heads, "ssm.inner_size": heads * dim})
    file.matrix("token_embd", d, vocab)
    file.vector("output_norm.weight", d)
    for i in range(layers):
        at = f"blk.{i}."
        if (i + 1) % 4 == 0:
            for part, cols, rows in (("q", d, 16 * head), ("k", d, 2 * head), ("v", d, 2 * head), ("output", 8 * head, d)):
                file.matrix(f"{at}attn_{part}", cols, rows)
            file.vector(f"{at}attn_q_norm.weight", head)
            file.vector(f"{at}attn_k_norm.weight", head)
        else:
            for part, cols, rows in (("attn_qkv", d, 3 * heads * dim), ("attn_gate", d, heads * dim), ("ssm_beta", d, heads),
                                     ("ssm_alpha", d, heads), ("ssm_out", heads * dim, d)):
                file.matrix(at + part, cols, rows)
            file.vector(f"{at}ssm_conv1d.weight", 3 * heads * dim, taps, low=-0.6, high=0.6)
            file.vector(f"{at}ssm_dt.bias", heads, low=-1.0, high=1.0)
            file.vector(f"{at}ssm_a", heads, low=-2.0, high=-0.1)
            file.vector(f"{at}ssm_norm.weight", dim)
        file.feed_forward(at, d, d_ff)
        file.vector(f"{at}attn_norm.weight", d)
        file.vector(f"{at}post_attention_norm.weight", d)
    file.finish(vocab)


def gemma4(path: Path):
    d, layers, shared, vocab, of_layer = 1536, 35, 20, 262_144, 256
    slides = [(i + 1) % 5 != 0 for i in range(layers)]
    widths = [6144 if i < layers - shared else 12_288 for i in range(layers)]
    file = File(path, "gemma4", "gemma-4-e2b", {
        "block_count": layers, "embedding_length": d, "embedding_length_per_layer_input": of_layer, "context_length": 131_072,
        "feed_forward_length": widths, "attention.head_count": 8, "attention.head_count_kv": 1, "attention.key_length": 512,
        "attention.value_length": 512, "attention.key_length_swa": 256, "attention.value_length_swa": 256, "attention.sliding_window": 512,
        "attention.sliding_window_pattern": slides, "attention.shared_kv_layers": shared, "rope.dimension_count": 512,
        "rope.dimension_count_swa": 256, "rope.freq_base": 1e6, "rope.freq_base_swa": 1e4, "final_logit_softcapping": 30.0})
    file.matrix("token_embd", d, vocab)
    file.matrix("per_layer_token_embd", layers * of_layer, vocab)
    file.matrix("per_layer_model_proj", d, layers * of_layer)
    file.vector("per_layer_proj_norm.weight", of_layer)
    file.vector("output_norm.weight", d)
    file.vector("rope_freqs.weight", 256, low=1.0, high=1.0)
    for i in range(layers):
        at, head = f"blk.{i}.", 256 if slides[i] else 512
        file.matrix(f"{at}attn_q", d, 8 * head)
        file.vector(f"{at}attn_q_norm.weight", head)
        if i < layers - shared:
            file.matrix(f"{at}attn_k", d, head)
            file.matrix(f"{at}attn_v", d, head)
            file.vector(f"{at}attn_k_norm.weight", head)
        file.matrix(f"{at}attn_output", 8 * head, d)
        file.feed_forward(at, d, widths[i])
        file.matrix(f"{at}inp_gate", d, of_layer)
        file.matrix(f"{at}proj", of_layer, d)
        for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm", "post_norm"):
            file.vector(f"{at}{norm}.weight", d)
        file.vector(f"{at}layer_output_scale.weight", 1)
    file.finish(vocab)


if __name__ == "__main__":
    {"qwen3.5-0.8b": qwen35, "gemma-4-e2b": gemma4}[sys.argv[1]](Path(sys.argv[2]))
