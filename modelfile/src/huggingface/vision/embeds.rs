//! Rules by which models that make embeddings of pictures want them prepared: CLIP and SigLIP.
//!
//! Source: transformers `models/clip/image_processing_pil_clip.py`, `models/siglip/image_processing_pil_siglip.py`.

use crate::container::Value;
use crate::error::Result;
use crate::json::Object;
use crate::vision::{BILINEAR, Projector};

/// Pillow's numbers of filters.
const BILINEAR_FILTER: u32 = 2;
const BICUBIC_FILTER: u32 = 3;

/// Writes down what differs between models, and refuses what is not honoured; `side`: what the tower sees.
pub(super) fn convert(
    vision: &Object,
    rules: &Object,
    projector: Projector,
    side: u32,
    insert: &mut impl FnMut(&str, Value) -> Option<Value>,
) -> Result<()> {
    const HEAD: &str = "vision_use_head";
    const CROP: &str = "do_center_crop";
    if vision.bool(HEAD)? == Some(false) {
        return Err(vision.wrong(HEAD, "true: without its head the model makes no embeddings"));
    }
    for key in ["do_resize", "do_rescale", "do_normalize"] {
        if rules.bool(key)? == Some(false) {
            return Err(rules.wrong(key, "true"));
        }
    }
    let factor = rules.f32("rescale_factor")?.unwrap_or(1.0 / 255.0);
    if (factor * 255.0 - 1.0).abs() > 1e-4 {
        return Err(rules.wrong("rescale_factor", "1/255"));
    }
    match rules.u32("resample")?.unwrap_or(BICUBIC_FILTER) {
        BICUBIC_FILTER => {}
        BILINEAR_FILTER if projector == Projector::Siglip => {
            insert(BILINEAR, Value::Bool(true));
        }
        _ => return Err(rules.wrong("resample", "3: bicubic")),
    }
    let crops = rules.bool(CROP)?.unwrap_or(projector == Projector::Clip);
    let sizes: &[&str] = match (projector, crops) {
        (Projector::Clip, true) => &["size", "crop_size"],
        (Projector::Siglip, false) => &["size"],
        (_, found) => return Err(rules.wrong(CROP, &(!found).to_string())),
    };
    for key in sizes {
        let found = size(rules, key, projector == Projector::Clip && *key == "size")?;
        if found.is_some_and(|found| found != side) {
            let expected = format!("a square of {side}, what the tower sees");
            return Err(rules.wrong(key, &expected));
        }
    }
    Ok(())
}

/// Reads a size: a number, or an object with both sides or with the shorter one; `shorter` says which it must be.
fn size(rules: &Object, key: &str, shorter: bool) -> Result<Option<u32>> {
    if rules.get(key).is_some_and(serde_json::Value::is_number) {
        return rules.u32(key);
    }
    let Some(size) = rules.object(key)? else {
        return Ok(None);
    };
    if shorter {
        let edge = size.u32("shortest_edge")?;
        return match edge {
            Some(_) => Ok(edge),
            None => Err(size.wrong("shortest_edge", "the shorter side of pictures")),
        };
    }
    let sides = (size.u32("height")?, size.u32("width")?);
    match sides {
        (Some(height), Some(width)) if height == width => Ok(Some(height)),
        _ => Err(rules.wrong(key, "an object with equal height and width")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(projector: Projector, vision: &str, rules: &str) -> Result<Vec<String>> {
        let parse = |text: &str| Object::parse(text, "preprocessor_config.json").unwrap();
        let mut written = Vec::new();
        let mut insert = |key: &str, _: Value| {
            written.push(key.to_owned());
            None
        };
        convert(&parse(vision), &parse(rules), projector, 224, &mut insert)?;
        Ok(written)
    }

    #[test]
    fn files_of_the_hub_are_read() {
        for (projector, rules) in [
            (
                Projector::Clip,
                r#"{"crop_size": 224, "do_center_crop": true, "resample": 3, "size": 224}"#,
            ),
            (
                Projector::Clip,
                r#"{"crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 224}, "rescale_factor": 0.00392156862745098}"#,
            ),
            (
                Projector::Siglip,
                r#"{"do_rescale": true, "resample": 3, "size": {"height": 224, "width": 224}}"#,
            ),
        ] {
            assert_eq!(converted(projector, "{}", rules), Ok(Vec::new()), "{rules}");
        }
        let bilinear = r#"{"resample": 2, "size": {"height": 224, "width": 224}}"#;
        let written = converted(Projector::Siglip, "{}", bilinear).unwrap();
        assert_eq!(written, [BILINEAR]);
    }

    #[test]
    fn rules_that_are_not_honoured_are_refused_by_name() {
        for (projector, vision, rules, key) in [
            (
                Projector::Siglip,
                r#"{"vision_use_head": false}"#,
                "{}",
                "vision_use_head",
            ),
            (
                Projector::Clip,
                "{}",
                r#"{"do_normalize": false}"#,
                "do_normalize",
            ),
            (
                Projector::Clip,
                "{}",
                r#"{"rescale_factor": 0.5}"#,
                "rescale_factor",
            ),
            (Projector::Clip, "{}", r#"{"resample": 2}"#, "resample"),
            (Projector::Siglip, "{}", r#"{"resample": 1}"#, "resample"),
            (
                Projector::Clip,
                "{}",
                r#"{"do_center_crop": false}"#,
                "do_center_crop",
            ),
            (
                Projector::Siglip,
                "{}",
                r#"{"do_center_crop": true}"#,
                "do_center_crop",
            ),
            (Projector::Clip, "{}", r#"{"size": 256}"#, "size"),
            (
                Projector::Clip,
                "{}",
                r#"{"size": {"height": 224, "width": 224}}"#,
                "shortest_edge",
            ),
            (
                Projector::Clip,
                "{}",
                r#"{"crop_size": {"height": 224, "width": 200}}"#,
                "crop_size",
            ),
            (
                Projector::Siglip,
                "{}",
                r#"{"size": {"height": 384, "width": 384}}"#,
                "size",
            ),
        ] {
            let error = converted(projector, vision, rules).unwrap_err();
            assert!(error.to_string().contains(key), "{rules}: {error}");
        }
    }
}
