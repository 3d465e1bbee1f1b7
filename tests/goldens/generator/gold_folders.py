"""hf_<name>/ with hf_<name>.json and _logits.bin: tiny seeded models as Hugging Face folders, as transformers loads them."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer, Mxfp4Config
from transformers.utils import logging

import family_weights
import fp8
import gold_families
import golden
import hf_families
import hf_tokenizers
import saved_folders
from family_layout import gguf_tensors, layout_of
from family_specs import FAMILIES, FOLDER_FAMILIES, LLAMA3_ROPE, Family
from gold_tiny import train_bpe
from gguf_io import encode

logging.disable_progress_bar()

COMMON = {
    "bos_token_id": 1, "eos_token_id": 2, "attention_dropout": 0.0, "hidden_act": "silu", "hidden_size": 64,
    "initializer_range": 0.02, "max_position_embeddings": 256, "num_attention_heads": 4, "num_hidden_layers": 2,
    "num_key_value_heads": 2, "use_cache": True, "vocab_size": 320,
}
# Two as on the hub before transformers 5 (rope_theta, rope_scaling, torch_dtype), one as transformers 5 writes it.
FOLDERS = {
    "qwen2": {
        "dtype": torch.bfloat16, "shards": 1, "tokenizer": "qwen2", "generation": {"eos_token_id": [2, 0], "top_k": 20},
        "config": {
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "intermediate_size": 128, "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0, "tie_word_embeddings": True, "max_window_layers": 2, "sliding_window": 32,
            "use_sliding_window": False, "torch_dtype": "bfloat16",
        },
    },
    "qwen3": {
        "dtype": torch.float16, "shards": 1, "tokenizer": "smollm", "generation": {"eos_token_id": 2},
        "config": {
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "intermediate_size": 96, "head_dim": 32,
            "rms_norm_eps": 1e-6, "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"},
            "tie_word_embeddings": False, "attention_bias": False, "layer_types": ["full_attention"] * 2,
            "sliding_window": None, "use_sliding_window": False, "dtype": "float16",
        },
    },
    "llama3": {
        "dtype": torch.float32, "shards": 2, "tokenizer": "llama3", "generation": {"eos_token_id": [2, 0]},
        "config": {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "intermediate_size": 96, "head_dim": 16,
            "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "rope_scaling": {k: v for k, v in LLAMA3_ROPE.items() if k != "rope_theta"},
            "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False, "pretraining_tp": 1,
            "torch_dtype": "float32",
        },
    },
}


def write_json(path: Path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="ascii")


def family_of(name: str, args: dict) -> Family:
    """That of the GGUF files, with its rows of q and k as transformers has them."""
    family = next(f for f in [*FAMILIES, *FOLDER_FAMILIES] if f.name == name)
    return replace(family, args=family.args | args, permutes=False)


def random_weights(name: str, family: Family, dtype: torch.dtype, seed: int) -> dict[str, torch.Tensor]:
    config = family.make_config()
    rng = np.random.default_rng([zlib.crc32(f"hf_{name}".encode()), seed])
    made = {}
    for key, shape in hf_families.parameters(hf_families.new_model(config)).items():
        parts = []
        for tensor, part_shape in gguf_tensors(family, config, key, shape):
            part, kind = tensor.split(".")[-2:]
            parts.append(family_weights.draw(part, kind, part_shape, family, rng))
        made[key] = torch.from_numpy(layout_of(family, config, key).join(parts)).to(dtype)
    return made


def write_weights(folder: Path, weights: dict[str, torch.Tensor], shards: int):
    # The index of a real folder names its files in this way too.
    per_file = -(-len(weights) // shards)
    names, parts = list(weights), {}
    for i in range(shards):
        file = "model.safetensors" if shards == 1 else f"model-{i + 1:05}-of-{shards:05}.safetensors"
        parts[file] = names[i * per_file : (i + 1) * per_file]
        save_file({n: weights[n] for n in parts[file]}, folder / file, metadata={"format": "pt"})
    if shards > 1:
        size = sum(w.numel() * w.element_size() for w in weights.values())
        write_json(folder / "model.safetensors.index.json", {
            "metadata": {"total_size": size}, "weight_map": {n: file for file, ns in parts.items() for n in ns}})


def load(folder: Path):
    """What the folder says, with its weights upcast to float32."""
    model = fp8.load(folder)
    if model:
        return model
    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForImageTextToText if hasattr(config, "vision_config") else AutoModelForCausalLM
    how = {"quantization_config": Mxfp4Config(dequantize=True)} if hasattr(config, "quantization_config") else {}
    return model.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager", **how).eval()


def tokenizer(folder: Path):
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    wrapped = AutoTokenizer.from_pretrained(folder)
    for prompt in golden.PROMPTS:
        if "messages" in prompt:
            text = wrapped.apply_chat_template(prompt["messages"], add_generation_prompt=True, tokenize=False)
            ids = wrapped.apply_chat_template(prompt["messages"], add_generation_prompt=True, return_dict=False)
        else:
            text, ids = prompt["text"], wrapped(prompt["text"], add_special_tokens=False).input_ids
        assert encode(tok, text, parse_special=True) == list(ids), folder
    return tok, wrapped.chat_template, {"bos_token": wrapped.bos_token}


def dims(config) -> dict:
    # Where layers differ, what most of them have.
    config.allow_global_per_layer_attribute_access = True
    n_heads, width = config.num_attention_heads, config.hidden_size
    rope = getattr(config, "rope_parameters", None) or {}
    return {
        "arch": config.model_type, "n_layers": config.num_hidden_layers, "d_model": width, "n_heads": n_heads,
        "n_kv_heads": getattr(config, "num_key_value_heads", n_heads),
        "head_dim": getattr(config, "head_dim", None) or width // n_heads,
        "d_ff": getattr(config, "intermediate_size", None) or 4 * width,
        "n_vocab": config.vocab_size, "n_ctx": config.max_position_embeddings,
        "rope_theta": rope.get("full_attention", rope).get("rope_theta"),
        "rms_eps": getattr(config, "rms_norm_eps", None), "tied": getattr(config, "tie_word_embeddings", False),
    }


def make_one(
    out: Path, name: str, tokenizer_style: str, dtype: torch.dtype, fill, ends: frozenset[int] = frozenset(),
    given_seed: int | None = None,
):
    """`fill(folder, seed)` writes all but the tokenizer; `ends` as in golden.run."""
    folder = out / f"hf_{name}"
    folder.mkdir()
    hf_tokenizers.write(folder, tokenizer_style, train_bpe("smollm"))
    seeds = gold_families.seeds(given_seed)
    for seed in seeds:
        fill(folder, seed)
        if seed == seeds[0]:
            tok, chat_template, special = tokenizer(folder)
            config = AutoConfig.from_pretrained(folder).get_text_config()
        prompts, rows, flaw = golden.run(
            lambda: load(folder), tok, chat_template, config.max_position_embeddings, gold_families.MIN_MARGIN, special, ends)
        if not flaw:
            break
    assert not flaw, f"{folder.name}: seed {seed}, the last one tried, gives {flaw}"
    head = {"folder": folder.name, "seed": seed, "dtype": str(dtype).removeprefix("torch.")}
    golden.write(out, folder.name, head | {"dims": dims(config)}, prompts, rows)


def by_hand(name: str, spec: dict):
    family = family_of(name, {"intermediate_size": spec["config"]["intermediate_size"]})

    def fill(folder: Path, seed: int):
        write_json(folder / "config.json", COMMON | spec["config"])
        write_json(folder / "generation_config.json", {
            "bos_token_id": 1, "do_sample": True, "temperature": 0.7, "top_p": 0.8} | spec["generation"])
        write_weights(folder, random_weights(name, family, spec["dtype"], seed), spec["shards"])

    return fill


def by_transformers(name: str, spec: saved_folders.Saved):
    family = family_of(spec.family, spec.args)

    def fill(folder: Path, seed: int):
        saved_folders.write(folder, spec, family, spec.weights(random_weights(name, family, spec.dtype, seed)), load)

    return fill


def make(out: Path):
    for name, spec in FOLDERS.items():
        make_one(out, name, spec["tokenizer"], spec["dtype"], by_hand(name, spec))
    for name, spec in saved_folders.FOLDERS.items():
        make_one(out, name, spec.tokenizer, spec.dtype, by_transformers(name, spec), saved_folders.ends(spec), spec.seed)
