"""Weights in E4M3 with scales, as DeepSeek's and Qwen's folders have them, and as compressed-tensors writes them."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.integrations.finegrained_fp8 import Fp8Dequantize

# Real blocks are larger than the matrices here. These leave a part of a block in rows and in columns.
BLOCK = (64, 32)


@dataclass(frozen=True)
class Scheme:
    quantization_config: dict
    # End of the scales' names, after the weight's.
    end: str
    # Rows and columns of a block; -1 for all columns.
    block: tuple[int, int]
    # End of the names of what others quantise inputs with, if the weights come with it.
    of_input: str = ""


BLOCKS = Scheme(
    {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": list(BLOCK)}, "_scale_inv", BLOCK)
CHANNELS = Scheme(
    {
        "quant_method": "compressed-tensors", "format": "float-quantized", "quantization_status": "compressed", "ignore": ["lm_head"],
        "kv_cache_scheme": None, "sparsity_config": {}, "transform_config": {},
        "config_groups": {"group_0": {
            "targets": ["Linear"], "output_activations": None,
            "weights": {"num_bits": 8, "type": "float", "symmetric": True, "dynamic": False, "strategy": "channel"},
            "input_activations": {"num_bits": 8, "type": "float", "symmetric": True, "dynamic": False, "strategy": "tensor"}}},
    }, "_scale", (1, -1), ".input_scale")


def is_quantised(name: str) -> bool:
    return name.endswith("_proj.weight")


def grid(scheme: Scheme, shape) -> tuple[int, int, int, int]:
    """Rows and columns of the scales, and of a block."""
    rows, cols = (n if block < 0 else block for n, block in zip(shape, scheme.block))
    return -(-shape[0] // rows), -(-shape[1] // cols), rows, cols


def scales(scheme: Scheme, name: str, shape) -> torch.Tensor:
    """Drawn by the weight's name, each another one: large enough that no weight overflows."""
    rng = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    rows, cols, _, _ = grid(scheme, shape)
    return (0.004 + 0.016 * torch.rand(rows, cols, generator=rng)).to(torch.bfloat16)


def expanded(scheme: Scheme, scale: torch.Tensor, shape) -> torch.Tensor:
    _, _, rows, cols = grid(scheme, shape)
    whole = scale.float().repeat_interleave(rows, 0).repeat_interleave(cols, 1)
    return whole[: shape[0], : shape[1]]


def quantised(scheme: Scheme, name: str, weight: torch.Tensor) -> torch.Tensor:
    divided = weight.float() / expanded(scheme, scales(scheme, name, weight.shape), weight.shape)
    assert divided.abs().max() <= 448, (name, divided.abs().max())
    return divided.to(torch.float8_e4m3fn)


def dequantised(scheme: Scheme, bytes_: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Multiplied in float32, and rounded to the type that the folder names."""
    shape = bytes_.shape
    values = (bytes_.float() * expanded(scheme, scale, shape)).to(torch.bfloat16)
    rows, cols = grid(scheme, shape)[2:]
    if shape[0] % rows == 0 and shape[1] % cols == 0:
        # transformers takes the size of blocks from the number of scales, and so knows whole ones only.
        theirs = Fp8Dequantize(None)._dequantize_one(bytes_, scale, output_dtype=torch.bfloat16)
        assert (theirs == values).all()
    return values


def rounded(scheme: Scheme):
    """Weights that the scheme can say."""
    def of(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        def one(name, weight):
            return dequantised(scheme, quantised(scheme, name, weight), scales(scheme, name, weight.shape))
        return {name: one(name, weight) if is_quantised(name) else weight for name, weight in weights.items()}

    return of


def packed(scheme: Scheme):
    def of(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        made = {}
        for name, weight in tensors.items():
            if not is_quantised(name):
                made[name] = weight
                continue
            made[name] = quantised(scheme, name, weight)
            made[name + scheme.end] = scales(scheme, name, weight.shape)
            assert (dequantised(scheme, made[name], made[name + scheme.end]) == weight).all(), name
            if scheme.of_input:
                made[name.removesuffix(".weight") + scheme.of_input] = torch.tensor([0.5], dtype=torch.bfloat16)
        return made

    return of


def told(scheme: Scheme):
    def of(config: dict) -> dict:
        return config | {"quantization_config": scheme.quantization_config}

    return of


def load(folder: Path):
    """The model of a folder, from its bytes and scales, in float32; None if it has others."""
    config = json.loads((folder / "config.json").read_text())
    method = config.pop("quantization_config", {}).get("quant_method")
    scheme = next((s for s in (BLOCKS, CHANNELS) if s.quantization_config["quant_method"] == method), None)
    if not scheme:
        return None
    tensors = load_file(folder / "model.safetensors")
    weights = {}
    for name, tensor in tensors.items():
        if tensor.dtype == torch.float8_e4m3fn:
            weights[name] = dequantised(scheme, tensor, tensors[name + scheme.end]).float()
        elif not name.endswith((scheme.end, scheme.of_input or scheme.end)):
            weights[name] = tensor.float()
    config = AutoConfig.for_model(**config)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager")
    left = model.load_state_dict(weights, strict=False)
    assert not left.unexpected_keys and left.missing_keys == ["lm_head.weight"] * config.tie_word_embeddings, left
    model.tie_weights()
    return model.eval()
