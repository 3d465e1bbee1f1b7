//! Names of tensors, as this crate has them: transformers', without the `model.` before them.

/// Returns the name, or `None` for a tensor that says nothing. `gated`: whether a GGUF file's feed-forward blocks have gates, if it
/// is such a file.
pub fn of(name: &str, gated: Option<bool>) -> Option<String> {
    if let Some(is_gated) = gated {
        return Some(of_gguf(name, is_gated).unwrap_or_else(|| name.to_owned()));
    }
    let name = name.strip_prefix("model.").unwrap_or(name);
    // Tables that M2M100's first files stored, and that are computed.
    (!name.ends_with("embed_positions.weights")).then(|| name.to_owned())
}

/// Translates the name of T5's tensor in GGUF.
fn of_gguf(name: &str, is_gated: bool) -> Option<String> {
    match name {
        "token_embd.weight" => return Some("shared.weight".into()),
        "output.weight" => return Some("lm_head.weight".into()),
        "enc.output_norm.weight" => return Some("encoder.final_layer_norm.weight".into()),
        "dec.output_norm.weight" => return Some("decoder.final_layer_norm.weight".into()),
        _ => {}
    }
    let mut parts = name.split('.');
    let side = match parts.next()? {
        "enc" => "encoder",
        "dec" => "decoder",
        _ => return None,
    };
    let (Some("blk"), Some(layer), Some(part), Some("weight"), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return None;
    };
    let last = if side == "encoder" { 1 } else { 2 };
    let (sublayer, part) = match part {
        "attn_norm" => (0, "layer_norm"),
        "attn_q" => (0, "SelfAttention.q"),
        "attn_k" => (0, "SelfAttention.k"),
        "attn_v" => (0, "SelfAttention.v"),
        "attn_o" => (0, "SelfAttention.o"),
        "attn_rel_b" => (0, "SelfAttention.relative_attention_bias"),
        "cross_attn_norm" => (1, "layer_norm"),
        "cross_attn_q" => (1, "EncDecAttention.q"),
        "cross_attn_k" => (1, "EncDecAttention.k"),
        "cross_attn_v" => (1, "EncDecAttention.v"),
        "cross_attn_o" => (1, "EncDecAttention.o"),
        "cross_attn_rel_b" => (1, "EncDecAttention.relative_attention_bias"),
        "ffn_norm" => (last, "layer_norm"),
        "ffn_gate" => (last, "DenseReluDense.wi_0"),
        "ffn_up" if is_gated => (last, "DenseReluDense.wi_1"),
        "ffn_up" => (last, "DenseReluDense.wi"),
        "ffn_down" => (last, "DenseReluDense.wo"),
        _ => return None,
    };
    Some(format!(
        "{side}.block.{layer}.layer.{sublayer}.{part}.weight"
    ))
}
