"""One entry per family: transformers' configuration, the GGUF keys, the types of the tensors."""

import math
from dataclasses import dataclass, field
from typing import Callable

import gguf
import transformers as hf
from gguf import GGMLQuantizationType as T

import family_rope
import few_bits  # noqa: F401 (types that gguf-py does not know)

N_CTX = 256
COMMON = dict(
    vocab_size=320, hidden_size=64, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=2,
    max_position_embeddings=N_CTX, bos_token_id=None, eos_token_id=None, pad_token_id=None, tie_word_embeddings=False,
)
# Neighbours along the file differ, and over a few layers each projection meets several types.
MIXED = [T.Q8_0, T.Q4_0, T.F16, T.Q4_1, T.Q8_0, T.Q4_0, T.Q4_1, T.F32]
SMALL = [T.Q4_0, T.Q8_0, T.Q4_1, T.Q4_0, T.Q4_1, T.Q8_0, T.Q4_0, T.F16, T.Q4_1]


@dataclass(frozen=True)
class Family:
    name: str
    arch: str
    config: Callable
    args: dict
    # GGUFWriter.add_<key>(value) beyond the common ones; None for one that is not written.
    keys: dict = field(default_factory=dict)
    types: list = field(default_factory=lambda: MIXED)
    # By the tensor's name without block and suffix, where `types` does not decide.
    types_of: dict = field(default_factory=dict)
    # llama.cpp's converter reorders the rows of q and k for the architectures whose rotation takes neighbours.
    permutes: bool = False
    embedding_std: float = 1.0
    # Instead of family_weights.GAINS.
    gains: dict = field(default_factory=dict)
    tables: Callable = lambda config: {}
    file_type: gguf.LlamaFileType = gguf.LlamaFileType.MOSTLY_Q8_0
    # None: the first good one. Those of a mixture may be too rare for that (see golden.MIN_ROUTING_GAP).
    seed: int | None = None

    def make_config(self):
        return self.config(**(COMMON | self.args))


def theta(value: float) -> dict:
    return {"rope_type": "default", "rope_theta": value}


def loud(gain: float) -> dict:
    """Where the head is the embedding: quiet layers would only ever say the last token again."""
    return {"post_attention_norm": gain, "post_ffw_norm": gain}


def head(dim: int) -> dict:
    return {"key_length": dim, "value_length": dim}


def latent(rank: int, rotated: int, plain: int, value: int) -> dict:
    """Sizes of attention over latents, as transformers calls them."""
    return {"kv_lora_rank": rank, "qk_rope_head_dim": rotated, "qk_nope_head_dim": plain, "v_head_dim": value}


def latent_keys(rank: int, rotated: int, plain: int, value: int, query_rank: int | None = None) -> dict:
    """The same as llama.cpp's converter writes them: one head of keys, which is what is kept of a token."""
    return {
        "vocab_size": 320, "head_count_kv": 1, "q_lora_rank": query_rank, "kv_lora_rank": rank, "key_length": rank + rotated,
        "value_length": rank, "key_length_mla": plain + rotated, "value_length_mla": value, "rope_dimension_count": rotated}


# As DeepSeek-V2-Lite's: both growths are the same, so that lengths do not grow, and scores do.
LATENT_YARN = {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 0.707,
    "mscale_all_dim": 0.707, "original_max_position_embeddings": 32,
}
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128,
}


def phi3(name: str, original: int, longest: int, window: int | None) -> Family:
    """Phi-4-mini's rotation of the first three quarters of each head; long factors past `original` tokens."""
    pairs = 6
    rope = {
        "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75,
        "original_max_position_embeddings": original,
        "short_factor": [1.0 + 0.1 * i for i in range(pairs)], "long_factor": [1.0 + 0.75 * i for i in range(pairs)],
    }
    return Family(
        name, "phi3", hf.Phi3Config,
        dict(intermediate_size=96, rms_norm_eps=1e-5, max_position_embeddings=longest,
             original_max_position_embeddings=original, rope_parameters=rope, sliding_window=window),
        keys={"rope_scaling_orig_ctx_len": original,
              "rope_scaling_attn_factors": math.sqrt(1 + math.log(longest / original) / math.log(original)),
              "rope_dimension_count": 2 * pairs, "sliding_window": window or 0},
        tables=family_rope.longrope,
    )


def gemma4_config(**args) -> hf.Gemma4TextConfig:
    """Readable as a whole, though its layers differ."""
    config = hf.Gemma4TextConfig(**args)
    config.allow_global_per_layer_attribute_access = True
    return config


def gemma4(
    name: str, kinds: str, kv_heads: list[int], widths: list[int], shared: int, per_layer: int, cap: float, experts: int = 0, **args,
) -> Family:
    """`kinds`: s for a layer that slides, f for one that does not; the last `shared` read the caches of others."""
    of_experts = {}
    if experts:
        args |= dict(enable_moe_block=True, num_experts=experts, top_k_experts=2, moe_intermediate_size=32)
        of_experts = {"expert_count": experts, "expert_used_count": 2, "expert_feed_forward_length": 32}
    types = [{"s": "sliding_attention", "f": "full_attention"}[kind] for kind in kinds]
    return Family(
        name, "gemma4", gemma4_config,
        dict(num_hidden_layers=len(kinds), layer_types=types, intermediate_size=widths[0], num_kv_shared_layers=shared, head_dim=16,
             global_head_dim=32, sliding_window=16, rms_norm_eps=1e-6, tie_word_embeddings=True, final_logit_softcapping=cap,
             hidden_size_per_layer_input=per_layer, vocab_size_per_layer_input=320, num_key_value_heads=kv_heads[0], **args),
        keys=head(32) | {
            "key_length_swa": 16, "value_length_swa": 16, "rope_dimension_count": 32, "rope_dimension_count_swa": 16,
            "rope_freq_base_swa": 10000.0, "sliding_window": 16, "sliding_window_pattern": [kind == "s" for kind in kinds],
            "shared_kv_layers": shared, "head_count_kv": kv_heads, "feed_forward_length": widths,
            "embedding_length_per_layer_input": per_layer, "final_logit_softcapping": cap} | of_experts,
        # Scores are not scaled.
        types=SMALL, embedding_std=0.5, gains=loud(8.0) | {"post_norm": 4.0, "attn_q_norm": 0.2}, tables=family_rope.proportional,
    )


