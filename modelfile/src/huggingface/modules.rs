//! Translates what sentence-transformers does with hidden states to GGUF's metadata: pooling, and projections behind it;
//! and what it makes a score of.
//!
//! Source: sentence-transformers `SentenceTransformer.py` (modules.json), `models/Pooling.py`, `models/Dense.py`,
//! `cross_encoder/modules/logit_score.py`.

use serde_json::Value as Json;

use super::Texts;
use crate::config::classifier::ANSWERS;
use crate::container::{Array, Metadata, Value};
use crate::error::{Error, Result};
use crate::families::{ModelSpec, Ranking};
use crate::json::Object;

const MODULES: &str = "modules.json";
const POOLING: &str = "1_Pooling/config.json";
/// Text of the module that makes a score of two tokens' logits.
pub(super) const SCORE: &str = "1_LogitScore/config.json";
/// Folders of the projections, with the beginning of their keys.
const DENSE: [(&str, &str, &str); 2] = [
    ("2_Dense", "2_Dense/config.json", "dense_2"),
    ("3_Dense", "3_Dense/config.json", "dense_3"),
];

/// Fills `metadata` from the texts of a folder.
///
/// # Errors
/// [`Error::Metadata`] with the file and key for a module that is not supported, [`Error::BadFile`] for another text than JSON,
/// [`Error::Io`] if a text is missing without which the model would be another one.
pub(super) fn convert(texts: &Texts, spec: &ModelSpec, metadata: &mut Metadata) -> Result<()> {
    pooling(texts, spec, metadata)?;
    let projects = spec.honours.contains(&"dense_2_feat_out");
    let Some(text) = texts.get(MODULES) else {
        return match projects {
            true => Err(missing(MODULES)),
            false => Ok(()),
        };
    };
    let modules: Vec<Json> = serde_json::from_str(text).map_err(|e| Error::BadFile {
        format: MODULES,
        what: "the text".into(),
        expected: "a JSON array".into(),
        found: e.to_string(),
    })?;
    let mut dense = DENSE.iter();
    for module in &modules {
        let field = |key: &str| module[key].as_str().unwrap_or_default();
        let (kind, path) = (field("type"), field("path"));
        match kind.rsplit('.').next() {
            Some("Transformer") if path.is_empty() => {}
            Some("Pooling") if path == "1_Pooling" => {}
            Some("Normalize") => {}
            Some("LogitScore") if path == "1_LogitScore" => answers(texts, spec, metadata)?,
            Some("Dense") => match dense.next() {
                Some((folder, file, key)) if path == *folder => {
                    projection(texts, file, key, spec, metadata)?;
                }
                _ => {
                    return Err(wrong(
                        "path",
                        "2_Dense, then 3_Dense, for projections",
                        path,
                    ));
                }
            },
            _ => {
                let expected = "Transformer, 1_Pooling, Dense, Normalize and 1_LogitScore";
                return Err(wrong("type", expected, &format!("{kind} in {path:?}")));
            }
        }
    }
    Ok(())
}

/// Writes the method by which a text's hidden states become one embedding, in GGUF's numbers.
fn pooling(texts: &Texts, spec: &ModelSpec, metadata: &mut Metadata) -> Result<()> {
    let Some(text) = texts.get(POOLING) else {
        return Ok(());
    };
    let pooling = Object::parse(text, POOLING)?;
    let mut found = Vec::new();
    for (key, number) in [
        ("pooling_mode_mean_tokens", Some(1)),
        ("pooling_mode_cls_token", Some(2)),
        ("pooling_mode_lasttoken", Some(3)),
        ("pooling_mode_max_tokens", None),
        ("pooling_mode_mean_sqrt_len_tokens", None),
        ("pooling_mode_weightedmean_tokens", None),
    ] {
        if pooling.bool(key)? == Some(true) {
            found.push(number.ok_or_else(|| pooling.wrong(key, "false: it is not supported"))?);
        }
    }
    match found[..] {
        [] => Ok(()),
        [number] => {
            metadata.insert(format!("{}.pooling_type", spec.name), Value::U32(number));
            Ok(())
        }
        _ => Err(Error::Metadata {
            key: POOLING.into(),
            expected: "one pooling mode".into(),
            found: format!("{} of them", found.len()),
        }),
    }
}

/// Writes that a model ranks documents by the logits of two answers.
fn answers(texts: &Texts, spec: &ModelSpec, metadata: &mut Metadata) -> Result<()> {
    let config = Object::parse(texts.get(SCORE).ok_or_else(|| missing(SCORE))?, SCORE)?;
    if spec.ranking != Ranking::YesOrNo {
        let found = format!("LogitScore in {}", spec.name);
        return Err(wrong("type", "no classifier in this family", &found));
    }
    let id = |key: &str| {
        let id = config.u32(key)?;
        id.ok_or_else(|| config.wrong(key, "the id of a token"))
    };
    let ids = vec![id("true_token_id")?, id("false_token_id")?];
    metadata.insert(ANSWERS, Value::Array(Array::U32(ids)));
    super::config::rank_by_answer(spec, metadata);
    Ok(())
}

