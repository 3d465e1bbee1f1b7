"""family_<name>.gguf, .json, _logits.bin: tiny seeded models of other decoder families, in llama.cpp's GGUF layout."""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFReader

import block_quants
import family_weights
import gguf_io
import golden
import hf_families
import nvfp4
from family_specs import FAMILIES, Family
from gguf_io import bpe_tokenizer, field
from gold_tiny import train_bpe

MIN_MARGIN = 0.03
MAX_SEEDS = 400


def common_keys(config) -> dict:
    """What llama.cpp's converter writes for every architecture; Family.keys has the rest."""
    if config.model_type == "gpt2":
        return {
            "block_count": config.n_layer, "context_length": config.n_positions, "embedding_length": config.n_embd,
            "feed_forward_length": 4 * config.n_embd, "head_count": config.n_head,
            "layer_norm_eps": config.layer_norm_epsilon,
        }
    config = config.get_text_config()
    # (Nemotron-H has none)
    rope = getattr(config, "rope_parameters", None) or {"rope_theta": 10000.0}
    rope = rope.get("full_attention", rope)
    eps = next(name for name in ("norm_eps", "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon") if hasattr(config, name))
    return {
        "block_count": config.num_hidden_layers, "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size, "feed_forward_length": getattr(config, "intermediate_size", None),
        "head_count": config.num_attention_heads, "head_count_kv": config.num_key_value_heads,
        "rope_freq_base": rope["rope_theta"],
        "layer_norm_eps" if eps == "layer_norm_eps" else "layer_norm_rms_eps": getattr(config, eps),
    }


def write_gguf(path: Path, family: Family, config, tok_meta: dict, tensors: list):
    # llama.cpp gives special tokens another meaning in models that are called phi3.
    w = gguf_io.start(path, family.arch, f"family_{family.name}".replace("phi3", "phi_3"))
    for key, value in (common_keys(config) | family.keys).items():
        if key == "rope_pattern":
            # (gguf-py does not know it yet)
            w.add_array(f"{family.arch}.attention.rope_pattern", value)
        elif value is not None:
            getattr(w, f"add_{key}")(value)
    w.add_file_type(family.file_type)
    written = []
    for i, (name, values, qtype) in enumerate(tensors):
        values = np.ascontiguousarray(values)
        if qtype == T.NVFP4:
            written += nvfp4.with_factors(name, values, i % 2 == 0)
        else:
            written.append((name, block_quants.quantize(values, qtype), qtype))
    gguf_io.finish(w, tok_meta, written)


def dims(family: Family, config) -> dict:
    keys = common_keys(config)
    n_heads = keys["head_count"]
    return {
        "arch": family.arch, "n_layers": keys["block_count"], "d_model": keys["embedding_length"], "n_heads": n_heads,
        "n_kv_heads": keys.get("head_count_kv", n_heads),
        "head_dim": family.keys.get("key_length", keys["embedding_length"] // n_heads),
        "d_ff": keys["feed_forward_length"], "n_vocab": config.get_text_config().vocab_size, "n_ctx": keys["context_length"],
        "rope_theta": keys.get("rope_freq_base"), "rms_eps": keys.get("layer_norm_rms_eps"),
        "file_type": int(family.file_type), "tied": config.tie_word_embeddings,
    }


def seeds(given: int | None) -> range:
    return range(MAX_SEEDS) if given is None else range(given, given + 1)


def make_one(out: Path, family: Family, tok_meta: dict):
    config = family.make_config()
    shapes = hf_families.parameters(hf_families.new_model(config))
    path = out / f"family_{family.name}.gguf"
    for seed in seeds(family.seed):
        write_gguf(path, family, config, tok_meta, family_weights.tensors(family, config, shapes, seed))
        reader = GGUFReader(path)
        prompts, rows, flaw = golden.run(
            lambda: hf_families.load(family, reader), bpe_tokenizer(reader), field(reader, "tokenizer.chat_template"),
            config.get_text_config().max_position_embeddings, MIN_MARGIN)
        if not flaw:
            break
    assert not flaw, f"{path.stem}: seed {seed}, the last one tried, gives {flaw}"
    head = {"gguf": path.name, "seed": seed, "dims": dims(family, config)}
    golden.write(out, path.stem, head, prompts, rows)


def make(out: Path, names: list[str] | None = None):
    tok_meta = train_bpe("smollm")
    for family in FAMILIES:
        if names is None or family.name in names:
            make_one(out, family, tok_meta)
