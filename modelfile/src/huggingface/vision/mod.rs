//! The tower of a folder, in the terms of a projector's file: see [`crate::vision::mmproj`].
//!
//! Source: transformers `models/smolvlm/modeling_smolvlm.py`, `models/gemma3/modeling_gemma3.py`,
//! `models/qwen2_vl/modeling_qwen2_vl.py`, `models/qwen2_5_vl/modeling_qwen2_5_vl.py`, `models/mistral3/modeling_mistral3.py`,
//! `models/llava/modeling_llava.py`, `models/gemma4/modeling_gemma4.py`, and the defaults of their `configuration_*.py`.

mod embeds;
mod gemma4;
mod names;

use super::Texts;
use crate::container::{Array, Container, Metadata, ModelHeader, TensorInfo, Value};
use crate::error::Result;
use crate::families::Activation;
use crate::json::Object;
use crate::vision::positions::THETA;
use crate::vision::{CHANNELS_LAST, NORM_EPS, NORM_OFFSET, Projector, mmproj};
use names::gguf_name;

/// Files with the rules by which pictures are prepared; the second has them as a part, and comes first where both are there.
pub(super) const PROCESSOR_FILES: [&str; 2] = ["preprocessor_config.json", "processor_config.json"];

/// Numbers of the tower's configuration, their keys, and transformers' defaults for each of [`Projector::ALL`].
const NUMBERS: [(&str, &str, [u32; 11]); 6] = [
    (
        "hidden_size",
        "embedding_length",
        [1152, 768, 1152, 768, 1280, 3584, 1024, 1024, 768, 768, 768],
    ),
    (
        "intermediate_size",
        "feed_forward_length",
        [
            3072, 3072, 4304, 3072, 0, 3420, 4096, 4096, 3072, 3072, 3072,
        ],
    ),
    (
        "num_hidden_layers",
        "block_count",
        [12, 12, 27, 12, 32, 32, 24, 24, 12, 12, 16],
    ),
    (
        "num_attention_heads",
        "attention.head_count",
        [16, 12, 16, 12, 16, 16, 16, 16, 12, 12, 12],
    ),
    (
        "image_size",
        "image_size",
        [224, 224, 0, 0, 0, 0, 1024, 1024, 224, 224, 0],
    ),
    (
        "patch_size",
        "patch_size",
        [32, 16, 16, 16, 14, 14, 16, 16, 32, 16, 16],
    ),
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
        // (without rows of layers in between, which the text model of Qwen 3.5 does not take)
        Some("qwen3_vl" | "qwen3_5" | "qwen3_5_moe") => Projector::Qwen3Vl,
        Some("lfm2_vl" | "lfm2-vl") => Projector::Lfm2,
        Some("qwen2_vl") => Projector::Qwen2Vl,
        Some("qwen2_5_vl") => Projector::Qwen25Vl,
        Some("mistral3") => Projector::Pixtral,
        // (other towers of LLaVA are not implemented)
        Some("llava") if has_pixtral(&config)? => Projector::PixtralUnmerged,
        Some("clip") => Projector::Clip,
        Some("siglip") => Projector::Siglip,
        // (in the larger ones rows of pictures see each other both ways in layers that slide, which is not implemented)
        Some("gemma4") if !gemma4::sees_both_ways(&config)? => Projector::Gemma4,
        _ => return Ok(None),
    };
    let (Some(vision), Some(rules)) = (config.object("vision_config")?, rules(texts)?) else {
        return Ok(None);
    };
    let vision = vision.renamed(&ALIASES);
    let deep = vision.u32s("deepstack_visual_indexes")?.unwrap_or_default();
    let renamed = tensors.iter().filter_map(|tensor| {
        let name = gguf_name(&tensor.name, &deep)?;
        let mut tensor = tensor.clone();
        if tensor.shape.is_empty() {
            tensor.shape.push(1);
        }
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
        let value = match (projector, from) {
            // (its `hidden_size` is the text model's)
            (Projector::Qwen2Vl, "hidden_size") => vision.u32("embed_dim")?,
            (Projector::Qwen2Vl, "intermediate_size") => {
                let width = vision.u32("embed_dim")?.unwrap_or(NUMBERS[0].2[which]);
                Some(width.saturating_mul(vision.u32("mlp_ratio")?.unwrap_or(4)))
            }
            _ => vision.u32(from)?,
        };
        let value = Value::U32(value.unwrap_or(defaults[which]));
        insert(&format!("vision.{to}"), value);
    }
    check(&config, &vision, projector)?;
    if projector.tower().activation == Activation::Silu {
        insert("use_silu", Value::Bool(true));
    }
    let eps = match projector {
        Projector::Pixtral | Projector::PixtralUnmerged => 1e-5,
        Projector::Clip => vision.f32("layer_norm_eps")?.unwrap_or(1e-5),
        Projector::Gemma4 => vision.f32("rms_norm_eps")?.unwrap_or(1e-6),
        _ => vision.f32("layer_norm_eps")?.unwrap_or(1e-6),
    };
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
        Projector::Qwen2Vl | Projector::Qwen25Vl | Projector::Qwen3Vl => {
            vision.u32("spatial_merge_size")?.unwrap_or(2)
        }
        Projector::Pixtral => config.u32("spatial_merge_size")?.unwrap_or(2),
        Projector::Lfm2 => config.u32("downsample_factor")?.unwrap_or(2),
        Projector::PixtralUnmerged | Projector::Clip | Projector::Siglip => 1,
        Projector::Gemma4 => vision.u32("pooling_kernel_size")?.unwrap_or(3),
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
        // (Gemma 4's files have them, and say that they are not used)
        let is_used = projector != Projector::Gemma4 || rules.bool("do_normalize")? == Some(true);
        if let Some(values) = rules.f32s(from)?.filter(|_| is_used) {
            insert(to, Value::Array(Array::F32(values)));
        }
    }
    if projector.embeds() {
        embeds::convert(&vision, &rules, projector, image, &mut insert)?;
    }
    if projector == Projector::Gemma4 {
        gemma4::convert(&vision, &rules, patch * merge, &tensors, &mut insert)?;
    }
    if projector == Projector::Lfm2 {
        insert_lfm2(&rules, patch * merge, &mut insert)?;
    }
    if projector.places_in_three() {
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
    if projector.is_pixtral() {
        let size = rules.object("size")?;
        let edge = size.map_or(Ok(None), |size| match size.u32("longest_edge")? {
            None => Err(size.wrong("longest_edge", "the longer side of pictures")),
            edge => Ok(edge),
        });
        let edge = Value::U32(edge?.unwrap_or(1024));
        insert("vision.preproc_image_size", edge);
        metadata.insert("hearth.rope.halves", Value::Bool(true));
    }
    if projector == Projector::Pixtral {
        let text = config.object("text_config")?;
        if let Some(eps) = text.map_or(Ok(None), |text| text.f32("rms_norm_eps"))? {
            metadata.insert(NORM_EPS, Value::F32(eps));
        }
    }
    if projector == Projector::Qwen25Vl {
        let full = vision.u32s("fullatt_block_indexes")?;
        let full = full.unwrap_or_else(|| vec![7, 15, 23, 31]);
        let side = vision.u32("window_size")?.unwrap_or(mmproj::WINDOW);
        let layers = metadata.u32("clip.vision.block_count")?;
        let layers = 0..layers.min(mmproj::MAX_LAYERS);
        let has_windows = layers.map(|layer| !full.contains(&layer)).collect();
        mmproj::insert_windows(&mut metadata, side, has_windows);
    }
    for tensor in &mut tensors {
        if projector == Projector::Gemma3 && tensor.name == projector.weights()[0] {
            mmproj::by_columns(tensor);
        }
    }
    if matches!(projector, Projector::Lfm2 | Projector::Gemma4) {
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

/// Returns whether a LLaVA sees by Pixtral.
fn has_pixtral(config: &Object) -> Result<bool> {
    let vision = config.object("vision_config")?;
    let kind = vision.map_or(Ok(None), |vision| {
        Ok(vision.str("model_type")?.map(str::to_owned))
    });
    Ok(kind?.as_deref() == Some("pixtral"))
}

/// Refuses settings of a tower and its projector that are not honoured.
fn check(config: &Object, vision: &Object, projector: Projector) -> Result<()> {
    const LAYER: &str = "vision_feature_layer";
    const ACTIVATION: &str = "hidden_act";
    const STRATEGY: &str = "vision_feature_select_strategy";
    if projector == Projector::PixtralUnmerged {
        // (transformers' defaults drop the first row of the last layer but one)
        if config.get(LAYER).is_none() {
            return Err(config.wrong(LAYER, "-1: the last one"));
        }
        if config.str(STRATEGY)? != Some("full") {
            return Err(config.wrong(STRATEGY, "full: the rows of all patches"));
        }
    }
    let is_like_llava = projector == Projector::Lfm2 || projector.is_pixtral();
    if is_like_llava && config.get(LAYER).is_some_and(|layer| *layer != -1) {
        return Err(config.wrong(LAYER, "-1: the last one"));
    }
    let activation = projector.tower().activation;
    // (transformers' default of Pixtral's is not that of its models)
    let is_it = match vision.str(ACTIVATION)? {
        Some(found) => activation.is_called(found),
        None => !projector.is_pixtral(),
    };
    if !is_it {
        return Err(vision.wrong(ACTIVATION, &format!("the tower's own ({activation:?})")));
    }
    if !projector.is_pixtral() && !projector.places_in_three() {
        return Ok(());
    }
    let rope = vision.object("rope_parameters")?;
    for rope in [Some(vision), rope.as_ref()].into_iter().flatten() {
        if rope.f32("rope_theta")?.is_some_and(|theta| theta != THETA) {
            return Err(rope.wrong("rope_theta", &format!("{THETA} in a tower")));
        }
        if rope.str("rope_type")?.is_some_and(|kind| kind != "axial") {
            return Err(rope.wrong("rope_type", "axial in a tower"));
        }
    }
    if projector.is_pixtral() {
        let activation = config.str("projector_hidden_act")?;
        if activation.is_some_and(|found| !Activation::GeluErf.is_called(found)) {
            return Err(config.wrong("projector_hidden_act", "gelu"));
        }
        let (width, heads) = (
            vision.u32("hidden_size")?,
            vision.u32("num_attention_heads")?,
        );
        let head_dim = width.unwrap_or(1024) / heads.unwrap_or(16).max(1);
        if vision.u32("head_dim")?.is_some_and(|dim| dim != head_dim) {
            return Err(vision.wrong("head_dim", &format!("{head_dim}, a share of hidden_size")));
        }
    }
    Ok(())
}

/// Writes the rules of LFM2-VL; `cell`: pixels of a row's side.
fn insert_lfm2(
    rules: &Object,
    cell: u32,
    insert: &mut impl FnMut(&str, Value) -> Option<Value>,
) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_not_honoured_are_refused_by_name() {
        let checked = |projector: Projector, config: &str, vision: &str| {
            let config = Object::parse(config, "config.json").unwrap();
            check(
                &config,
                &Object::parse(vision, "config.json").unwrap(),
                projector,
            )
        };
        let silu = r#"{"hidden_act": "silu", "hidden_size": 64, "num_attention_heads": 2}"#;
        let with = |more: &str| silu.replace('}', more) + "}";
        for (projector, config, vision, key) in [
            (Projector::Qwen2Vl, "{}", silu, "hidden_act"),
            (
                Projector::Qwen25Vl,
                "{}",
                r#"{"hidden_act": "gelu"}"#,
                "hidden_act",
            ),
            (Projector::Pixtral, "{}", "{}", "hidden_act"),
            (
                Projector::Pixtral,
                r#"{"vision_feature_layer": -2}"#,
                silu,
                "vision_feature_layer",
            ),
            (
                Projector::Pixtral,
                r#"{"projector_hidden_act": "silu"}"#,
                silu,
                "projector_hidden_act",
            ),
            (
                Projector::Pixtral,
                "{}",
                &with(r#", "head_dim": 16"#),
                "head_dim",
            ),
            (
                Projector::PixtralUnmerged,
                r#"{"vision_feature_select_strategy": "full"}"#,
                silu,
                "vision_feature_layer",
            ),
            (
                Projector::PixtralUnmerged,
                r#"{"vision_feature_layer": -1}"#,
                silu,
                "vision_feature_select_strategy",
            ),
            (
                Projector::PixtralUnmerged,
                r#"{"vision_feature_layer": -1, "vision_feature_select_strategy": "default"}"#,
                silu,
                "vision_feature_select_strategy",
            ),
            (
                Projector::Qwen25Vl,
                "{}",
                &with(r#", "rope_theta": 1e6"#),
                "rope_theta",
            ),
            (
                Projector::Qwen2Vl,
                "{}",
                r#"{"rope_parameters": {"rope_theta": 1e6, "rope_type": "axial"}}"#,
                "rope_theta",
            ),
            (
                Projector::Qwen3Vl,
                "{}",
                r#"{"rope_parameters": {"rope_theta": 1e4, "rope_type": "linear"}}"#,
                "rope_type",
            ),
        ] {
            let error = checked(projector, config, vision).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
        checked(Projector::Qwen2Vl, "{}", "{}").unwrap();
        let usual = r#"{"vision_feature_layer": -1, "projector_hidden_act": "gelu"}"#;
        let vision = with(r#", "head_dim": 32, "rope_theta": 10000.0"#);
        checked(Projector::Pixtral, usual, &vision).unwrap();
    }
}
