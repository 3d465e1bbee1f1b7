"""Quantisers for the GGML types that gguf-py can only read: plain rounding, no search for better scales.

What the blocks mean is decided by gguf-py's `dequantize`; this file only has to write sane ones.
"""

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize
from gguf.quants import quantize as gguf_quantize
from gguf import quants as gguf_types

import few_bits  # noqa: F401 (types that gguf-py does not decode)

# The 16 levels of IQ4_NL and IQ4_XS, read back from blocks that hold each index once at scale 1.
_RAMP = np.arange(16, dtype=np.uint8)
LEVELS = dequantize(np.concatenate([np.array([1.0], "<f2").view(np.uint8), _RAMP])[None], T.IQ4_NL).reshape(-1)[:16]


def _f16(x: np.ndarray) -> np.ndarray:
    return x.astype("<f2")


def _bytes(x: np.ndarray) -> np.ndarray:
    """[n, ...] of any type to [n, bytes]."""
    return np.ascontiguousarray(x).view(np.uint8).reshape(len(x), -1)


def _over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


def _affine(x: np.ndarray, size: int, q_max: int, s_max: int):
    """q * d * scale - dmin * minimum, for sub-blocks of `size`: d, dmin, scales, minimums, q."""
    x = x.reshape(len(x), -1, size)
    low = np.maximum(0, -x.min(-1))
    step = (x.max(-1) + low) / q_max
    d, dmin = (_f16(v.max(-1, keepdims=True) / s_max) for v in (step, low))
    d32, dmin32 = d.astype(np.float32), dmin.astype(np.float32)
    scale, least = (np.clip(np.rint(_over(v, by + 0 * v)), 0, s_max) for v, by in ((step, d32), (low, dmin32)))
    unit = (d32 * scale)[..., None]
    q = np.clip(np.rint(_over(x + (dmin32 * least)[..., None], unit + 0 * x)), 0, q_max)
    return d, dmin, scale.astype(np.uint8), least.astype(np.uint8), q.astype(np.uint8).reshape(len(x), -1)


def _signed_scales(x: np.ndarray, size: int, lowest: float, s_max: int):
    """d and signed scales so that each sub-block's largest value falls on the lowest level."""
    x = x.reshape(len(x), -1, size)
    far = np.take_along_axis(x, np.abs(x).argmax(-1)[..., None], -1)[..., 0] / lowest
    d = _f16(np.abs(far).max(-1, keepdims=True) / s_max)
    scale = np.clip(np.rint(_over(far, d.astype(np.float32) + 0 * far)), -s_max, s_max)
    return x, d, scale, (d.astype(np.float32) * scale)[..., None]


def _levels(x, unit):
    wanted = _over(x, unit + 0 * x)
    return np.abs(wanted[..., None] - LEVELS).argmin(-1).astype(np.uint8).reshape(len(x), -1)


