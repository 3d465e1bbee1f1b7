"""transformers' model of a family on the dequantised tensors of its GGUF file."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

import hf_llama  # noqa: F401 (one thread, deterministic algorithms)
from family_layout import gguf_tensors, layout_of
from gguf_io import tensor_f32
from nvfp4 import without_factors


def new_model(config):
    """The architecture with arbitrary weights. Eager: the plain formulas, no fused kernels."""
    torch.manual_seed(0)
    sees = hasattr(config, "vision_config")
    return (AutoModelForImageTextToText if sees else AutoModelForCausalLM).from_config(
        config, attn_implementation="eager", experts_implementation="eager", dtype=torch.float32).eval()


def parameters(model) -> dict[str, tuple[int, ...]]:
    """Names and shapes of what a file has to bring; a tied head is the embedding."""
    shapes = {name: tuple(p.shape) for name, p in model.state_dict().items() if ".visual." not in name}
    if model.config.tie_word_embeddings:
        del shapes["lm_head.weight"]
    return shapes


def load(family, reader: GGUFReader):
    config = family.make_config()
    model = new_model(config)
    tensors, factor = without_factors({t.name: t for t in reader.tensors})
    state, used = {}, set()
    for name, shape in parameters(model).items():
        parts = [part for part, _ in gguf_tensors(family, config, name, shape)]
        used.update(parts)
        value = layout_of(family, config, name).join([tensor_f32(tensors[part]) * factor(part) for part in parts])
        state[name] = torch.from_numpy(np.asarray(value, order="C"))
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state[next(n for n in state if n.endswith(("embed_tokens.weight", "wte.weight")))]
    # What is left are tables that transformers computes from the configuration.
    assert {t for t in tensors if not t.startswith("rope_f")} == used, set(tensors) ^ used
    left = model.load_state_dict(state, strict=False)
    assert not left.unexpected_keys and all(".visual." in name for name in left.missing_keys), left
    return model
