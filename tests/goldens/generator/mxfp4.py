"""gpt-oss's experts in MXFP4, as safetensors have them: quants and exponents apart, two neighbours in a byte."""

import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize, quantize


def is_expert(name: str) -> bool:
    return name.endswith(("experts.gate_up_proj", "experts.down_proj"))


def blocks(weight: torch.Tensor) -> np.ndarray:
    """GGML's blocks [n_experts, out, in / 32, 17] of a parameter [n_experts, in, out]."""
    rows = weight.float().numpy().swapaxes(1, 2)
    return quantize(np.ascontiguousarray(rows), T.MXFP4).reshape(*rows.shape[:2], -1, 17)


def rounded(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """With experts that MXFP4 can say."""
    def of(weight):
        packed = blocks(weight)
        values = dequantize(packed.reshape(*packed.shape[:2], -1), T.MXFP4).swapaxes(1, 2)
        return torch.from_numpy(np.ascontiguousarray(values)).to(weight.dtype)

    return {name: of(weight) if is_expert(name) else weight for name, weight in weights.items()}


def packed(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    made = {}
    for name, weight in tensors.items():
        if not is_expert(name):
            made[name] = weight
            continue
        found = blocks(weight)
        scales, bytes_ = found[..., 0], found[..., 1:]
        # GGML has element j and j + 16 in a byte.
        elements = np.concatenate([bytes_ & 15, bytes_ >> 4], axis=-1)
        pairs = elements[..., 0::2] | elements[..., 1::2] << 4
        made[f"{name}_blocks"] = torch.from_numpy(np.ascontiguousarray(pairs))
        made[f"{name}_scales"] = torch.from_numpy(np.ascontiguousarray(scales))
    return made
