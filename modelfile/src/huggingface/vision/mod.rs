//! The tower of a folder, in the terms of a projector's file: see [`crate::vision::mmproj`].
//!
//! Source: transformers `models/smolvlm/modeling_smolvlm.py`, `models/gemma3/modeling_gemma3.py`, and the defaults of their
//! `configuration_*.py`.

use super::Texts;
use crate::container::{Array, Container, Metadata, ModelHeader, TensorInfo, Value};
use crate::error::Result;
use crate::json::Object;
use crate::vision::{CHANNELS_LAST, NORM_OFFSET, Projector, mmproj};

/// Files with the rules by which pictures are prepared; the second has them as a part, and comes first where both are there.
pub(super) const PROCESSOR_FILES: [&str; 2] = ["preprocessor_config.json", "processor_config.json"];

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
const AROUND: [(&str, &str); 9] = [
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
];

/// Names in a layer: the part between its number and `.weight` or `.bias`.
const OF_LAYER: [(&str, &str); 14] = [
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
];

/// Names behind [`PROJECTOR_PREFIX`].
const OF_PROJECTOR: [(&str, &str); 4] = [
    ("mm_soft_emb_norm", "mm.soft_emb_norm"),
    ("layer_norm", "mm.input_norm"),
    ("linear_1", "mm.1"),
    ("linear_2", "mm.2"),
];

/// Names in what makes rows of a layer in between.
const OF_DEEP: [(&str, &str); 3] = [
    ("norm", "norm"),
    ("linear_fc1", "fc1"),
    ("linear_fc2", "fc2"),
];

/// Numbers of the tower's configuration, their keys, and transformers' defaults for each of [`Projector::ALL`].
const NUMBERS: [(&str, &str, [u32; 4]); 6] = [
    ("hidden_size", "embedding_length", [1152, 768, 1152, 768]),
    (
        "intermediate_size",
        "feed_forward_length",
        [3072, 3072, 4304, 3072],
    ),
    ("num_hidden_layers", "block_count", [12, 12, 27, 12]),
    (
        "num_attention_heads",
        "attention.head_count",
        [16, 12, 16, 12],
    ),
    ("image_size", "image_size", [224, 224, 0, 0]),
    ("patch_size", "patch_size", [32, 16, 16, 16]),
];

/// Other names of these numbers.
const ALIASES: [(&str, &str); 2] = [
    ("depth", "num_hidden_layers"),
    ("num_heads", "num_attention_heads"),
];

