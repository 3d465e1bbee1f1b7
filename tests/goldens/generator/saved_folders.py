"""Hugging Face folders of further families, as transformers' save_pretrained writes them or as the hub has them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import torch
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig

import fp8
import hf_families
import hf_llama
import mxfp4
from family_specs import Family

BYTE_LEVEL_ENDS = {"bos_token_id": 1, "eos_token_id": 2}
GEMMA_ENDS = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}
GEMMA_GENERATION = {"bos_token_id": 2, "eos_token_id": [1, 6], "pad_token_id": 0, "do_sample": True}
SMALL_ATTENTION = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
FEW_EXPERTS = {"num_experts": 4, "moe_intermediate_size": 16}
YARN = {"rope_type": "yarn", "rope_theta": 1000000.0, "factor": 4.0, "original_max_position_embeddings": 64}


@dataclass(frozen=True)
class Saved:
    family: str
    dtype: torch.dtype
    tokenizer: str
    # Over those of the family's GGUF file.
    args: dict
    generation: dict = field(default_factory=dict)
    # From transformers 5's config.json to one as on the hub before it.
    before_5: Callable | None = None
    # As in Family.
    seed: int | None = None
    # From transformers 5's tensors to those of a folder as on the hub.
    tensors_before_5: Callable | None = None
    # What becomes of the weights that were drawn.
    weights: Callable = lambda weights: weights


def plain(config: dict) -> dict:
    """One rotation for all layers: rope_theta and rope_scaling, torch_dtype, no keys that say nothing."""
    config.pop("layer_types", None)
    rope = dict(config.pop("rope_parameters"))
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.51.3"
    return {k: v for k, v in config.items() if v is not None or k not in ("pad_token_id", "head_dim")}


def flat(config: dict) -> dict:
    """As Qwen/Qwen2-VL-2B-Instruct's: the text model's settings beside the others, and another name of its rotation."""
    text = config.pop("text_config")
    sections = text["rope_parameters"]["mrope_section"]
    return plain(text) | config | {"rope_scaling": {"type": "mrope", "mrope_section": sections}}


def untold(config: dict) -> dict:
    """As CohereForAI/c4ai-command-r7b-12-2024's: a period for the layers that slide, a tied head goes without saying."""
    del config["layer_types"], config["tie_word_embeddings"]
    return plain(config) | {"sliding_window_pattern": 4, "rotary_pct": 1.0, "order_of_interleaved_layers": "local_attn_first"}


def exaone4(config: dict) -> dict:
    """As LGAI-EXAONE/EXAONE-4.0-32B's."""
    types = config["layer_types"]
    return plain(config) | {"layer_types": types, "sliding_window_pattern": "LLLG"}


def gemma2(config: dict) -> dict:
    """Tied and which layers slide go without saying."""
    config = plain(config)
    for key in ("tie_word_embeddings", "use_bidirectional_attention", "rope_scaling"):
        del config[key]
    return config | {"hidden_act": config["hidden_activation"], "cache_implementation": "hybrid"}


def gemma4(config: dict) -> dict:
    """As google/gemma-4-E2B-it's and 26B-A4B-it's: one width and one number of key heads for all layers that do not slide."""
    layers = [dict(layer) for layer in config.pop("per_layer_config").values()]
    del config["allow_global_per_layer_attribute_access"]
    assert all(layer == layers[0] and set(layer) <= {"head_dim", "num_key_value_heads"} for layer in layers), layers
    return config | {"global_head_dim": layers[0]["head_dim"], "num_global_key_value_heads": layers[0].get("num_key_value_heads")}


def phi3(config: dict) -> dict:
    """As Phi-4-mini's: `type`, and two of the rotation's numbers are at the top."""
    config = plain(config)
    rope = config["rope_scaling"]
    del rope["original_max_position_embeddings"]
    config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    rope["type"] = rope.pop("rope_type")
    return config | {"attention_bias": False, "full_attn_mod": 1, "interpolate_factor": 1, "lm_head_bias": False}


def granite_hybrid(config: dict) -> dict:
    """As ibm-granite/granite-4.0-h-350m's: other names of the kinds of layers."""
    kinds = {"linear_attention": "mamba", "full_attention": "attention"}
    types = [kinds[kind] for kind in config["layer_types"]]
    return plain(config) | {"layer_types": types}


