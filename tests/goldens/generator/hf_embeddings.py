"""transformers' embedding models on the dequantised tensors of their GGUF files, and the pooling that follows them."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from gguf import GGUFReader, PoolingType
from transformers import AutoModel

import embedding_layout
import jina_bert
import nomic_mixture
import hf_llama  # noqa: F401 (one thread, deterministic algorithms)
from gguf_io import tensor_f32


def new_model(spec):
    """The architecture with arbitrary weights. Eager: the plain formulas, no fused kernels."""
    torch.manual_seed(0)
    if spec.arch == "jina-bert-v2":
        return jina_bert.JinaBert(spec.make_config()).eval()
    model = AutoModel.from_config(spec.make_config(), attn_implementation="eager", dtype=torch.float32).eval()
    if getattr(model, "pooler", None) is not None:
        # A dense layer on top of [CLS]: trained for another task, and in no file.
        model.pooler = None
    if spec.arch == "nomic-bert-moe":
        model = nomic_mixture.with_experts(model, spec.keys)
    for i, (before, after) in enumerate(spec.dense):
        # sentence-transformers' modules behind the pooling.
        setattr(model, f"dense_{i + 2}", torch.nn.Linear(before, after, bias=False))
    return model


def parameters(model) -> dict[str, tuple[int, ...]]:
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def load(spec, reader: GGUFReader):
    model = new_model(spec)
    shapes = parameters(model)
    layout = embedding_layout.tensors(spec, list(shapes))
    tensors = {t.name: tensor_f32(t) for t in reader.tensors}
    assert tensors.keys() == layout.keys(), tensors.keys() ^ layout.keys()
    state = {}
    for key, names in layout.items():
        # Gemma's RMSNorm multiplies by 1 + weight; the file holds the sum.
        less = 1 if spec.arch == "gemma-embedding" and key.endswith("norm.weight") else 0
        parts = np.split(tensors[key] - less, np.cumsum([shapes[n][0] for n in names])[:-1])
        state |= {name: torch.from_numpy(part.copy()) for name, part in zip(names, parts)}
    missing = model.load_state_dict(state, strict=False)
    assert not missing.missing_keys and not missing.unexpected_keys, missing
    return model


def dense(model) -> tuple[np.ndarray, ...]:
    """The matrices behind the pooling."""
    found = (getattr(model, f"dense_{i}", None) for i in (2, 3))
    return tuple(layer.weight.detach().numpy() for layer in found if layer is not None)


@torch.no_grad()
def hidden(model, ids: list[int]) -> np.ndarray:
    """[positions, width] behind the last layer (and its norm)."""
    return model(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()


def pool(rows: np.ndarray, how: PoolingType, dense: tuple[np.ndarray, ...] = ()) -> np.ndarray:
    """One row for the text, special tokens included, of length 1; as sentence-transformers' Pooling, Dense and Normalize."""
    if how == PoolingType.MEAN:
        row = rows.sum(0) / len(rows)
    else:
        row = rows[{PoolingType.CLS: 0, PoolingType.LAST: -1}[how]]
    for weight in dense:
        row = weight @ row
    return row / max(np.sqrt((row * row).sum()), 1e-12)
