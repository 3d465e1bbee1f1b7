//! The Llama family: Llama 1 to 3.x, Mistral 7B, SmolLM and SmolLM2, TinyLlama, and what else converts to
//! GGUF's architecture `llama`.
//!
//! RMSNorm before each block, rotary positions, grouped-query attention, SwiGLU; no biases. GGUF's converter
//! permutes q and k so that rotary pairs are neighbours.
//!
//! Reference: Touvron et al. 2023, arXiv:2302.13971; transformers `models/llama/modeling_llama.py`.

use super::{DecoderSpec, TensorNames};

/// The family's spec.
pub const LLAMA: DecoderSpec = DecoderSpec {
    name: "llama",
    rope_neox: false,
    names: &TensorNames {
        token_embd: "token_embd.weight",
        output_norm: "output_norm.weight",
        lm_head: "output.weight",
        rope_freqs: "rope_freqs.weight",
        attn_norm: "blk.{}.attn_norm.weight",
        q_proj: "blk.{}.attn_q.weight",
        k_proj: "blk.{}.attn_k.weight",
        v_proj: "blk.{}.attn_v.weight",
        o_proj: "blk.{}.attn_output.weight",
        ffn_norm: "blk.{}.ffn_norm.weight",
        gate_proj: "blk.{}.ffn_gate.weight",
        up_proj: "blk.{}.ffn_up.weight",
        down_proj: "blk.{}.ffn_down.weight",
    },
};
