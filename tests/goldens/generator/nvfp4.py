"""NVFP4's factors: a tensor beside each weight, which multiplies its blocks, and the scale of its input, which dequantisation ignores.

Names as in llama.cpp's convert_hf_to_gguf.py.
"""

import numpy as np
from gguf import GGMLQuantizationType as T

from block_quants import quantize
from gguf_io import tensor_f32

# The largest value of E2M1 times the largest of E4M3.
MOST = np.float32(6 * 448)


def with_factors(name: str, values: np.ndarray, first: bool) -> list[tuple[str, np.ndarray, T]]:
    """The tensors of a weight: its blocks, and before or after them its factors, one for each matrix."""
    matrices = values.reshape(-1, *values.shape[-2:])
    factors = np.abs(matrices).max((1, 2)) / MOST
    blocks = quantize((matrices / factors[:, None, None]).reshape(values.shape), T.NVFP4)
    stem = name.removesuffix(".weight")
    weight = (name, blocks, T.NVFP4)
    scales = [(f"{stem}.scale", factors.astype(np.float32), T.F32), (f"{stem}.input_scale", np.ones_like(factors), T.F32)]
    return [*scales, weight] if first else [weight, *scales]


def without_factors(tensors: dict):
    """The tensors that are not factors, and a function that gives a tensor's factors, shaped to multiply it."""
    ends = (".scale", ".input_scale")

    def is_factor(name: str) -> bool:
        end = next((end for end in ends if name.endswith(end)), None)
        weight = end and tensors.get(name.removesuffix(end) + ".weight")
        return weight is not None and weight.tensor_type == T.NVFP4

    own = {name: t for name, t in tensors.items() if not is_factor(name)}

    def factor(name: str) -> np.ndarray:
        scale = tensors.get(name.removesuffix(".weight") + ".scale")
        if scale is None or tensors[name].tensor_type != T.NVFP4:
            return np.float32(1)
        factors = tensor_f32(scale)
        return factors if len(factors) == 1 else factors[:, None, None]

    return own, factor