def _planes(q: np.ndarray, width: int, run: int) -> np.ndarray:
    """8 / width values of `width` bits to a byte: the first `run` values in the low bits, the next above them, ..."""
    q = q.reshape(len(q), -1, 8 // width, run)
    shifts = (np.arange(8 // width, dtype=np.uint8) * width)[:, None]
    return np.bitwise_or.reduce(q << shifts, axis=2).reshape(len(q), -1)


def _six_bit_pairs(scale: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Eight scales and eight minimums of six bits in twelve bytes (Q4_K, Q5_K)."""
    head = np.concatenate([scale[:, :4] | (scale[:, 4:] >> 4) << 6, least[:, :4] | (least[:, 4:] >> 4) << 6], axis=1)
    return np.concatenate([head, (scale[:, 4:] & 15) | (least[:, 4:] & 15) << 4], axis=1)


def q2_k(x):
    d, dmin, scale, least, q = _affine(x, 16, 3, 15)
    return [scale | least << 4, _planes(q, 2, 32), _bytes(d), _bytes(dmin)]


def q3_k(x):
    x, d, scale, unit = _signed_scales(x, 16, -4.0, 31)
    q = (np.clip(np.rint(_over(x, unit + 0 * x)), -4, 3) + 4).astype(np.uint8).reshape(len(x), -1)
    s = (scale + 32).astype(np.uint8)
    scales = np.concatenate([_planes(s & 15, 4, 8), _planes(s >> 4, 2, 4)], axis=1)
    return [_planes(q >> 2, 1, 32), _planes(q & 3, 2, 32), scales, _bytes(d)]


def q4_k(x):
    d, dmin, scale, least, q = _affine(x, 32, 15, 63)
    return [_bytes(d), _bytes(dmin), _six_bit_pairs(scale, least), _planes(q, 4, 32)]


def q5_k(x):
    d, dmin, scale, least, q = _affine(x, 32, 31, 63)
    return [_bytes(d), _bytes(dmin), _six_bit_pairs(scale, least), _planes(q >> 4, 1, 32), _planes(q & 15, 4, 32)]


def q6_k(x):
    x, d, scale, unit = _signed_scales(x, 16, -32.0, 127)
    q = (np.clip(np.rint(_over(x, unit + 0 * x)), -32, 31) + 32).astype(np.uint8).reshape(len(x), -1)
    return [_planes(q & 15, 4, 64), _planes(q >> 4, 2, 32), _bytes(scale.astype(np.int8)), _bytes(d)]


def iq4_nl(x):
    x, _, _, unit = _signed_scales(x, 32, float(LEVELS[0]), 1)
    d = _f16(unit[:, 0])
    return [_bytes(d), _planes(_levels(x, d.astype(np.float32)[:, None]), 4, 16)]


def iq4_xs(x):
    x, d, scale, unit = _signed_scales(x, 32, float(LEVELS[0]), 31)
    s = (scale + 32).astype(np.uint8)
    high = np.bitwise_or.reduce((s >> 4).astype("<u2") << (2 * np.arange(8, dtype="<u2")), axis=1)[:, None]
    return [_bytes(d), _bytes(high), _planes(s & 15, 4, 1), _planes(_levels(x, unit), 4, 16)]


def q1_0(x):
    return [_bytes(_f16(np.abs(x).mean(-1, keepdims=True))), _planes((x >= 0).astype(np.uint8), 1, 1)]


def q2_0(x):
    d = _f16(np.abs(x).max(-1, keepdims=True) / 1.8)
    q = np.clip(np.rint(_over(x, d.astype(np.float32) + 0 * x)), -1, 2) + 1
    return [_bytes(d), _planes(q.astype(np.uint8), 2, 1)]


def _grid(x, kind, size: int, factor: float, even: bool):
    """d, scales of four bits for `size` columns each, indices, and signs as bytes, of a type with a grid."""
    kind.init_grid()
    grid = kind.grid.reshape(kind.grid_shape)
    n = grid.shape[1]
    unit = np.abs(x).reshape(len(x), -1, size).max(-1) / grid.max()
    d = _f16(unit.max(-1, keepdims=True) / (15.5 * factor))
    d32 = d.astype(np.float32)
    scale = np.clip(np.rint(_over(unit, d32 * factor + 0 * unit) - 0.5), 0, 15).astype(np.uint8)
    step = np.repeat(d32 * factor * (scale + 0.5), size, axis=1)
    wanted = _over(np.abs(x), step).reshape(-1, n)
    # Nearest in squares: |g|^2 - 2 g.w, as |w|^2 is the same for all.
    index = ((grid**2).sum(-1) - 2 * wanted @ grid.T).argmin(-1).reshape(len(x), -1)
    negative = (x < 0).astype(np.uint8).reshape(len(x), -1, 8)
    if even:
        least = np.abs(x).reshape(negative.shape).argmin(-1)[..., None]
        flipped = np.take_along_axis(negative, least, -1) ^ (negative.sum(-1, keepdims=True) & 1)
        np.put_along_axis(negative, least, flipped.astype(np.uint8), -1)
    return d, scale, index, _planes(negative.reshape(len(x), -1), 1, 1)


def _sevens(signs, scale):
    """A word for four times seven signs, with the scale above them."""
    seven = (signs & 127).astype("<u4").reshape(len(signs), -1, 4) << (7 * np.arange(4, dtype="<u4"))
    return np.bitwise_or.reduce(seven, axis=-1) | scale.astype("<u4") << 28


def iq2_xxs(x):
    d, scale, index, signs = _grid(x, gguf_types.IQ2_XXS, 32, 0.25, True)
    words = np.ascontiguousarray(index.astype(np.uint8)).view("<u4")
    return [_bytes(d), _bytes(np.stack([words, _sevens(signs, scale)], axis=-1))]


def iq2_xs(x):
    d, scale, index, signs = _grid(x, gguf_types.IQ2_XS, 16, 0.25, True)
    return [_bytes(d), _bytes(index.astype("<u2") | (signs & 127).astype("<u2") << 9), _planes(scale, 4, 1)]


def iq2_s(x):
    d, scale, index, signs = _grid(x, gguf_types.IQ2_S, 16, 0.25, False)
    return [_bytes(d), index.astype(np.uint8), signs, _planes((index >> 8).astype(np.uint8), 2, 1), _planes(scale, 4, 1)]


def iq3_xxs(x):
    d, scale, index, signs = _grid(x, gguf_types.IQ3_XXS, 32, 0.5, True)
    return [_bytes(d), index.astype(np.uint8), _bytes(_sevens(signs, scale))]


def iq3_s(x):
    d, scale, index, signs = _grid(x, gguf_types.IQ3_S, 32, 2.0, False)
    return [_bytes(d), index.astype(np.uint8), _planes((index >> 8).astype(np.uint8), 1, 1), signs, _planes(scale, 4, 1)]


def _ternary(x, size: int, moved: int):
    """d, scales of three bits for `size` columns each, indices, and whether `moved` columns each are moved down."""
    kind = gguf_types.IQ1_S
    kind.init_grid()
    grid = kind.grid.reshape(kind.grid_shape)
    # The best step for normally distributed values.
    unit = 1.2 * np.sqrt((x.reshape(len(x), -1, size) ** 2).mean(-1))
    d = _f16(unit.max(-1, keepdims=True) / 15)
    d32 = d.astype(np.float32)
    scale = np.clip(np.rint((_over(unit, d32 + 0 * unit) - 1) / 2), 0, 7).astype(np.uint8)
    step = np.repeat(d32 * (2 * scale.astype(np.float32) + 1), size, axis=1)
    tried = []
    for delta in (kind.delta, -kind.delta):
        wanted = (_over(x, step) - delta).reshape(-1, 8)
        index = ((grid**2).sum(-1) - 2 * wanted @ grid.T).argmin(-1)
        error = (((grid[index] - wanted) * step.reshape(-1, 8)) ** 2).sum(-1)
        tried.append((index.reshape(len(x), -1), error.reshape(len(x), -1, moved // 8).sum(-1)))
    down = (tried[1][1] < tried[0][1]).astype(np.uint8)
    index = np.where(np.repeat(down, moved // 8, axis=1) == 1, tried[1][0], tried[0][0])
    return d, scale, index, down


def iq1_s(x):
    d, scale, index, down = _ternary(x, 32, 32)
    upper = ((index >> 8).astype("<u2").reshape(len(x), -1, 4) << np.arange(0, 12, 3, dtype="<u2")).sum(-1, dtype="<u2")
    words = upper | scale.astype("<u2") << 12 | down.astype("<u2") << 15
    return [_bytes(d), index.astype(np.uint8), _bytes(words)]


def iq1_m(x):
    d, scale, index, down = _ternary(x, 16, 8)
    nibbles = (index >> 8).astype(np.uint8) | down << 3
    words = (scale.astype("<u2").reshape(len(x), -1, 4) << np.arange(0, 12, 3, dtype="<u2")).sum(-1, dtype="<u2")
    words |= (d.view("<u2") >> np.arange(0, 16, 4, dtype="<u2") & 15) << 12
    return [index.astype(np.uint8), _planes(nibbles, 4, 1), _bytes(words)]


def nvfp4(x):
    parts = x.reshape(len(x), 4, 16)
    scale = gguf_types.NVFP4.fp32_to_ue4m3(np.abs(parts).max(-1) / 6)
    levels = np.array(gguf_types.NVFP4.kvalues, dtype=np.float32)
    unit = gguf_types.NVFP4.ue4m3_to_fp32(scale).astype(np.float32)[..., None]
    q = np.abs(_over(parts, unit + 0 * parts)[..., None] - levels).argmin(-1).astype(np.uint8)
    return [scale, _planes(q.reshape(len(x), -1), 4, 8)]


WRITERS = {T.Q2_K: (q2_k, 256), T.Q3_K: (q3_k, 256), T.Q4_K: (q4_k, 256), T.Q5_K: (q5_k, 256), T.Q6_K: (q6_k, 256),
           T.IQ4_XS: (iq4_xs, 256), T.IQ4_NL: (iq4_nl, 32), T.Q1_0: (q1_0, 128), T.Q2_0: (q2_0, 64), T.PQ2_0: (q2_0, 128),
           T.IQ2_XXS: (iq2_xxs, 256), T.IQ2_XS: (iq2_xs, 256), T.IQ2_S: (iq2_s, 256), T.IQ3_XXS: (iq3_xxs, 256),
           T.IQ3_S: (iq3_s, 256), T.IQ1_S: (iq1_s, 256), T.IQ1_M: (iq1_m, 256),
           T.NVFP4: (nvfp4, 64)}
# Root mean square of the error over that of normally distributed values: no block is written wrong way round.
ERRORS = {T.Q2_K: 0.35, T.Q3_K: 0.25, T.Q4_K: 0.1, T.Q5_K: 0.05, T.Q6_K: 0.03, T.IQ4_XS: 0.15, T.IQ4_NL: 0.15,
          T.Q1_0: 0.65, T.Q2_0: 0.6, T.PQ2_0: 0.6, T.IQ2_XXS: 0.5, T.IQ2_XS: 0.45, T.IQ2_S: 0.4, T.IQ3_XXS: 0.3, T.IQ3_S: 0.25,
          T.IQ1_S: 0.55, T.IQ1_M: 0.55, T.NVFP4: 0.15}


def quantize(values: np.ndarray, qtype: T) -> np.ndarray:
    """gguf-py's quantize, for these types too: bytes of each row."""
    if qtype not in WRITERS:
        return gguf_quantize(values, qtype)
    write, size = WRITERS[qtype]
    assert values.shape[-1] % size == 0
    blocks = np.concatenate(write(values.astype(np.float32).reshape(-1, size)), axis=1)
    data = blocks.reshape(*values.shape[:-1], -1)
    error = dequantize(data, qtype) - values
    assert np.sqrt((error**2).mean()) < ERRORS[qtype] * np.sqrt((values**2).mean()), qtype
    return data
