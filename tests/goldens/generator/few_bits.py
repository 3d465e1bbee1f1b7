"""Q1_0, Q2_0 and PQ2_0, which gguf-py 0.19 cannot decode or does not know: their ids, sizes and decoders, from the formats' descriptions.

Q1_0: an f16 d and a bit for each of 128 elements, lowest first; 1 is d, 0 is -d (https://github.com/ggml-org/llama.cpp, block_q1_0).
Q2_0: an f16 d and two bits for each of 64 elements, lowest first; d (q - 1) (https://github.com/ggml-org/llama.cpp/pull/24448).
PQ2_0: the same with 128 (https://github.com/ggml-org/llama.cpp/issues/29058); id 142, or 42 in files from before.
"""

import gguf.quants
import numpy as np
from gguf import GGML_QUANT_SIZES
from gguf import GGMLQuantizationType as T


def know(name: str, number: int, sizes: tuple[int, int]):
    """Adds a type to gguf-py's enumeration."""
    member = int.__new__(T, number)
    member._name_, member._value_ = name, number
    T._member_map_[name] = T._value2member_map_[number] = member
    T._member_names_.append(name)
    type.__setattr__(T, name, member)
    GGML_QUANT_SIZES[member] = sizes


know("Q2_0", 42, (64, 18))
know("PQ2_0", 142, (128, 34))
Base = getattr(gguf.quants, "__Quant")


def split(blocks: np.ndarray, bits: int):
    """d as f32, and the elements of `bits` bits, lowest first."""
    d, qs = np.hsplit(blocks, [2])
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    q = qs[..., None] >> shifts & np.uint8((1 << bits) - 1)
    return np.ascontiguousarray(d).view(np.float16).astype(np.float32), q.reshape(len(blocks), -1)


class Q1_0(Base, qtype=T.Q1_0):
    @classmethod
    def dequantize_blocks(cls, blocks: np.ndarray) -> np.ndarray:
        d, q = split(blocks, 1)
        return np.where(q == 1, d, -d)


class Q2_0(Base, qtype=T.Q2_0):
    @classmethod
    def dequantize_blocks(cls, blocks: np.ndarray) -> np.ndarray:
        d, q = split(blocks, 2)
        return d * (q.astype(np.float32) - np.float32(1))


class PQ2_0(Q2_0, qtype=T.PQ2_0):
    pass
