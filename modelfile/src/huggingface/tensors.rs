//! Names of tensors in transformers' checkpoints, and their GGUF equivalents.

use super::config::Source;
use super::gpt_oss;
use crate::container::TensorInfo;
use crate::error::Result;

/// Names in a layer: the part between `layers.N.` and `.weight` or `.bias`.
const OF_LAYER: [(&str, &str); 18] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.gate_up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("mlp.gate", "ffn_gate_inp"),
    ("mlp.router", "ffn_gate_inp"),
    ("block_sparse_moe.gate", "ffn_gate_inp"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
    ("post_attention_layernorm", ""),
];

/// Names in an expert: the part after `experts.N.`
const OF_EXPERT: [(&str, &str); 6] = [
    ("gate_proj", "ffn_gate"),
    ("up_proj", "ffn_up"),
    ("down_proj", "ffn_down"),
    ("w1", "ffn_gate"),
    ("w3", "ffn_up"),
    ("w2", "ffn_down"),
];

/// Names outside the layers.
const AROUND: [(&str, &str); 3] = [
    ("embed_tokens", "token_embd"),
    ("norm", "output_norm"),
    ("lm_head", "output"),
];

/// BERT's own names, in a layer and outside the layers.
const OF_BERT_LAYER: [(&str, &str); 8] = [
    ("attention.self.query", "attn_q"),
    ("attention.self.key", "attn_k"),
    ("attention.self.value", "attn_v"),
    ("attention.output.dense", "attn_output"),
    ("attention.output.LayerNorm", "attn_output_norm"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("output.LayerNorm", "layer_output_norm"),
];
const OF_BERT: [(&str, &str); 4] = [
    ("embeddings.word_embeddings", "token_embd"),
    ("embeddings.position_embeddings", "position_embd"),
    ("embeddings.token_type_embeddings", "token_types"),
    ("embeddings.LayerNorm", "token_embd_norm"),
];

/// GPT-2's names. The matrices of its layers are stored by columns.
const OF_GPT2_LAYER: [(&str, &str); 6] = [
    ("ln_1", "attn_norm"),
    ("attn.c_attn", "attn_qkv"),
    ("attn.c_proj", "attn_output"),
    ("ln_2", "ffn_norm"),
    ("mlp.c_fc", "ffn_up"),
    ("mlp.c_proj", "ffn_down"),
];
const OF_GPT2: [(&str, &str); 4] = [
    ("wte", "token_embd"),
    ("wpe", "position_embd"),
    ("ln_f", "output_norm"),
    ("lm_head", "output"),
];

/// Naming scheme of a checkpoint's tensors.
struct Names {
    /// Optional prefix of every name.
    prefix: &'static str,
    around: &'static [(&'static str, &'static str)],
    /// Prefix of a layer's number.
    layers: &'static str,
    of_layer: &'static [(&'static str, &'static str)],
}

const LLAMA: Names = Names {
    prefix: "model.",
    around: &AROUND,
    layers: "layers.",
    of_layer: &OF_LAYER,
};
const BERT: Names = Names {
    prefix: "bert.",
    around: &OF_BERT,
    layers: "encoder.layer.",
    of_layer: &OF_BERT_LAYER,
};
const GPT2: Names = Names {
    prefix: "transformer.",
    around: &OF_GPT2,
    layers: "h.",
    of_layer: &OF_GPT2_LAYER,
};

/// Returns the tensors that a model consists of, under GGUF's names.
///
/// # Errors
/// Any error of [`gpt_oss::rename`].
pub(super) fn rename(
    tensors: Vec<TensorInfo>,
    source: Source,
    tied: bool,
) -> Result<Vec<TensorInfo>> {
    let tensors = match source.architecture {
        "gpt-oss" => gpt_oss::rename(tensors)?,
        _ => tensors,
    };
    let renamed = tensors.into_iter().filter_map(|tensor| {
        let name = gguf_name(&tensor.name, source)?;
        let by_columns = source.architecture == "gpt2" && name.starts_with("blk.");
        let tensor = match by_columns && tensor.shape.len() == 2 {
            true => by_rows(tensor),
            false => tensor,
        };
        (!(tied && name == "output.weight")).then_some(TensorInfo { name, ..tensor })
    });
    Ok(renamed.collect())
}

/// Returns a tensor stored by columns in the shape that the others have.
fn by_rows(mut tensor: TensorInfo) -> TensorInfo {
    tensor.shape.reverse();
    tensor.arrangement.by_columns = true;
    tensor
}

fn find(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let entry = table.iter().find(|(from, _)| *from == name);
    entry.map(|(_, to)| *to)
}

/// Returns GGUF's name, or `None` for tensors that no model needs, such as buffers of frequencies.
fn gguf_name(name: &str, source: Source) -> Option<String> {
    let names = match source.architecture {
        "bert" => BERT,
        "gpt2" => GPT2,
        _ => LLAMA,
    };
    if name.starts_with("blk.") {
        return Some(name.to_owned());
    }
    // The prefix of a vision model's language part, on the hub and as transformers 5 writes it.
    let of_text = |name| str::strip_prefix(name, "language_model.").unwrap_or(name);
    let name = of_text(name);
    let name = of_text(name.strip_prefix(names.prefix).unwrap_or(name));
    let (name, kind) = name.rsplit_once('.')?;
    if let Some(name) = find(names.around, name) {
        return Some(format!("{name}.{kind}"));
    }
    let (layer, part) = name.strip_prefix(names.layers)?.split_once('.')?;
    let part = match part.split_once(".experts.") {
        Some((_, expert)) => {
            let (expert, part) = expert.split_once('.')?;
            format!("{}.{expert}", find(&OF_EXPERT, part)?)
        }
        None => match find(names.of_layer, part)? {
            "" if source.post_norms => "post_attention_norm".to_owned(),
            "" => "ffn_norm".to_owned(),
            part => part.to_owned(),
        },
    };
    Some(format!("blk.{layer}.{part}.{kind}"))
}
