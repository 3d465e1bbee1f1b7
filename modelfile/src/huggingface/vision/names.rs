//! Names of the tensors of a folder's tower, and those in a projector's file.

use crate::vision::{CLASS, HEAD_QKV, HEAD_QUERY};

/// Prefixes of a tower's tensors, which may follow one another.
const PREFIXES: [&str; 5] = [
    "model.",
    "vision_tower.",
    "vision_model.",
    "visual.",
    "connector.",
];

/// Prefix of a projector's tensors in models that are made like LLaVA.
const PROJECTOR_PREFIX: &str = "multi_modal_projector.";

/// Names around the layers.
const AROUND: [(&str, &str); 22] = [
    ("embeddings.patch_embedding", "v.patch_embd"),
    ("embeddings.position_embedding", "v.position_embd"),
    ("post_layernorm", "v.post_ln"),
    ("modality_projection.proj", "mm.model.fc"),
    // Qwen 3 VL
    ("patch_embed.proj", "v.patch_embd"),
    ("pos_embed", "v.position_embd"),
    ("merger.norm", "v.post_ln"),
    ("merger.linear_fc1", "mm.0"),
    ("merger.linear_fc2", "mm.2"),
    // Qwen 2 VL and 2.5 VL
    ("merger.ln_q", "v.post_ln"),
    ("merger.mlp.0", "mm.0"),
    ("merger.mlp.2", "mm.2"),
    // Pixtral
    ("patch_conv", "v.patch_embd"),
    ("ln_pre", "v.pre_ln"),
    // CLIP, which spells it so
    ("pre_layrnorm", "v.pre_ln"),
    ("visual_projection", "mm.visual_projection"),
    // SigLIP
    ("head.attention.out_proj", "v.head.attn_out"),
    ("head.layernorm", "v.head.ln"),
    ("head.mlp.fc1", "v.head.ffn_up"),
    ("head.mlp.fc2", "v.head.ffn_down"),
    // Gemma 4
    ("patch_embedder.input_proj", "v.patch_embd"),
    ("embed_vision.embedding_projection", "mm.input_projection"),
];

/// Names of parameters that no module has.
const PARAMETERS: [(&str, &str); 7] = [
    ("embeddings.class_embedding", CLASS),
    ("head.probe", HEAD_QUERY),
    ("head.attention.in_proj_weight", HEAD_QKV),
    ("head.attention.in_proj_bias", "v.head.attn_qkv.bias"),
    (
        "patch_embedder.position_embedding_table",
        "v.position_embd.weight",
    ),
    ("std_bias", "v.std_bias"),
    ("std_scale", "v.std_scale"),
];

/// Names in a layer: the part between its number and `.weight` or `.bias`.
const OF_LAYER: [(&str, &str); 33] = [
    ("layer_norm1", "ln1"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.out_proj", "attn_out"),
    ("layer_norm2", "ln2"),
    ("mlp.fc1", "ffn_up"),
    ("mlp.fc2", "ffn_down"),
    ("norm1", "ln1"),
    ("norm2", "ln2"),
    ("attn.qkv", "attn_qkv"),
    ("attn.proj", "attn_out"),
    ("mlp.linear_fc1", "ffn_up"),
    ("mlp.linear_fc2", "ffn_down"),
    // Qwen 2.5 VL
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    // Pixtral
    ("attention_norm", "ln1"),
    ("attention.q_proj", "attn_q"),
    ("attention.k_proj", "attn_k"),
    ("attention.v_proj", "attn_v"),
    ("attention.o_proj", "attn_out"),
    ("ffn_norm", "ln2"),
    ("feed_forward.gate_proj", "ffn_gate"),
    ("feed_forward.up_proj", "ffn_up"),
    ("feed_forward.down_proj", "ffn_down"),
    // Gemma 4
    ("input_layernorm", "ln1"),
    ("post_attention_layernorm", "attn_post_norm"),
    ("pre_feedforward_layernorm", "ln2"),
    ("post_feedforward_layernorm", "ffn_post_norm"),
    ("self_attn.o_proj", "attn_out"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
];

/// Names behind [`PROJECTOR_PREFIX`].
const OF_PROJECTOR: [(&str, &str); 6] = [
    ("mm_soft_emb_norm", "mm.soft_emb_norm"),
    ("layer_norm", "mm.input_norm"),
    ("norm", "mm.input_norm"),
    ("patch_merger.merging_layer", "mm.patch_merger"),
    ("linear_1", "mm.1"),
    ("linear_2", "mm.2"),
];

/// Names in what makes rows of a layer in between.
const OF_DEEP: [(&str, &str); 3] = [
    ("norm", "norm"),
    ("linear_fc1", "fc1"),
    ("linear_fc2", "fc2"),
];

/// Returns the name in a projector's file, or `None` for tensors of the text model.
pub(super) fn gguf_name(name: &str, deep: &[u32]) -> Option<String> {
    let mut rest = name;
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = shorter;
    }
    if let Some(own) = rest.strip_prefix(PROJECTOR_PREFIX) {
        return Some(match own {
            "mm_input_projection_weight" => "mm.input_projection.weight".to_owned(),
            _ => {
                let (part, kind) = own.rsplit_once('.')?;
                let entry = OF_PROJECTOR.iter().find(|(from, _)| *from == part);
                format!("{}.{kind}", entry?.1)
            }
        });
    }
    if let Some((_, to)) = PARAMETERS.iter().find(|(from, _)| *from == rest) {
        return Some((*to).to_owned());
    }
    let (part, kind) = rest.rsplit_once('.')?;
    let find = |table: &[(&str, &'static str)], name: &str| {
        let entry = table.iter().find(|(from, _)| *from == name);
        entry.map(|(_, to)| *to)
    };
    if let Some(to) = find(&AROUND, part) {
        return Some(format!("{to}.{kind}"));
    }
    if let Some(part) = part.strip_prefix("deepstack_merger_list.") {
        let (number, part) = part.split_once('.')?;
        let layer = deep.get(number.parse::<usize>().ok()?)?;
        return Some(format!(
            "v.deepstack.{layer}.{}.{kind}",
            find(&OF_DEEP, part)?
        ));
    }
    let layers = ["encoder.layers.", "blocks.", "transformer.layers."];
    let part = layers.iter().find_map(|prefix| part.strip_prefix(prefix))?;
    let (layer, part) = part.split_once('.')?;
    // (projections with bounds are modules in modules)
    let part = part.strip_suffix(".linear").unwrap_or(part);
    Some(format!("v.blk.{layer}.{}.{kind}", find(&OF_LAYER, part)?))
}
