"""Which of transformers' parameters each tensor of an embedding model's GGUF file holds."""

import gguf

from family_layout import gguf_arch

# transformers' own names for Nomic's and Jina's encoders are not those of the checkpoint that llama.cpp's converter reads.
NOMIC = {
    "embeddings.word_embeddings": "token_embd", "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm", "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "attn_output_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "post_mlp_layernorm": "layer_output_norm", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down",
    "mlp.router": "ffn_gate_inp", "mlp.experts_up": "ffn_up_exps", "mlp.experts_down": "ffn_down_exps",
}


def nomic(names: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        stem, kind = name.rsplit(".", 1)
        block = ""
        if stem.startswith("layers."):
            _, i, stem = stem.split(".", 2)
            block = f"blk.{i}."
        # One tensor with the rows of q, k, v.
        part = "attn_qkv" if stem.endswith(("q_proj", "k_proj", "v_proj")) else NOMIC[stem]
        found.setdefault(f"{block}{part}.{kind}", []).append(name)
    return found


# jina-embeddings v2's own names.
JINA = {
    "embeddings.word_embeddings": "token_embd", "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm", "attention.self.query": "attn_q", "attention.self.key": "attn_k",
    "attention.self.value": "attn_v", "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
    "mlp.gated_layers": "ffn_up", "mlp.wo": "ffn_down", "mlp.layernorm": "layer_output_norm",
}


def jina(name: str) -> str:
    stem, kind = name.rsplit(".", 1)
    block = ""
    if stem.startswith("encoder.layer."):
        _, _, i, stem = stem.split(".", 3)
        block = f"blk.{i}."
    return f"{block}{JINA[stem]}.{kind}"


def tensors(spec, names: list[str]) -> dict[str, list[str]]:
    """{tensor: parameters whose rows it holds, one after the other}"""
    if spec.arch in ("nomic-bert", "nomic-bert-moe", "jina-bert-v3"):
        return nomic(names)
    if spec.arch == "jina-bert-v2":
        return {jina(name): [name] for name in names}
    table = gguf.get_tensor_name_map(gguf_arch(spec.arch), spec.keys["block_count"])
    # The map knows Qwen3 as the body of a language model, and BERT as a model of its own.
    prefix = "" if spec.arch in ("bert", "modern-bert") else "model."
    own = [name for name in names if not name.startswith("dense_")]
    found = {table.get_name(prefix + name, (".weight", ".bias")): [name] for name in own}
    found |= {name: [name] for name in names if name.startswith("dense_")}
    assert None not in found and len(found) == len(names), found
    return found