/// Writes the widths of a projection.
fn projection(
    texts: &Texts,
    file: &'static str,
    key: &str,
    spec: &ModelSpec,
    metadata: &mut Metadata,
) -> Result<()> {
    let config = Object::parse(texts.get(file).ok_or_else(|| missing(file))?, file)?;
    if config.bool("bias")? != Some(false) {
        return Err(config.wrong("bias", "false"));
    }
    let activation = config.str("activation_function")?.unwrap_or_default();
    if !activation.ends_with(".Identity") {
        return Err(config.wrong("activation_function", "torch.nn.modules.linear.Identity"));
    }
    for (from, to) in [("in_features", "in"), ("out_features", "out")] {
        let width = config.u32(from)?;
        let width = width.ok_or_else(|| config.wrong(from, "a number"))?;
        metadata.insert(format!("{}.{key}_feat_{to}", spec.name), Value::U32(width));
    }
    Ok(())
}

fn missing(file: &str) -> Error {
    Error::Io {
        what: file.into(),
        message: "it is not there".into(),
    }
}

fn wrong(key: &str, expected: &str, found: &str) -> Error {
    Error::Metadata {
        key: format!("{MODULES}: {key}"),
        expected: expected.into(),
        found: found.chars().take(80).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::bert::BERT;
    use crate::families::gemma::GEMMA_EMBEDDING;

    const DENSE_CONFIG: &str = r#"{"in_features": 768, "out_features": 3072, "bias": false,
        "activation_function": "torch.nn.modules.linear.Identity"}"#;

    fn module(kind: &str, path: &str) -> String {
        format!(
            r#"{{"idx": 0, "name": "0", "path": "{path}", "type": "sentence_transformers.models.{kind}"}}"#
        )
    }

    fn converted(spec: &ModelSpec, modules: &[String], files: &[(&str, &str)]) -> Result<Metadata> {
        let mut texts = Texts::new();
        texts.insert(MODULES.into(), format!("[{}]", modules.join(",")));
        for (name, text) in files {
            texts.insert((*name).into(), (*text).into());
        }
        let mut metadata = Metadata::default();
        convert(&texts, spec, &mut metadata)?;
        Ok(metadata)
    }

    fn file(text: &str) -> [(&str, &str); 1] {
        [("2_Dense/config.json", text)]
    }

    #[test]
    fn projections_are_read_in_order_and_others_are_refused() {
        let first = module("Transformer", "");
        let dense = |path: &str| [first.clone(), module("Dense", path)];
        let found = converted(&GEMMA_EMBEDDING, &dense("2_Dense"), &file(DENSE_CONFIG)).unwrap();
        let key = |end: &str| found.u32(&format!("gemma-embedding.dense_2_feat_{end}"));
        assert_eq!((key("in"), key("out")), (Ok(768), Ok(3072)));
        for (modules, text, named) in [
            (
                dense("2_Dense"),
                DENSE_CONFIG.replace("false", "true"),
                "bias",
            ),
            (
                dense("2_Dense"),
                DENSE_CONFIG.replace("linear.Identity", "activation.Tanh"),
                "Tanh",
            ),
            (
                dense("2_Dense"),
                DENSE_CONFIG.replace("3072", "\"wide\""),
                "out_features",
            ),
            (dense("3_Dense"), DENSE_CONFIG.into(), "path"),
            (
                [first.clone(), module("CNN", "2_CNN")],
                DENSE_CONFIG.into(),
                "CNN",
            ),
            (
                [first.clone(), module("Pooling", "9_Pooling")],
                DENSE_CONFIG.into(),
                "9_Pooling",
            ),
        ] {
            let error = converted(&GEMMA_EMBEDDING, &modules, &file(&text)).unwrap_err();
            assert!(error.to_string().contains(named), "{named}: {error}");
        }
        let error = converted(&GEMMA_EMBEDDING, &dense("2_Dense"), &[]).unwrap_err();
        assert!(error.to_string().contains("2_Dense/config.json"), "{error}");
    }

    #[test]
    fn a_model_with_projections_must_list_its_modules() {
        let mut metadata = Metadata::default();
        let error = convert(&Texts::new(), &GEMMA_EMBEDDING, &mut metadata).unwrap_err();
        assert!(error.to_string().contains(MODULES), "{error}");
        convert(&Texts::new(), &BERT, &mut metadata).unwrap();
    }

    #[test]
    fn one_pooling_of_those_that_are_known() {
        let of = |modes: &str| converted(&BERT, &[], &[(POOLING, modes)]);
        let cls = of(r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#);
        assert_eq!(cls.unwrap().u32("bert.pooling_type"), Ok(2));
        assert!(of("{}").unwrap().get("bert.pooling_type").is_none());
        for wrong in [
            r#"{"pooling_mode_max_tokens": true}"#,
            r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#,
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