/// Returns the header of the folder's tower; `None` for a model without one, with one that is not implemented, or without the rules
/// by which its pictures are prepared: it is then read as a text model.
///
/// # Errors
/// Whatever is wrong with the configurations, by file and key.
pub(super) fn tower(texts: &Texts, tensors: &[TensorInfo]) -> Result<Option<ModelHeader>> {
    const FILE: &str = "config.json";
    let Some(text) = texts.get(FILE) else {
        return Ok(None);
    };
    let config = Object::parse(text, FILE)?;
    let projector = match config.str("model_type")? {
        Some("smolvlm" | "idefics3") => Projector::Idefics3,
        Some("gemma3") => Projector::Gemma3,
        Some("qwen3_vl") => Projector::Qwen3Vl,
        Some("lfm2_vl" | "lfm2-vl") => Projector::Lfm2,
        _ => return Ok(None),
    };
    let (Some(vision), Some(rules)) = (config.object("vision_config")?, rules(texts)?) else {
        return Ok(None);
    };
    let vision = vision.renamed(&ALIASES);
    let deep = vision.u32s("deepstack_visual_indexes")?.unwrap_or_default();
    let renamed = tensors.iter().filter_map(|tensor| {
        let name = gguf_name(&tensor.name, &deep)?;
        let tensor = tensor.clone();
        Some(TensorInfo { name, ..tensor })
    });
    let mut tensors: Vec<TensorInfo> = renamed.collect();
    if tensors.is_empty() {
        return Ok(None);
    }
    let mut metadata = Metadata::default();
    let mut insert = |key: &str, value: Value| metadata.insert(format!("clip.{key}"), value);
    insert("projector_type", Value::String(projector.name().to_owned()));
    let which = Projector::ALL.iter().position(|one| *one == projector);
    let which = which.unwrap_or(0);
    for (from, to, defaults) in NUMBERS {
        let value = vision.u32(from)?.unwrap_or(defaults[which]);
        insert(&format!("vision.{to}"), Value::U32(value));
    }
    if let Some(found) = vision.str("hidden_act")?
        && !crate::families::Activation::Gelu.is_called(found)
    {
        return Err(vision.wrong("vision_config.hidden_act", "gelu_pytorch_tanh"));
    }
    let eps = vision.f32("layer_norm_eps")?.unwrap_or(1e-6);
    insert("vision.attention.layer_norm_epsilon", Value::F32(eps));
    let (image, patch) = (
        vision.u32("image_size")?.unwrap_or(NUMBERS[4].2[which]),
        vision
            .u32("patch_size")?
            .unwrap_or(NUMBERS[5].2[which])
            .max(1),
    );
    let merge = match projector {
        Projector::Idefics3 => config.u32("scale_factor")?.unwrap_or(2),
        // (the side of the square of rows)
        Projector::Gemma3 => {
            let rows = config.u32("mm_tokens_per_image")?.unwrap_or(256);
            (image / patch) / rows.isqrt().max(1)
        }
        Projector::Qwen3Vl => vision.u32("spatial_merge_size")?.unwrap_or(2),
        Projector::Lfm2 => config.u32("downsample_factor")?.unwrap_or(2),
    };
    insert("vision.projector.scale_factor", Value::U32(merge));
    insert("vision.spatial_merge_size", Value::U32(merge));
    if !deep.is_empty() {
        let n_layers = vision
            .u32("num_hidden_layers")?
            .unwrap_or(NUMBERS[2].2[which]);
        let is_deep = (0..n_layers.min(1024))
            .map(|layer| deep.contains(&layer))
            .collect();
        insert(
            "vision.is_deepstack_layers",
            Value::Array(Array::Bool(is_deep)),
        );
    }
    for (from, to) in [
        ("image_mean", "vision.image_mean"),
        ("image_std", "vision.image_std"),
    ] {
        if let Some(values) = rules.f32s(from)? {
            insert(to, Value::Array(Array::F32(values)));
        }
    }
    if projector == Projector::Lfm2 {
        insert_lfm2(&config, &rules, patch * merge, &mut insert)?;
    }
    if projector == Projector::Qwen3Vl {
        let size = rules.object("size")?;
        for (old, new, to) in [
            ("min_pixels", "shortest_edge", "vision.image_min_pixels"),
            ("max_pixels", "longest_edge", "vision.image_max_pixels"),
        ] {
            let area = match &size {
                Some(size) => size.u32(new)?,
                None => None,
            };
            if let Some(area) = area.or(rules.u32(old)?) {
                insert(to, Value::U32(area));
            }
        }
    }
    if projector == Projector::Idefics3 {
        let longest = |key: &str| -> Result<Option<u32>> {
            let size = rules.object(key)?;
            size.map_or(Ok(None), |size| size.u32("longest_edge"))
        };
        if let Some(side) = longest("max_image_size")?.filter(|side| *side != image) {
            let expected = format!("{image}, what the tower sees; {side} was found");
            return Err(rules.wrong("max_image_size", &expected));
        }
        let edge = match rules.bool("do_image_splitting")? {
            Some(false) => None,
            _ => longest("size")?,
        };
        insert(
            "vision.preproc_image_size",
            Value::U32(edge.unwrap_or(image)),
        );
    }
    for tensor in &mut tensors {
        if projector == Projector::Gemma3 && tensor.name == projector.weights()[0] {
            mmproj::by_columns(tensor);
        }
    }
    if projector == Projector::Lfm2 {
        metadata.insert(CHANNELS_LAST, Value::Bool(true));
    }
    if projector == Projector::Gemma3 {
        metadata.insert(NORM_OFFSET, Value::F32(1.0));
    }
    let mut header = ModelHeader {
        container: Container::Safetensors,
        metadata,
        tensors,
        data_offset: 0,
        tower: None,
    };
    mmproj::complete(&mut header, projector)?;
    Ok(Some(header))
}

/// Writes the rules of LFM2-VL; `cell`: pixels of a row's side.
fn insert_lfm2(
    config: &Object,
    rules: &Object,
    cell: u32,
    insert: &mut impl FnMut(&str, Value) -> Option<Value>,
) -> Result<()> {
    const LAYER: &str = "vision_feature_layer";
    if config.get(LAYER).is_some_and(|layer| *layer != -1) {
        return Err(config.wrong(LAYER, "-1: the last one"));
    }
    let area = cell.saturating_mul(cell);
    for (from, to, factor, default) in [
        ("min_image_tokens", "image_min_pixels", area, 64),
        ("max_image_tokens", "image_max_pixels", area, 256),
        ("tile_size", "hearth_tile_size", 1, 512),
        ("min_tiles", "preproc_min_tiles", 1, 2),
        ("max_tiles", "preproc_max_tiles", 1, 10),
    ] {
        let mut value = rules.u32(from)?.unwrap_or(default);
        if from.ends_with("tiles") && rules.bool("do_image_splitting")? == Some(false) {
            value = 0;
        }
        insert(
            &format!("vision.{to}"),
            Value::U32(value.saturating_mul(factor)),
        );
    }
    Ok(())
}

/// Returns the rules by which pictures are prepared, if the folder has them.
fn rules(texts: &Texts) -> Result<Option<Object>> {
    let [own, all] = PROCESSOR_FILES;
    if let Some(text) = texts.get(all)
        && let Some(rules) = Object::parse(text, all)?.object("image_processor")?
    {
        return Ok(Some(rules));
    }
    let own = texts.get(own).map(|text| Object::parse(text, own));
    own.transpose()
}

/// Returns the name in a projector's file, or `None` for tensors of the text model.
fn gguf_name(name: &str, deep: &[u32]) -> Option<String> {
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
    let layers = ["encoder.layers.", "blocks."];
    let part = layers.iter().find_map(|prefix| part.strip_prefix(prefix))?;
    let (layer, part) = part.split_once('.')?;
    Some(format!("v.blk.{layer}.{}.{kind}", find(&OF_LAYER, part)?))
}