def mamba(heads: int, width: int, groups: int) -> dict:
    return dict(mamba_n_heads=heads, mamba_d_head=width, mamba_n_groups=groups, mamba_d_state=16, mamba_d_conv=4, mamba_chunk_size=16)


def mamba_keys(heads: int, width: int, groups: int) -> dict:
    return {"ssm_conv_kernel": 4, "ssm_state_size": 16, "ssm_group_count": groups, "ssm_time_step_rank": heads,
            "ssm_inner_size": heads * width}


# The scan of Nemotron-H by its own names.
NEMOTRON = dict(mamba_num_heads=8, mamba_head_dim=16, n_groups=2, ssm_state_size=16, conv_kernel=4, chunk_size=16)


def gpt2_config(hidden_size: int, max_position_embeddings: int, **_) -> hf.GPT2Config:
    return hf.GPT2Config(
        vocab_size=320, n_embd=hidden_size, n_positions=max_position_embeddings, n_layer=2, n_head=4, bos_token_id=None,
        eos_token_id=None)


def qwen3vl_config(**args) -> hf.Qwen3VLConfig:
    """With as little to see with as there can be."""
    vision = dict(depth=1, hidden_size=16, intermediate_size=16, num_heads=1, out_hidden_size=64, patch_size=2,
                  num_position_embeddings=4, deepstack_visual_indexes=[0])
    tied = args.pop("tie_word_embeddings")
    return hf.Qwen3VLConfig(text_config=args, vision_config=vision, tie_word_embeddings=tied)


def qwen2vl_config(**args) -> hf.Qwen2VLConfig:
    """With as little to see with as there can be."""
    vision = dict(depth=1, embed_dim=16, hidden_size=64, mlp_ratio=1, num_heads=1, patch_size=2)
    tied = args.pop("tie_word_embeddings")
    return hf.Qwen2VLConfig(text_config=args, vision_config=vision, tie_word_embeddings=tied)


# Granite's factors.
GRANITE = dict(attention_multiplier=0.35, embedding_multiplier=3.0, residual_multiplier=0.7, logits_scaling=0.3)
GRANITE_KEYS = {"attention_scale": 0.35, "embedding_scale": 3.0, "residual_scale": 0.7, "logit_scale": 0.3}
# The same without norms after the blocks.
LOUDER = {"attn_output": 4.0, "ffn_down": 6.0}
# Window layers and full ones that turn otherwise.
WINDOW = {"sliding_window": 16}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "beta_fast": 32.0, "beta_slow": 1.0,
        "original_max_position_embeddings": 32}

