//! Facts that files tell about a model besides what it computes: its name, its licence, its languages.

use std::collections::BTreeMap;

use hearth_modelfile::container::Metadata;
use serde_json::Value;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pub name: Option<String>,
    pub licence: Option<String>,
    pub source: Option<String>,
    pub target: Option<String>,
}

/// Reads the metadata of a GGUF file.
pub fn of_gguf(meta: &Metadata) -> About {
    let text = |key: &str| meta.opt_str(key).ok().flatten().map(str::to_owned);
    About {
        name: text("general.name"),
        licence: text("general.license"),
        ..About::default()
    }
}

/// Reads the texts of a folder.
pub fn of_texts(texts: &BTreeMap<String, String>) -> About {
    let json = |name: &str| -> Value {
        let text = texts.get(name).map(String::as_str).unwrap_or_default();
        serde_json::from_str(text).unwrap_or_default()
    };
    let (config, tokenizer) = (json("config.json"), json("tokenizer_config.json"));
    let text = |value: &Value| {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let name = text(&config["_name_or_path"]);
    let (mut source, mut target) = (
        text(&tokenizer["source_lang"]),
        text(&tokenizer["target_lang"]),
    );
    // Names of Helsinki's models have both: Helsinki-NLP/opus-mt-en-de.
    let pair = name.as_deref().and_then(|name| {
        let pair = name.rsplit('/').next()?.strip_prefix("opus-mt-")?;
        pair.split_once('-')
            .filter(|(_, target)| !target.contains('-'))
    });
    if let (None, None, Some((from, to))) = (&source, &target, pair) {
        (source, target) = (Some(from.to_owned()), Some(to.to_owned()));
    }
    let readme = texts.get("README.md").map(String::as_str);
    About {
        licence: readme.and_then(front_matter_licence),
        name,
        source,
        target,
    }
}

/// Returns whether answers have a vocabulary of their own.
pub fn has_two_vocabularies(texts: &BTreeMap<String, String>) -> bool {
    tokenizer(texts)["separate_vocabs"] == true
}

/// Returns whether the tokenizer is NLLB's: its class says so, or the file of its tokens.
pub fn is_nllb(texts: &BTreeMap<String, String>) -> bool {
    let class = &tokenizer(texts)["tokenizer_class"];
    match texts.get("tokenizer.json") {
        Some(text) => text.contains("_Latn\""),
        None => class
            .as_str()
            .is_some_and(|class| class.starts_with("Nllb")),
    }
}

/// Returns `tokenizer_config.json`; null if it is missing or no JSON.
pub fn tokenizer(texts: &BTreeMap<String, String>) -> Value {
    let text = texts.get("tokenizer_config.json").map(String::as_str);
    serde_json::from_str(text.unwrap_or_default()).unwrap_or_default()
}

/// Returns the licence in the YAML between the first two lines of `---`.
fn front_matter_licence(text: &str) -> Option<String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let lines = lines.take_while(|line| line.trim_end() != "---");
    let mut values = lines.filter_map(|line| line.strip_prefix("license:"));
    let value = values.next()?.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// Returns the bytes behind the header of a safetensors file, of all its tensors.
pub fn data_bytes(header: &[u8]) -> u64 {
    let json: Value = serde_json::from_slice(header).unwrap_or_default();
    let all = json.as_object().into_iter().flatten();
    let ends = all.filter_map(|(_, entry)| entry["data_offsets"][1].as_u64());
    ends.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_and_pairs_are_found() {
        let texts = |config: &str, readme: &str| {
            BTreeMap::from([
                ("config.json".to_owned(), config.to_owned()),
                ("README.md".to_owned(), readme.to_owned()),
            ])
        };
        let about = of_texts(&texts(
            r#"{"_name_or_path":"Helsinki-NLP/opus-mt-en-de"}"#,
            "---\nlanguage:\n- en\nlicense: \"cc-by-4.0\"\n---\nlicense: none",
        ));
        assert_eq!(about.licence.as_deref(), Some("cc-by-4.0"));
        assert_eq!(about.source.as_deref(), Some("en"));
        assert_eq!(about.target.as_deref(), Some("de"));
        let about = of_texts(&texts("no JSON", "license: mit"));
        assert_eq!(about, About::default());
        assert_eq!(
            data_bytes(br#"{"a":{"data_offsets":[0,8]},"b":{"data_offsets":[8,12]}}"#),
            12
        );
        assert_eq!(data_bytes(b"?"), 0);
    }
}