def nemotron_h(config: dict) -> dict:
    """As nvidia/NVIDIA-Nemotron-Nano-9B-v2's: a letter for each layer."""
    letters = {"linear_attention": "M", "full_attention": "*", "mlp": "-", "moe": "E"}
    types = config.pop("layers_block_type", None) or config.pop("layer_types")
    config.pop("layer_types", None)
    return config | {"hybrid_override_pattern": "".join(letters[kind] for kind in types)}


def apertus(config: dict) -> dict:
    """As swiss-ai/Apertus-8B-2509's, whose modelling code had more choices."""
    return plain(config) | {"mlp_bias": False, "post_norm": False, "qk_norm": True}


def phi2(config: dict) -> dict:
    """As microsoft/phi-2's: the rotated share at the top."""
    rotated = config["rope_parameters"]["partial_rotary_factor"]
    return plain(config) | {"partial_rotary_factor": rotated}


def gpt2(config: dict) -> dict:
    """As openai-community/gpt2's: no width of the feed-forward block, the context twice."""
    del config["n_inner"]
    config["torch_dtype"] = config.pop("dtype")
    return config | BYTE_LEVEL_ENDS | {"n_ctx": config["n_positions"], "transformers_version": "4.11.0"}


def gpt2_tensors(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """No prefix, and the causal mask of each layer as a buffer of floats."""
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    n_ctx = len(tensors["wpe.weight"])
    mask = torch.ones(n_ctx, n_ctx).tril()[None, None]
    return tensors | {name.replace("ln_1.weight", "attn.bias"): mask.clone() for name in tensors if name.endswith("ln_1.weight")}


def gpt_oss(config: dict) -> dict:
    """As openai/gpt-oss-20b's."""
    types = config["layer_types"]
    config = plain(config) | {"layer_types": types, "quantization_config": {
        "quant_method": "mxfp4",
        "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]}}
    return config | {"experts_per_token": config["num_experts_per_tok"], "initial_context_length": 512, "swiglu_limit": 7.0}


def seeing(model_type: str, vision: dict) -> Callable:
    """As models on the hub that see too: what is the text's under `text_config`, without what is transformers' default."""

    def before_5(config: dict) -> dict:
        text = {key: value for key, value in config.items() if key not in ("architectures", "transformers_version")}
        return {
            "architectures": [f"{model_type.capitalize()}ForConditionalGeneration"], "model_type": model_type,
            "text_config": text, "vision_config": vision, "tie_word_embeddings": config["tie_word_embeddings"],
            "dtype": text.pop("dtype"), "transformers_version": config["transformers_version"],
        }

    return before_5


def seeing_tensors(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A prefix, and something to see with, under names that are almost those of the text's."""
    eyes = {
        "vision_tower.transformer.layers.0.attention.q_proj.weight": torch.zeros(16, 16),
        "multi_modal_projector.norm.weight": torch.zeros(16),
    }
    return {f"language_model.{name}": tensor for name, tensor in tensors.items()} | eyes


def in_one(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The experts of a layer in two tensors, as in Qwen/Qwen3.5-35B-A3B."""
    experts, rest = {}, {}
    for name, tensor in tensors.items():
        layer, _, part = name.partition(".mlp.experts.")
        if part:
            expert, part, _ = part.split(".")
            experts.setdefault(layer, {})[int(expert), part] = tensor
        else:
            rest[name] = tensor
    for layer, parts in experts.items():
        n = 1 + max(expert for expert, _ in parts)
        gate_up = [torch.cat([parts[i, "gate_proj"], parts[i, "up_proj"]]) for i in range(n)]
        rest[f"{layer}.mlp.experts.gate_up_proj"] = torch.stack(gate_up)
        rest[f"{layer}.mlp.experts.down_proj"] = torch.stack([parts[i, "down_proj"] for i in range(n)])
    return rest


EYES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 28,
        "patch_size": 14}

FOLDERS = {
    "gemma2": Saved(
        "gemma2", torch.bfloat16, "gemma2", GEMMA_ENDS | dict(num_hidden_layers=2, query_pre_attn_scalar=48),
        GEMMA_GENERATION, gemma2),
    "gemma3": Saved(
        "gemma3", torch.bfloat16, "gemma3",
        GEMMA_ENDS | SMALL_ATTENTION | dict(intermediate_size=64, query_pre_attn_scalar=24),
        GEMMA_GENERATION | {"top_k": 64, "top_p": 0.95}),
    "gemma4": Saved(
        "gemma4_small", torch.bfloat16, "gemma3",
        GEMMA_ENDS | dict(num_hidden_layers=4, layer_types=["sliding_attention", "full_attention"] * 2, intermediate_size=32,
                          num_attention_heads=2, num_kv_shared_layers=2),
        GEMMA_GENERATION | {"top_k": 64, "top_p": 0.95}, gemma4),
    "gemma4_moe": Saved(
        "gemma4_moe", torch.bfloat16, "gemma3",
        GEMMA_ENDS | dict(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"], intermediate_size=64,
                          num_experts=4, moe_intermediate_size=32),
        GEMMA_GENERATION | {"top_k": 64, "top_p": 0.95}, gemma4),
    "phi3": Saved(
        "phi3", torch.bfloat16, "qwen2", BYTE_LEVEL_ENDS | dict(pad_token_id=2, sliding_window=262144),
        {"eos_token_id": [2, 0]}, phi3),
    "olmo2": Saved("olmo2", torch.bfloat16, "llama3", BYTE_LEVEL_ENDS),
    "granite": Saved("granite", torch.float16, "smollm", BYTE_LEVEL_ENDS, {}, plain),
    "ministral3": Saved("ministral3", torch.bfloat16, "llama3", BYTE_LEVEL_ENDS),
    # The text's part of what sees.
    "mistral3": Saved(
        "ministral3", torch.bfloat16, "llama3", BYTE_LEVEL_ENDS | dict(intermediate_size=64), {},
        seeing("mistral3", EYES | {"model_type": "pixtral", "head_dim": 16}), tensors_before_5=seeing_tensors),
    "gemma3_seeing": Saved(
        "gemma3", torch.bfloat16, "gemma3",
        GEMMA_ENDS | SMALL_ATTENTION | dict(intermediate_size=32, query_pre_attn_scalar=24), GEMMA_GENERATION,
        seeing("gemma3", EYES | {"model_type": "siglip_vision_model"}), tensors_before_5=seeing_tensors),
    "smollm3": Saved(
        "smollm3", torch.bfloat16, "llama3", BYTE_LEVEL_ENDS | dict(intermediate_size=64),
        {"do_sample": True, "temperature": 0.6, "top_p": 0.95}),
    "mixtral": Saved("mixtral", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=32), {}, plain),
    "qwen3moe": Saved(
        "qwen3moe", torch.float16, "qwen2", BYTE_LEVEL_ENDS | SMALL_ATTENTION | dict(num_experts=6),
        {"eos_token_id": [2, 0], "do_sample": True, "top_k": 20}, seed=8424),
    "qwen2_yarn": Saved(
        "qwen2", torch.float16, "qwen2",
        BYTE_LEVEL_ENDS | dict(intermediate_size=96, rope_parameters=YARN, tie_word_embeddings=False),
        {"eos_token_id": [2, 0], "do_sample": True, "top_k": 20}, plain),
    "lfm2": Saved("lfm2", torch.bfloat16, "llama3", BYTE_LEVEL_ENDS),
    "lfm3": Saved("lfm3", torch.bfloat16, "llama3", BYTE_LEVEL_ENDS),
    "mellum": Saved("mellum", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | FEW_EXPERTS | SMALL_ATTENTION),
    # Value heads in transformers' order, and parameters that are no weights of a module.
    "qwen35": Saved(
        "qwen35", torch.bfloat16, "qwen2", BYTE_LEVEL_ENDS | SMALL_ATTENTION | dict(intermediate_size=64),
        {"eos_token_id": [2, 0], "do_sample": True, "top_k": 20}),
    # The bias of the choice is a buffer.
    "lfm2moe": Saved(
        "lfm2moe", torch.bfloat16, "llama3",
        BYTE_LEVEL_ENDS | FEW_EXPERTS | dict(
            num_hidden_layers=2, layer_types=["conv", "full_attention"], num_experts_per_tok=2, intermediate_size=64)),
    # As on the hub, gate and up of all experts in one tensor.
    "qwen35moe": Saved(
        "qwen35moe", torch.bfloat16, "qwen2",
        BYTE_LEVEL_ENDS | SMALL_ATTENTION | FEW_EXPERTS | dict(shared_expert_intermediate_size=32),
        {"eos_token_id": [2, 0], "do_sample": True, "top_k": 20}, tensors_before_5=in_one),
    "olmoe": Saved("olmoe", torch.bfloat16, "llama3", BYTE_LEVEL_ENDS | dict(num_experts=4, intermediate_size=16), {}, plain),
    "qwen2moe": Saved(
        "qwen2moe", torch.bfloat16, "qwen2", BYTE_LEVEL_ENDS | FEW_EXPERTS | dict(shared_expert_intermediate_size=32),
        {"eos_token_id": [2, 0]}, plain),
    "ernie4_5_moe": Saved(
        "ernie4_5_moe", torch.bfloat16, "smollm",
        BYTE_LEVEL_ENDS | dict(num_hidden_layers=2, moe_layer_start_index=1, moe_layer_interval=1, moe_num_experts=4,
                               moe_intermediate_size=16, intermediate_size=64)),
    "granitemoe": Saved(
        "granitemoe", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | dict(num_local_experts=4, intermediate_size=16), {}, plain),
    "olmo3": Saved("olmo3", torch.bfloat16, "llama3", BYTE_LEVEL_ENDS | dict(intermediate_size=64, num_hidden_layers=3)),
    "exaone4": Saved(
        "exaone4", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=64), {}, exaone4),
    "cohere2": Saved("cohere2", torch.float16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=64), {}, untold),
    "ernie4_5": Saved("ernie4_5", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=64)),
    "hunyuan_dense": Saved("hunyuan_dense", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=64), {}, plain),
    "glm4": Saved("glm4", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | SMALL_ATTENTION | dict(intermediate_size=64)),
    "stablelm": Saved("stablelm", torch.float16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=64)),
    # A tensor for each head's norm.
    "stablelm_12b": Saved("stablelm_12b", torch.float16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=64)),
    "nemotron_h": Saved("nemotron_h", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=64), {}, nemotron_h),
    "qwen3vl": Saved("qwen3vl", torch.bfloat16, "qwen2", BYTE_LEVEL_ENDS | SMALL_ATTENTION | dict(intermediate_size=32)),
    "qwen2vl": Saved("qwen2vl", torch.bfloat16, "qwen2", BYTE_LEVEL_ENDS | dict(intermediate_size=32), {}, flat),
    "granite_swa": Saved("granite_swa", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=64)),
    # Norms of two groups, and rotation, as in Granite 4 without an H.
    "granite_hybrid": Saved(
        "granite_hybrid", torch.bfloat16, "smollm",
        BYTE_LEVEL_ENDS | dict(intermediate_size=64, shared_intermediate_size=96, position_embedding_type="rope", mamba_n_groups=2,
                                num_hidden_layers=2, layer_types=["full_attention", "linear_attention"]),
        {}, granite_hybrid),
    # As the hub has Tiny and Small: experts in tensors of their own names beside the block that all tokens take.
    "granite_hybrid_moe": Saved(
        "granite_hybrid_moe", torch.bfloat16, "smollm",
        BYTE_LEVEL_ENDS | dict(intermediate_size=16, shared_intermediate_size=32, num_local_experts=4, num_experts_per_tok=2),
        {}, granite_hybrid),
    # Every factor, of which the embedding has two, and a norm of the scan.
    "falcon_h1": Saved(
        "falcon_h1", torch.bfloat16, "smollm",
        BYTE_LEVEL_ENDS | dict(
            intermediate_size=64, tie_word_embeddings=True, mamba_rms_norm=True, mamba_norm_before_gate=False,
            embedding_multiplier=0.25, lm_head_multiplier=0.6, key_multiplier=0.7, attention_in_multiplier=1.2,
            attention_out_multiplier=0.9, ssm_in_multiplier=1.25, ssm_out_multiplier=0.7,
            ssm_multipliers=[1.35, 0.8, 0.7, 1.5, 0.6], mlp_multipliers=[0.8, 1.6])),
    # As swiss-ai/Apertus-8B-2509: parameters of the activation, two of which have no dimensions.
    "apertus": Saved("apertus", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=64), {}, apertus),
    # As on the hub: one tensor makes keys and values of all heads.
    "glm4_moe_lite": Saved(
        "glm4_moe_lite", torch.bfloat16, "smollm",
        BYTE_LEVEL_ENDS | dict(n_routed_experts=4, moe_intermediate_size=16, intermediate_size=64)),
    "deepseek_v2": Saved(
        "deepseek_v2", torch.bfloat16, "llama3",
        BYTE_LEVEL_ENDS | dict(n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, intermediate_size=64), {}, plain),
    "youtu": Saved("youtu", torch.float16, "llama3", BYTE_LEVEL_ENDS | dict(intermediate_size=64)),
    # As the hub has Nemotron 3 Nano: each expert has tensors of its own.
    "nemotron_h_moe": Saved(
        "nemotron_h_moe", torch.bfloat16, "smollm",
        BYTE_LEVEL_ENDS | dict(intermediate_size=64, moe_intermediate_size=16, moe_shared_expert_intermediate_size=32)),
    "phi2": Saved(
        "phi2", torch.float16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=96), {}, phi2),
    "gpt2": Saved("gpt2", torch.float32, "smollm", {}, {}, gpt2, tensors_before_5=gpt2_tensors),
    # Its experts in floats, as transformers writes what it has dequantised, and in MXFP4, as the hub has them.
    "gpt_oss": Saved(
        "gpt_oss", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS | dict(intermediate_size=32), {"eos_token_id": [2, 0]}),
    "gpt_oss_mxfp4": Saved(
        "gpt_oss", torch.bfloat16, "smollm", BYTE_LEVEL_ENDS, {"eos_token_id": [2, 0], "do_sample": True},
        gpt_oss, tensors_before_5=mxfp4.packed, weights=mxfp4.rounded),
    # As Qwen/Qwen3-0.6B-FP8, with smaller blocks.
    "qwen3_fp8": Saved(
        "qwen3", torch.bfloat16, "qwen2", BYTE_LEVEL_ENDS | dict(intermediate_size=80, head_dim=32),
        {"eos_token_id": [2, 0]}, fp8.told(fp8.BLOCKS), tensors_before_5=fp8.packed(fp8.BLOCKS), weights=fp8.rounded(fp8.BLOCKS)),
    # As compressed-tensors writes them: a scale for each row, and one for the input.
    "llama3_fp8": Saved(
        "llama3", torch.bfloat16, "llama3", BYTE_LEVEL_ENDS | dict(intermediate_size=96),
        {"eos_token_id": [2, 0]}, fp8.told(fp8.CHANNELS), tensors_before_5=fp8.packed(fp8.CHANNELS), weights=fp8.rounded(fp8.CHANNELS)),
}


def ends(spec: Saved) -> frozenset[int]:
    """What an engine may stop at: the ids in GEMMA_GENERATION, or <|endoftext|> and <|im_end|>."""
    return frozenset([1, 6] if spec.tokenizer.startswith("gemma") else [0, 2])


def write(folder: Path, spec: Saved, family: Family, weights: dict[str, torch.Tensor], load: Callable):
    config = family.make_config()
    model = hf_families.new_model(config)
    left = model.load_state_dict(weights, strict=False)
    missing = [name for name in left.missing_keys if ".visual." not in name]
    assert not left.unexpected_keys and missing == ["lm_head.weight"] * config.tie_word_embeddings, left
    ids = list(range(0, 300, 7))
    before = hf_llama.logits(model, ids)
    model.generation_config = GenerationConfig(**BYTE_LEVEL_ENDS | spec.generation)
    model.to(spec.dtype).save_pretrained(folder)
    if spec.before_5:
        path = folder / "config.json"
        config = spec.before_5(json.loads(path.read_text()))
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="ascii")
    if spec.tensors_before_5:
        path = folder / "model.safetensors"
        save_file(spec.tensors_before_5(load_file(path)), path, metadata={"format": "pt"})
    # Nothing is lost on the way: names, rounding, what the config says.
    assert (hf_llama.logits(load(folder), ids) == before).all(), folder