FAMILIES = [
    Family(
        "qwen2", "qwen2", hf.Qwen2Config,
        dict(intermediate_size=128, rms_norm_eps=1e-6, rope_parameters=theta(1e6), tie_word_embeddings=True),
        embedding_std=0.6,
    ),
    Family(
        "qwen3", "qwen3", hf.Qwen3Config,
        dict(intermediate_size=96, head_dim=32, rms_norm_eps=1e-6, rope_parameters=theta(1e6)),
        keys=head(32),
    ),
    Family(
        # What each norm sees has mean squares about as large as epsilon, so that a wrong one is noticed. No usual epsilon, so
        # that no default is right by chance. F32, so that nothing is rounded beside; few elements, as F32 is large.
        "qwen3_eps", "qwen3", hf.Qwen3Config,
        dict(hidden_size=32, intermediate_size=32, num_attention_heads=2, head_dim=16, rms_norm_eps=3e-5,
             rope_parameters=theta(1e6)),
        keys=head(16), types=[T.F32], embedding_std=0.006,
        gains={"attn_q": 0.008, "attn_k": 0.008, "attn_output": 0.006, "ffn_down": 0.006},
        file_type=gguf.LlamaFileType.ALL_F32,
    ),
    Family(
        "llama3", "llama", hf.LlamaConfig,
        dict(intermediate_size=128, head_dim=16, rms_norm_eps=1e-5, rope_parameters=LLAMA3_ROPE, tie_word_embeddings=True),
        keys=head(16) | {"vocab_size": 320, "rope_dimension_count": 16},
        permutes=True, embedding_std=0.6, tables=family_rope.llama3,
    ),
    Family(
        # The queries' growth far above the real one (0.1), so that it bites; positions are in all up to seven times 32.
        "ministral3", "mistral3", hf.Ministral3Config,
        dict(intermediate_size=128, head_dim=32, rms_norm_eps=1e-5, rope_parameters={
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0,
            "mscale_all_dim": 0.5, "llama_4_scaling_beta": 0.4, "original_max_position_embeddings": 32}),
        keys=head(32) | {
            "vocab_size": 320, "rope_dimension_count": 32, "rope_scaling_type": gguf.RopeScalingType.YARN,
            "rope_scaling_factor": 8.0, "rope_scaling_orig_ctx_len": 32, "rope_scaling_yarn_beta_fast": 32.0,
            "rope_scaling_yarn_beta_slow": 1.0, "rope_scaling_yarn_log_mul": 0.5, "attn_temperature_scale": 0.4},
        permutes=True,
    ),
    # Two about types rather than about an architecture: plain llama, each type in several places.
    Family(
        "llama_kquants", "llama", hf.LlamaConfig,
        dict(hidden_size=256, intermediate_size=512, num_attention_heads=8, head_dim=32, rms_norm_eps=1e-5,
             rope_parameters=theta(10000.0), tie_word_embeddings=True),
        keys=head(32) | {"vocab_size": 320, "rope_dimension_count": 32},
        types=[T.Q4_K, T.Q5_K, T.Q6_K, T.Q3_K, T.IQ4_XS, T.Q2_K], types_of={"token_embd": T.Q6_K},
        permutes=True, embedding_std=0.4, file_type=gguf.LlamaFileType.MOSTLY_Q4_K_M,
    ),
    Family(
        "llama_small_quants", "llama", hf.LlamaConfig,
        dict(intermediate_size=128, head_dim=16, rms_norm_eps=1e-5, rope_parameters=theta(10000.0)),
        keys=head(16) | {"vocab_size": 320, "rope_dimension_count": 16},
        types=[T.Q5_0, T.MXFP4, T.Q5_1, T.IQ4_NL, T.BF16],
        permutes=True, file_type=gguf.LlamaFileType.MOSTLY_Q5_0,
    ),
    Family(
        # What PrismML's Bonsai are in, and the mixes below Q3: a qwen3 as they are.
        "qwen3_few_bits", "qwen3", hf.Qwen3Config,
        dict(hidden_size=256, intermediate_size=256, head_dim=64, rms_norm_eps=1e-6, rope_parameters=theta(1e6)),
        keys=head(64),
        types=[T.IQ3_S, T.Q1_0, T.IQ2_XXS, T.Q2_0, T.IQ2_S, T.TQ1_0, T.IQ3_XXS, T.PQ2_0, T.IQ2_XS, T.TQ2_0],
        types_of={"token_embd": T.Q1_0, "output": T.IQ3_S}, embedding_std=0.4,
    ),
    Family(
        # What the smallest files of large models are in.
        "qwen3_one_bit", "qwen3", hf.Qwen3Config,
        dict(hidden_size=256, intermediate_size=256, head_dim=64, rms_norm_eps=1e-6, rope_parameters=theta(1e6)),
        keys=head(64), types=[T.IQ1_S, T.IQ1_M], types_of={"output": T.IQ1_S}, embedding_std=0.4,
    ),
    Family(
        # As NVIDIA's checkpoints become: a factor for each matrix, before its blocks or after them.
        "qwen3moe_nvfp4", "qwen3moe", hf.Qwen3MoeConfig,
        dict(intermediate_size=128, moe_intermediate_size=64, num_experts=4, num_experts_per_tok=2, norm_topk_prob=True,
             head_dim=32, rms_norm_eps=1e-6, rope_parameters=theta(1e6)),
        keys=head(32) | {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 64},
        types=[T.NVFP4], types_of={"token_embd": T.Q8_0},
    ),
    Family(
        # Six layers: the file does not say which slide, and the rule is five of six.
        "gemma3", "gemma3", hf.Gemma3TextConfig,
        dict(intermediate_size=96, num_hidden_layers=6, head_dim=32, query_pre_attn_scalar=32, sliding_window=16,
             rms_norm_eps=1e-6, tie_word_embeddings=True, rope_parameters={
                 "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                 "sliding_attention": theta(10000.0)}),
        keys=head(32) | {"rope_scaling_type": gguf.RopeScalingType.LINEAR, "rope_scaling_factor": 8.0,
                         "rope_freq_base_swa": 10000.0, "sliding_window": 16},
        types=SMALL, embedding_std=0.5, gains=loud(16.0),
    ),
    Family(
        # Caps far below the real ones (50 and 30), so that they bite.
        "gemma2", "gemma2", hf.Gemma2Config,
        dict(intermediate_size=96, num_hidden_layers=4, head_dim=32, query_pre_attn_scalar=32, sliding_window=16,
             rms_norm_eps=1e-6, tie_word_embeddings=True, rope_parameters=theta(10000.0), attn_logit_softcapping=5.0,
             final_logit_softcapping=20.0),
        keys=head(32) | {"rope_freq_base": None, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 20.0,
                         "sliding_window": 16},
        types=SMALL, embedding_std=0.5, gains=loud(24.0) | {"attn_q": 2.2, "attn_k": 2.2},
    ),
    # As E2B and E4B: embeddings by layer, layers without a cache, which are twice as wide.
    gemma4("gemma4_small", "sfsfssf", kv_heads=[1] * 7, widths=[64] * 4 + [128] * 3, shared=3, per_layer=32, cap=20.0,
           use_double_wide_mlp=True),
    # As 12B and 31B: values that are keys, fewer heads of them in the layers that do not slide.
    gemma4("gemma4_large", "ssfsf", kv_heads=[2, 2, 1, 2, 1], widths=[96] * 5, shared=0, per_layer=0, cap=30.0,
           attention_k_eq_v=True, num_global_key_value_heads=1),
    # As 26B-A4B: experts beside a dense block, each with norms of its own.
    gemma4("gemma4_moe", "ssf", kv_heads=[2, 2, 1], widths=[96] * 3, shared=0, per_layer=0, cap=30.0, experts=8,
           attention_k_eq_v=True, num_global_key_value_heads=1),
    phi3("phi3", original=16, longest=N_CTX, window=None),
    phi3("phi3_short", original=256, longest=1024, window=24),
    Family(
        "olmo2", "olmo2", hf.Olmo2Config,
        dict(intermediate_size=128, rms_norm_eps=1e-6, rope_parameters=theta(500000.0)),
    ),
    Family(
        "granite", "granite", hf.GraniteConfig,
        dict(intermediate_size=128, rms_norm_eps=1e-5, rope_parameters=theta(10000.0), tie_word_embeddings=True,
             attention_multiplier=0.35, embedding_multiplier=3.0, residual_multiplier=0.7, logits_scaling=0.3),
        keys={"vocab_size": 320, "rope_dimension_count": 16, "attention_scale": 0.35, "embedding_scale": 3.0,
              "residual_scale": 0.7, "logit_scale": 0.3},
        permutes=True, embedding_std=0.15,
    ),
    Family(
        "smollm3", "smollm3", hf.SmolLM3Config,
        dict(intermediate_size=96, num_hidden_layers=4, rms_norm_eps=1e-6, rope_parameters=theta(2e6),
             tie_word_embeddings=True),
        keys={"vocab_size": 320, "rope_dimension_count": 16},
        types=SMALL, permutes=True, embedding_std=0.6,
    ),
    Family(
        "qwen3moe", "qwen3moe", hf.Qwen3MoeConfig,
        dict(intermediate_size=96, moe_intermediate_size=32, num_experts=8, num_experts_per_tok=3, norm_topk_prob=True,
             head_dim=32, rms_norm_eps=1e-6, rope_parameters=theta(1e6)),
        keys=head(32) | {"expert_count": 8, "expert_used_count": 3, "expert_feed_forward_length": 32},
        types=SMALL,
    ),
    Family(
        "mixtral", "llama", hf.MixtralConfig,
        dict(intermediate_size=64, num_local_experts=4, num_experts_per_tok=2, rms_norm_eps=1e-5,
             rope_parameters=theta(1e6), sliding_window=None),
        keys={"vocab_size": 320, "rope_dimension_count": 16, "expert_count": 4, "expert_used_count": 2},
        types=SMALL, permutes=True,
    ),
    Family(
        # Large gate and up: the clamps at 7 bite.
        "gpt_oss", "gpt-oss", hf.GptOssConfig,
        dict(intermediate_size=96, num_attention_heads=8, head_dim=16, num_local_experts=4, num_experts_per_tok=2,
             sliding_window=16, rms_norm_eps=1e-5, max_position_embeddings=2048, rope_parameters={
                 "rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0,
                 "truncate": False, "original_max_position_embeddings": 512}),
        keys=head(16) | {
            "rope_scaling_type": gguf.RopeScalingType.YARN, "rope_scaling_factor": 4.0, "rope_scaling_orig_ctx_len": 512,
            "rope_scaling_yarn_beta_fast": 32.0, "rope_scaling_yarn_beta_slow": 1.0, "expert_count": 4,
            "expert_used_count": 2, "expert_feed_forward_length": 96, "sliding_window": 16},
        types=[T.Q8_0, T.F16, T.Q4_0, T.Q8_0, T.Q4_1],
        types_of={"ffn_gate_exps": T.MXFP4, "ffn_up_exps": T.MXFP4, "ffn_down_exps": T.MXFP4},
        gains={"ffn_gate_exps": 4.0, "ffn_up_exps": 4.0, "ffn_down_exps": 0.2},
        file_type=gguf.LlamaFileType.MOSTLY_MXFP4_MOE,
        seed=17487,
    ),
    Family(
        "gpt2", "gpt2", gpt2_config, dict(hidden_size=64, max_position_embeddings=192), embedding_std=0.4,
        gains={"position_embd": 6.0, "attn_qkv": 2.0, "attn_output": 6.0, "ffn_up": 2.5, "ffn_down": 6.0},
    ),
    Family(
        # Layers by array: 0 key heads is a convolution. The last layer is one too, so that its state matters at the end.
        "lfm2", "lfm2", hf.Lfm2Config,
        dict(intermediate_size=128, num_hidden_layers=3, layer_types=["conv", "full_attention", "conv"], conv_L_cache=3,
             block_auto_adjust_ff_dim=False, rope_parameters=theta(1e6), tie_word_embeddings=True),
        keys={"vocab_size": 320, "head_count_kv": [0, 2, 0], "shortconv_l_cache": 3},
        embedding_std=0.6,
    ),
    Family(
        # More value heads than key heads, so that their order matters. A block that predicts a further token, which is not
        # read. Loud keys: their norm would make small ones' rounding large.
        "qwen35", "qwen35", hf.Qwen3_5TextConfig,
        dict(intermediate_size=96, num_hidden_layers=4, head_dim=32, linear_num_key_heads=2, linear_num_value_heads=4,
             linear_key_head_dim=32, linear_value_head_dim=32, rms_norm_eps=1e-6, tie_word_embeddings=True,
             rope_parameters=theta(1e7) | {
                 "partial_rotary_factor": 0.25, "mrope_section": [2, 1, 1], "mrope_interleaved": True}),
        keys=head(32) | {
            "rope_dimension_count": 8, "rope_dimension_sections": [2, 1, 1, 0], "ssm_conv_kernel": 4, "ssm_state_size": 32,
            "ssm_group_count": 2, "ssm_time_step_rank": 4, "ssm_inner_size": 128, "full_attention_interval": 4,
            "block_count": 5, "nextn_predict_layers": 1},
        types=SMALL, embedding_std=0.6, gains={"attn_qkv": 3.0, "ssm_conv1d": 2.0},
    ),
    Family(
        # OLMo 3. The layers that slide are those of the list, not of the usual rule; the scaling's growth is written as OLMo 3's
        # first files have it.
        "olmo3", "olmo2", hf.Olmo3Config,
        dict(intermediate_size=96, num_hidden_layers=3, rms_norm_eps=1e-6, sliding_window=16,
             layer_types=["sliding_attention", "full_attention", "sliding_attention"],
             rope_parameters={"full_attention": YARN, "sliding_attention": theta(10000.0)}),
        keys=WINDOW | {
            "sliding_window_pattern": [True, False, True], "rope_scaling_type": gguf.RopeScalingType.YARN,
            "rope_scaling_factor": 8.0, "rope_scaling_orig_ctx_len": 32,
            "rope_scaling_attn_factors": 0.1 * math.log(8.0) + 1},
        types=SMALL,
    ),
    Family(
        # Full layers do not turn.
        "exaone4", "exaone4", hf.Exaone4Config,
        dict(intermediate_size=96, num_hidden_layers=4, rms_norm_eps=1e-5, sliding_window=16, sliding_window_pattern=4,
             head_dim=16, rope_parameters=theta(10000.0)),
        keys=head(16) | WINDOW | {"vocab_size": 320, "sliding_window_pattern": [True, True, True, False]},
        types=SMALL,
    ),
    Family(
        "cohere2", "cohere2", hf.Cohere2Config,
        dict(intermediate_size=96, num_hidden_layers=4, layer_norm_eps=1e-5, sliding_window=16, logit_scale=0.5,
             rope_parameters=theta(10000.0), tie_word_embeddings=True),
        keys=WINDOW | {"vocab_size": 320, "logit_scale": 0.5, "rope_dimension_count": 16,
                       "rope_scaling_type": gguf.RopeScalingType.NONE},
        types=SMALL, embedding_std=0.8, gains=LOUDER,
    ),
    Family(
        "command_r", "command-r", hf.CohereConfig,
        dict(intermediate_size=96, layer_norm_eps=1e-5, logit_scale=0.5, rope_parameters=theta(10000.0),
             tie_word_embeddings=True),
        keys={"logit_scale": 0.5, "rope_scaling_type": gguf.RopeScalingType.NONE}, embedding_std=0.8, gains=LOUDER, seed=53,
    ),
    Family(
        "ernie4_5", "ernie4_5", hf.Ernie4_5Config,
        dict(intermediate_size=128, head_dim=16, rms_norm_eps=1e-5, rope_parameters=theta(10000.0), tie_word_embeddings=True),
        keys=head(16), embedding_std=0.6,
    ),
    Family(
        "hunyuan_dense", "hunyuan-dense", hf.HunYuanDenseV1Config,
        dict(intermediate_size=96, head_dim=16, rms_norm_eps=1e-5, tie_word_embeddings=True,
             rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "alpha": 50.0, "factor": 1.0}),
        keys=head(16) | {"rope_freq_base": 10000.0 * 50.0 ** (16 / 14), "rope_scaling_type": gguf.RopeScalingType.NONE,
                         "rope_scaling_factor": 1.0},
        embedding_std=0.6, gains=LOUDER,
    ),
    Family(
        "glm4", "glm4", hf.Glm4Config,
        dict(intermediate_size=96, head_dim=32, rms_norm_eps=1e-5, attention_bias=True,
             rope_parameters=theta(10000.0) | {"partial_rotary_factor": 0.5}),
        keys=head(32) | {"rope_dimension_count": 16},
    ),
    Family(
        "seed_oss", "seed_oss", hf.SeedOssConfig,
        dict(intermediate_size=96, head_dim=32, rms_norm_eps=1e-6, rope_parameters=theta(1e6), attention_bias=True),
        keys=head(32),
    ),
    Family(
        "gemma", "gemma", hf.GemmaConfig,
        dict(intermediate_size=96, head_dim=32, rms_norm_eps=1e-6, rope_parameters=theta(10000.0), tie_word_embeddings=True),
        keys=head(32) | {"rope_freq_base": None}, types=SMALL, embedding_std=0.5,
        gains={"attn_output": 6.0, "ffn_down": 12.0},
    ),
    Family(
        "qwen3vl", "qwen3vl", qwen3vl_config,
        dict(intermediate_size=96, head_dim=32, rms_norm_eps=1e-6, rope_parameters=theta(1e6) | {
            "mrope_section": [6, 5, 5], "mrope_interleaved": True}),
        keys=head(32) | {"rope_dimension_sections": [6, 5, 5, 0], "num_deepstack_layers": 1},
    ),
    Family(
        "qwen2vl", "qwen2vl", qwen2vl_config,
        dict(intermediate_size=96, rms_norm_eps=1e-6, rope_parameters=theta(1e6) | {"mrope_section": [2, 3, 3]}),
        keys={"rope_dimension_sections": [2, 3, 3, 0]},
    ),
    Family(
        "stablelm", "stablelm", hf.StableLmConfig,
        dict(intermediate_size=96, layer_norm_eps=1e-5, use_qkv_bias=True,
             rope_parameters=theta(10000.0) | {"partial_rotary_factor": 0.25}),
        keys={"rope_dimension_count": 4, "parallel_residual": False},
    ),
    Family(
        # As 12B: one norm for both blocks, and norms of heads that differ.
        "stablelm_12b", "stablelm", hf.StableLmConfig,
        dict(intermediate_size=96, layer_norm_eps=1e-5, use_parallel_residual=True, qk_layernorm=True,
             rope_parameters=theta(10000.0) | {"partial_rotary_factor": 0.25}),
        keys={"rope_dimension_count": 4, "parallel_residual": True},
    ),
    Family(
        "arcee", "arcee", hf.ArceeConfig,
        dict(intermediate_size=96, head_dim=16, rms_norm_eps=1e-5, rope_parameters=YARN),
        keys=head(16) | {
            "vocab_size": 320, "rope_dimension_count": 16, "rope_scaling_type": gguf.RopeScalingType.YARN,
            "rope_scaling_factor": 8.0, "rope_scaling_orig_ctx_len": 32, "rope_scaling_yarn_beta_fast": 32.0,
            "rope_scaling_yarn_beta_slow": 1.0},
        permutes=True,
    ),
    Family(
        "mellum", "mellum", hf.MellumConfig,
        dict(intermediate_size=96, moe_intermediate_size=32, num_experts=4, num_experts_per_tok=2, head_dim=16, rms_norm_eps=1e-6,
             sliding_window=16, layer_types=["sliding_attention", "full_attention"],
             rope_parameters={"full_attention": YARN, "sliding_attention": theta(500.0)}),
        keys=head(16) | WINDOW | {
            "sliding_window_pattern": [True, False], "rope_scaling_type": gguf.RopeScalingType.YARN, "rope_scaling_factor": 8.0,
            "rope_scaling_orig_ctx_len": 32, "rope_scaling_yarn_beta_fast": 32.0, "rope_scaling_yarn_beta_slow": 1.0,
            "rope_freq_base_swa": 500.0, "expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 32},
        types=SMALL,
    ),
    Family(
        # The second layer is the full one, and the third does not turn.
        "granite_swa", "granite_swa", hf.GraniteSWAConfig,
        dict(intermediate_size=96, num_hidden_layers=3, rms_norm_eps=1e-5, rope_parameters=theta(10000.0), tie_word_embeddings=True,
             attention_multiplier=0.35, embedding_multiplier=3.0, residual_multiplier=0.7, logits_scaling=0.3, sliding_window=16,
             layer_types=["sliding_attention", "full_attention", "sliding_attention"], layer_rope_theta=[10000.0, 10000.0, 0]),
        keys=WINDOW | {
            "vocab_size": 320, "rope_dimension_count": 16, "attention_scale": 0.35, "embedding_scale": 3.0, "residual_scale": 0.7,
            "logit_scale": 0.3, "sliding_window_pattern": [True, False, True], "rope_pattern": [1, 1, 0]},
        types=SMALL, permutes=True, embedding_std=0.15,
    ),
    Family(
        # No positions at all. One group, as the published models have, so that the norm is part of the projection behind it.
        "granite_hybrid", "granitehybrid", hf.GraniteMoeHybridConfig,
        dict(intermediate_size=128, shared_intermediate_size=128, num_hidden_layers=3, num_local_experts=0, num_experts_per_tok=0,
             layer_types=["linear_attention", "full_attention", "linear_attention"], rms_norm_eps=1e-5, tie_word_embeddings=True,
             rope_parameters=theta(10000.0), **mamba(heads=8, width=16, groups=1), **GRANITE),
        keys=mamba_keys(heads=8, width=16, groups=1) | GRANITE_KEYS | {
            "vocab_size": 320, "rope_dimension_count": 16, "rope_scaling_finetuned": False, "head_count_kv": [0, 2, 0]},
        types=SMALL, embedding_std=0.15,
    ),
    Family(
        # Two groups, no norm of the scan. The file has the factors in its weights.
        "falcon_h1", "falcon-h1", hf.FalconH1Config,
        dict(intermediate_size=96, head_dim=16, mamba_d_ssm=128, mamba_rms_norm=False, rms_norm_eps=1e-5,
             rope_parameters=theta(1e11), **mamba(heads=4, width=32, groups=2)),
        keys=head(16) | mamba_keys(heads=4, width=32, groups=2),
        types=SMALL,
    ),
    Family(
        # Each layer is one thing; two scans and two blocks follow one another.
        "nemotron_h", "nemotron_h", hf.NemotronHConfig,
        dict(layers_block_type=["mamba", "mlp", "full_attention", "mamba", "mamba", "mlp", "mlp"], num_hidden_layers=7, head_dim=16,
             intermediate_size=96, layer_norm_epsilon=1e-5, **NEMOTRON),
        keys=head(16) | mamba_keys(heads=8, width=16, groups=2) | {
            "head_count_kv": [0, 0, 2, 0, 0, 0, 0], "feed_forward_length": [0, 96, 0, 0, 0, 96, 96]},
        types=SMALL,
    ),
    Family(
        # Experts without a gate, and one that all tokens take.
        "nemotron_h_moe", "nemotron_h_moe", hf.NemotronHConfig,
        dict(layers_block_type=["mamba", "moe", "full_attention", "mamba"], num_hidden_layers=4, head_dim=16, layer_norm_epsilon=1e-5,
             n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, moe_shared_expert_intermediate_size=64,
             routed_scaling_factor=2.5, **NEMOTRON),
        keys=head(16) | mamba_keys(heads=8, width=16, groups=2) | {
            "head_count_kv": [0, 0, 2, 0], "feed_forward_length": [0, 32, 0, 0], "expert_count": 4, "expert_used_count": 2,
            "expert_feed_forward_length": 32, "expert_shared_feed_forward_length": 64, "expert_shared_count": 1,
            "expert_weights_norm": True, "expert_weights_scale": 2.5, "expert_group_count": 1},
        types=SMALL,
    ),
    Family(
        # A dense layer before the mixtures; a bias that chooses otherwise than the scores.
        "lfm2moe", "lfm2moe", hf.Lfm2MoeConfig,
        dict(intermediate_size=96, moe_intermediate_size=32, num_hidden_layers=3, layer_types=["conv", "full_attention", "conv"],
             conv_L_cache=3, num_dense_layers=1, num_experts=8, num_experts_per_tok=3, rope_parameters=theta(1e6),
             routed_scaling_factor=1.5, tie_word_embeddings=True),
        keys={"vocab_size": 320, "head_count_kv": [0, 2, 0], "shortconv_l_cache": 3, "leading_dense_block_count": 1,
              "expert_count": 8, "expert_used_count": 3, "expert_feed_forward_length": 32,
              "expert_gating_func": gguf.ExpertGatingFuncType.SIGMOID, "expert_weights_scale": 1.5},
        types=SMALL, embedding_std=0.6,
    ),
    Family(
        "qwen35moe", "qwen35moe", hf.Qwen3_5MoeTextConfig,
        dict(moe_intermediate_size=32, shared_expert_intermediate_size=64, num_experts=8, num_experts_per_tok=2,
             num_hidden_layers=2, layer_types=["linear_attention", "full_attention"], head_dim=32, linear_num_key_heads=2,
             linear_num_value_heads=4, linear_key_head_dim=32, linear_value_head_dim=32, rms_norm_eps=1e-6,
             rope_parameters=theta(1e7) | {
                 "partial_rotary_factor": 0.25, "mrope_section": [2, 1, 1], "mrope_interleaved": True}),
        keys=head(32) | {
            "rope_dimension_count": 8, "rope_dimension_sections": [2, 1, 1, 0], "ssm_conv_kernel": 4, "ssm_state_size": 32,
            "ssm_group_count": 2, "ssm_time_step_rank": 4, "ssm_inner_size": 128, "full_attention_interval": 2,
            "expert_count": 8, "expert_used_count": 2, "expert_feed_forward_length": 32,
            "expert_shared_feed_forward_length": 64},
        types=SMALL, gains={"attn_qkv": 3.0, "ssm_conv1d": 2.0},
    ),
    Family(
        "olmoe", "olmoe", hf.OlmoeConfig,
        dict(intermediate_size=32, num_experts=8, num_experts_per_tok=3, rms_norm_eps=1e-5, rope_parameters=theta(10000.0)),
        keys={"expert_count": 8, "expert_used_count": 3}, types=SMALL,
    ),
    Family(
        "qwen2moe", "qwen2moe", hf.Qwen2MoeConfig,
        dict(intermediate_size=96, moe_intermediate_size=32, shared_expert_intermediate_size=64, num_experts=8,
             num_experts_per_tok=3, rms_norm_eps=1e-6, rope_parameters=theta(1e6)),
        keys={"expert_count": 8, "expert_used_count": 3, "expert_feed_forward_length": 32,
              "expert_shared_feed_forward_length": 64},
        types=SMALL,
    ),
    Family(
        # Of every second layer that might have experts, the first one is dense as well.
        "ernie4_5_moe", "ernie4_5-moe", hf.Ernie4_5_MoeConfig,
        dict(intermediate_size=96, moe_intermediate_size=32, moe_num_experts=8, moe_k=2, moe_num_shared_experts=2,
             moe_layer_start_index=2, moe_layer_interval=2, num_hidden_layers=4, rms_norm_eps=1e-5,
             rope_parameters=theta(500000.0), tie_word_embeddings=True),
        keys={"expert_count": 8, "expert_used_count": 2, "expert_feed_forward_length": 32, "interleave_moe_layer_step": 2,
              "leading_dense_block_count": 2, "expert_shared_count": 2, "expert_shared_feed_forward_length": 64},
        types=SMALL, embedding_std=0.6,
    ),
    Family(
        "granitemoe", "granitemoe", hf.GraniteMoeConfig,
        dict(intermediate_size=32, num_local_experts=8, num_experts_per_tok=3, rms_norm_eps=1e-6,
             rope_parameters=theta(10000.0), tie_word_embeddings=True, attention_multiplier=0.35, embedding_multiplier=3.0,
             residual_multiplier=0.7, logits_scaling=0.3),
        keys={"vocab_size": 320, "rope_dimension_count": 16, "attention_scale": 0.35, "embedding_scale": 3.0,
              "residual_scale": 0.7, "logit_scale": 0.3, "expert_count": 8, "expert_used_count": 3},
        types=SMALL, permutes=True, embedding_std=0.15,
        # At the positions of its logits no expert is chosen by less than 0.05: int8 activations chose another one by 0.002.
        seed=59,
    ),
    Family(
        # The block that all tokens take is one of two kinds of experts; no positions at all.
        "granite_hybrid_moe", "granitehybrid", hf.GraniteMoeHybridConfig,
        dict(intermediate_size=32, shared_intermediate_size=64, num_local_experts=8, num_experts_per_tok=3,
             layer_types=["linear_attention", "full_attention"], rms_norm_eps=1e-5, tie_word_embeddings=True,
             rope_parameters=theta(10000.0), **mamba(heads=8, width=16, groups=1), **GRANITE),
        keys=mamba_keys(heads=8, width=16, groups=1) | GRANITE_KEYS | {
            "vocab_size": 320, "rope_dimension_count": 16, "rope_scaling_finetuned": False, "head_count_kv": [0, 2],
            "expert_count": 8, "expert_used_count": 3, "expert_shared_feed_forward_length": 64},
        types=SMALL, embedding_std=0.15,
    ),
    Family(
        # An activation that each layer bends otherwise; its usual parameters would be those of no layer.
        "apertus", "apertus", hf.ApertusConfig,
        dict(intermediate_size=128, head_dim=16, rms_norm_eps=1e-5, rope_parameters=LLAMA3_ROPE),
        keys=head(16) | {
            "vocab_size": 320, "rope_dimension_count": 16, "xielu_alpha_p": [-0.75, 0.5], "xielu_alpha_n": [0.25, -1.5],
            "xielu_beta": [0.5, 0.375], "xielu_eps": [-1e-6, -0.125]},
        tables=family_rope.llama3,
    ),
    # Attention over latents: queries of a latent of their own, a router with a bias.
    Family(
        "glm4_moe_lite", "deepseek2", hf.Glm4MoeLiteConfig,
        dict(intermediate_size=96, moe_intermediate_size=32, num_key_value_heads=4, n_routed_experts=8,
             num_experts_per_tok=2, n_shared_experts=1, routed_scaling_factor=1.8, rms_norm_eps=1e-5, q_lora_rank=64,
             rope_parameters=theta(1e6), **latent(rank=32, rotated=16, plain=32, value=24)),
        keys=latent_keys(rank=32, rotated=16, plain=32, value=24, query_rank=64) | {
            "expert_count": 8, "expert_used_count": 2, "expert_feed_forward_length": 32, "expert_shared_count": 1,
            "leading_dense_block_count": 1, "expert_weights_scale": 1.8, "expert_weights_norm": True,
            "expert_gating_func": gguf.ExpertGatingFuncType.SIGMOID},
        types=SMALL,
    ),
    # No latent of queries; two experts that all tokens take, weights that do not add up to 1, YaRN that makes scores grow.
    Family(
        "deepseek_v2", "deepseek2", hf.DeepseekV2Config,
        dict(intermediate_size=96, moe_intermediate_size=32, num_key_value_heads=4, n_routed_experts=8, num_experts_per_tok=3,
             n_shared_experts=2, first_k_dense_replace=1, n_group=1, topk_group=1, rms_norm_eps=1e-6, q_lora_rank=None,
             rope_parameters=LATENT_YARN, **latent(rank=64, rotated=8, plain=32, value=32)),
        keys=latent_keys(rank=64, rotated=8, plain=32, value=32) | {
            "expert_count": 8, "expert_used_count": 3, "expert_feed_forward_length": 32, "expert_shared_count": 2,
            "leading_dense_block_count": 1, "expert_weights_scale": 1.0,
            "rope_scaling_type": gguf.RopeScalingType.YARN, "rope_scaling_factor": 8.0, "rope_scaling_orig_ctx_len": 32,
            "rope_scaling_yarn_log_mul": 0.1 * LATENT_YARN["mscale_all_dim"]},
        types=SMALL,
    ),
    # Without experts, the head is the embedding.
    Family(
        "youtu", "deepseek2", hf.YoutuConfig,
        dict(intermediate_size=128, num_key_value_heads=4, rms_norm_eps=1e-6, q_lora_rank=64, rope_parameters=theta(1e6),
             tie_word_embeddings=True, **latent(rank=64, rotated=16, plain=32, value=32)),
        keys=latent_keys(rank=64, rotated=16, plain=32, value=32, query_rank=64) | {"leading_dense_block_count": 2},
        embedding_std=0.6,
    ),
    Family(
        "phi2", "phi2", hf.PhiConfig,
        dict(intermediate_size=128, num_key_value_heads=4, layer_norm_eps=1e-5,
             rope_parameters=theta(10000.0) | {"partial_rotary_factor": 0.5}),
        keys={"rope_freq_base": None, "rope_dimension_count": 8},
        # (one type for what some files have in one tensor)
        types_of={part: T.Q8_0 for part in ("attn_q", "attn_k", "attn_v")},
    ),
]

# Families whose GGUF files nobody here has seen: only folders are made of them.
FOLDER_FAMILIES = [
    Family(
        "lfm3", "lfm3", hf.Lfm3Config,
        dict(intermediate_size=128, num_hidden_layers=4, layer_types=["conv", "sliding_attention", "full_attention", "conv"],
             conv_L_cache=7, head_dim=32, sliding_window=16, tie_word_embeddings=True,
             rope_parameters={"sliding_attention": theta(10000.0),
                              "full_attention": {"rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": 0.5}}),
        embedding_std=0.6,
    ),
]
