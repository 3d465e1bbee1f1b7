"""dequant.safetensors: raw blocks of every GGML type and what gguf-py dequantises them to, bit for bit."""

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

import few_bits  # noqa: F401 (types that gguf-py does not decode)

N_BLOCKS = 64
# Of the types in FEW_BLOCKS.
N_FEW = 32

# Byte offsets of the f16 fields (scale, minimum) of a block. MXFP4 has an e8m0 byte instead, IQ1_M a nibble in each of four words, NVFP4
# four E4M3.
F16_FIELDS = {
    T.Q4_0: (0,), T.Q4_1: (0, 2), T.Q5_0: (0,), T.Q5_1: (0, 2), T.Q8_0: (0,),
    T.Q2_K: (80, 82), T.Q3_K: (108,), T.Q4_K: (0, 2), T.Q5_K: (0, 2), T.Q6_K: (208,),
    T.IQ4_NL: (0,), T.IQ4_XS: (0,), T.MXFP4: (),
    T.Q1_0: (0,), T.Q2_0: (0,), T.PQ2_0: (0,), T.TQ1_0: (52,), T.TQ2_0: (64,),
    T.IQ2_XXS: (0,), T.IQ2_XS: (0,), T.IQ2_S: (0,), T.IQ3_XXS: (0,), T.IQ3_S: (0,),
    T.IQ1_S: (0,), T.IQ1_M: (), T.NVFP4: (),
}
FEW_BLOCKS = list(F16_FIELDS)[13:]
CAN_QUANTIZE = (T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.MXFP4)

# f16 bit patterns: zeros, smallest and largest subnormals, smallest normal, +-1, a third, largest finite.
NASTY_F16 = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x8400, 0x3C00, 0xBC00, 0x3555, 0xB555, 0x7BFF, 0xFBFF]
NASTY_E8M0 = [0, 1, 2, 3, 64, 100, 126, 127, 128, 129, 150, 200, 240, 250]
# Without a sign, but the top bit is there.
NASTY_E4M3 = [0, 1, 7, 8, 0x7E, 0x7F, 0x80, 0x81, 0xFF, 0xF8, 0x38, 0x3F, 0x40, 0x77]
FILLS = [0x00, 0xFF, 0x0F, 0xF0, 0x88, 0x77, 0x80, 0x7F]


def quant_blocks(qtype: T, rng: np.random.Generator) -> np.ndarray:
    block_size, type_size = GGML_QUANT_SIZES[qtype]
    n_blocks = N_FEW if qtype in FEW_BLOCKS else N_BLOCKS
    blocks = rng.integers(0, 256, (n_blocks, type_size), dtype=np.uint8)
    # 0..13: nasty scales over random quants. 14..21: constant quants. 22: a ramp.
    for i, fill in enumerate(FILLS):
        blocks[14 + i] = fill
    blocks[22] = np.arange(type_size, dtype=np.uint8) * 7
    for i in range(n_blocks):
        if qtype == T.MXFP4:
            blocks[i, 0] = NASTY_E8M0[i] if i < 14 else rng.integers(110, 140)
        def half(j: int) -> np.uint16:
            if i < 14:
                return np.uint16(NASTY_F16[(i + 5 * j) % 14])
            return np.float16(rng.normal() * 10.0 ** rng.uniform(-4, 1)).view(np.uint16)

        if qtype == T.IQ1_M:
            words = blocks[i, 48:].view("<u2")
            words[:] = words & 0x0FFF | (half(0) >> np.arange(0, 16, 4, dtype="<u2") & 15) << 12
        if qtype == T.NVFP4 and i < 14:
            blocks[i, :4] = [NASTY_E4M3[(i + 5 * j) % 14] for j in range(4)]
        for j, off in enumerate(F16_FIELDS[qtype]):
            bits = half(j)
            blocks[i, off : off + 2] = np.array([bits], dtype="<u2").view(np.uint8)
    # 40..63: what a quantiser really writes, where gguf-py has one.
    if qtype in CAN_QUANTIZE:
        real = rng.normal(0, 0.05, (N_BLOCKS - 40, block_size)).astype(np.float32)
        real[0] = 0.0
        real[1, 3] = -4.0
        blocks[40:] = quantize(real, qtype).reshape(N_BLOCKS - 40, type_size)
    return blocks


def float_bytes(qtype: T, rng: np.random.Generator) -> np.ndarray:
    n = N_BLOCKS * 32
    if qtype == T.F16:
        bits = rng.integers(0, 0x7C00, n).astype("<u2")
        bits |= rng.integers(0, 2, n).astype("<u2") << 15
        bits[:14] = NASTY_F16
    elif qtype == T.BF16:
        bits = (rng.integers(0, 255, n) << 7 | rng.integers(0, 128, n)).astype("<u2")
        bits |= rng.integers(0, 2, n).astype("<u2") << 15
        bits[:8] = [0x0000, 0x8000, 0x0001, 0x807F, 0x0080, 0x3F80, 0x7F7F, 0xFF7F]
    else:
        bits = rng.normal(0, 1, n).astype("<f4").view("<u4")
        bits[:8] = [0, 0x80000000, 1, 0x807FFFFF, 0x00800000, 0x3F800000, 0x7F7FFFFF, 0xFF7FFFFF]
    return bits.view(np.uint8)


def make(out):
    tensors = {}
    for i, qtype in enumerate([T.F32, T.F16, T.BF16, *F16_FIELDS]):
        rng = np.random.default_rng([20240601, i])
        raw = quant_blocks(qtype, rng) if qtype in F16_FIELDS else float_bytes(qtype, rng)
        # One long row, as a one-row tensor would lie in a file.
        with np.errstate(over="raise", invalid="raise"):
            values = dequantize(raw.reshape(1, -1), qtype).reshape(-1).astype("<f4")
        assert np.isfinite(values).all(), qtype
        tensors[f"{qtype.name}.bytes"] = raw.reshape(-1).copy()
        tensors[f"{qtype.name}.values"] = np.ascontiguousarray(values)
    save_file(tensors, out / "dequant.safetensors")
