//! Translates `tokenizer.json` to GGUF's metadata.

use serde_json::Value as Json;

use super::Object;
use super::frame::{begins_with, begins_with_one, ends_with, separator};
use super::steps::Steps;
use crate::container::{Array, Metadata, Value};
use crate::error::{Error, Result};

/// Maximum number of ids without a token, in addition to three times the number of tokens.
const MAX_GAPS: usize = 1024;

/// Sources of the names of the tokens that begin and end texts.
pub(super) struct Ends<'a> {
    pub(super) config: &'a Object,
    pub(super) generation_config: &'a Object,
    pub(super) tokenizer_config: &'a Object,
}

pub(super) fn refuse(message: impl Into<String>) -> Error {
    let message = format!("tokenizer.json: {}", message.into());
    Error::Tokenizer { message }
}

/// Fills `metadata`.
pub(super) fn convert(json: &Object, ends: &Ends<'_>, metadata: &mut Metadata) -> Result<()> {
    let model = json
        .object("model")?
        .ok_or_else(|| refuse("it has no model"))?;
    let steps = Steps::read(json)?;
    let mut vocab = Vocabulary::read(&model, json)?;
    let mut put = |key: &str, value: Value| {
        metadata.insert(format!("tokenizer.ggml.{key}"), value);
    };
    let kind = model.str("type")?.unwrap_or("BPE");
    match kind {
        "BPE" if steps.byte_level => {
            let strings = |texts: &[String]| Value::Array(Array::String(texts.to_vec()));
            put("model", Value::String("gpt2".into()));
            put("merges", strings(&merges(&model)?));
            let whole = model.bool("ignore_merges")?.unwrap_or(false);
            put("hearth.ignore_merges", Value::Bool(whole));
            put("hearth.splits", strings(&steps.splits));
            put("hearth.mapped_splits", strings(&steps.mapped_splits));
            put("hearth.nfc", Value::Bool(steps.nfc));
            put("hearth.drops_blanks", Value::Bool(steps.drops_blanks));
            let end = model.str("end_of_word_suffix")?.unwrap_or_default();
            put("hearth.word_end", Value::String(end.to_owned()));
        }
        "BPE"
            if model
                .str("end_of_word_suffix")?
                .is_some_and(|end| !end.is_empty()) =>
        {
            return Err(refuse("an end_of_word_suffix without bytes"));
        }
        // As SentencePiece's, but by the ranks of merges: a token with several derivations has no single score.
        "BPE" => {
            put("model", Value::String("llama".into()));
            put("merges", Value::Array(Array::String(merges(&model)?)));
            put("hearth.by_rank", Value::Bool(true));
            vocab.find_bytes();
            if steps.normalizes() {
                put("hearth.normal", Value::Bool(true));
            }
            steps.spell(&mut put);
        }
        "Unigram" => {
            put("model", Value::String("t5".into()));
            put("scores", Value::Array(Array::F32(vocab.scores.clone())));
            steps.spell(&mut put);
            vocab.find_bytes();
        }
        "WordPiece" => {
            put("model", Value::String("bert".into()));
            vocab.mark_words(model.str("continuing_subword_prefix")?.unwrap_or("##"));
            if let Some(lowercase) = steps.lowercase {
                put("normalizer.lowercase", Value::Bool(lowercase));
            }
            if let Some(strip) = steps.strip_accents {
                put("normalizer.strip_accents", Value::Bool(strip));
            }
        }
        other => return Err(refuse(format!("a model of type {other:?}"))),
    }
    if !steps.rewrites.is_empty() {
        let all = Value::Array(Array::String(steps.rewrites.clone()));
        put("hearth.rewrites", all);
    }
    let id_of = |token: &str| vocab.tokens.iter().position(|t| t == token);
    let unknown = match model.u32("unk_id")? {
        Some(id) => Some(id as usize),
        None => model.str("unk_token")?.and_then(id_of),
    };
    if let Some(id) = unknown {
        put("unknown_token_id", Value::U32(id as u32));
    }
    let named = |key: &str| ends.tokenizer_config.token(key).and_then(id_of);
    let (first, last) = match kind {
        "WordPiece" => ("cls_token", "sep_token"),
        _ => ("bos_token", "eos_token"),
    };
    // (encoders may name no beginning, and have one)
    let bos = named(first).or_else(|| begins_with_one(json).and_then(id_of));
    if let Some(id) = bos {
        put("bos_token_id", Value::U32(id as u32));
    }
    if ends.tokenizer_config.str("padding_side")? == Some("left") {
        put("hearth.pads_left", Value::Bool(true));
    }
    if let Some(id) = named("pad_token") {
        put("padding_token_id", Value::U32(id as u32));
    }
    // The first one ends a text; all end an answer.
    let closing = (kind != "WordPiece").then(|| ends_with(json)).flatten();
    let closing = closing.and_then(id_of);
    let last = closing.into_iter().chain(named(last));
    let mut ids: Vec<u32> = last.map(|id| id as u32).collect();
    for file in [ends.generation_config, ends.config] {
        let found = file.get("eos_token_id");
        let many = found
            .and_then(Json::as_array)
            .map_or(&[][..], Vec::as_slice);
        let all = found.into_iter().chain(many).filter_map(Json::as_u64);
        ids.extend(all.filter_map(|id| u32::try_from(id).ok()));
    }
    let mut seen = Vec::new();
    ids.retain(|id| {
        let fresh = (*id as usize) < vocab.tokens.len() && !seen.contains(id);
        seen.push(*id);
        fresh
    });
    for (key, id) in ["eos", "eot", "eom"].into_iter().zip(&ids) {
        put(&format!("{key}_token_id"), Value::U32(*id));
    }
    if let Some(ids) = (ends.generation_config.get("suppress_tokens")).and_then(Json::as_array) {
        let ids = ids.iter().filter_map(|id| i32::try_from(id.as_i64()?).ok());
        put("suppress_tokens", Value::Array(Array::I32(ids.collect())));
    }
    let flag = |key: &str| ends.tokenizer_config.bool(key);
    let begins = match begins_with(json) {
        Some(token) => bos.is_some_and(|bos| vocab.tokens[bos] == token),
        None => kind == "BPE" && !steps.byte_level && flag("add_bos_token")? != Some(false),
    };
    put("add_bos_token", Value::Bool(begins));
    put(
        "add_eos_token",
        Value::Bool(closing.is_some() || flag("add_eos_token")?.unwrap_or(false)),
    );
    if let Some(id) = separator(json)
        .filter(|_| kind != "WordPiece")
        .and_then(id_of)
    {
        put("seperator_token_id", Value::U32(id as u32));
        put("add_sep_token", Value::Bool(true));
    }
    for (name, ids) in vocab.rules {
        put(&format!("hearth.{name}"), Value::Array(Array::I32(ids)));
    }
    put("tokens", Value::Array(Array::String(vocab.tokens)));
    put("token_type", Value::Array(Array::I32(vocab.types)));
    Ok(())
}

/// Returns merges in GGUF's format: two texts with a blank between them.
fn merges(model: &Object) -> Result<Vec<String>> {
    let merges = model.get("merges").and_then(Json::as_array);
    let merges = merges.ok_or_else(|| refuse("it has no merges"))?;
    let one = |merge: &Json| match merge {
        Json::String(text) => Some(text.clone()),
        Json::Array(pair) => match pair.as_slice() {
            [Json::String(left), Json::String(right)] => Some(format!("{left} {right}")),
            _ => None,
        },
        _ => None,
    };
    let all: Option<Vec<String>> = merges.iter().map(one).collect();
    all.ok_or_else(|| refuse("merges are neither texts nor pairs"))
}

/// Tokens by id.
struct Vocabulary {
    tokens: Vec<String>,
    /// GGUF's numbers of the token types.
    types: Vec<i32>,
    /// Scores of a unigram model.
    scores: Vec<f32>,
    /// Exclusive upper bound of the ids.
    limit: usize,
    /// Ids of added tokens by the rule they request: see `crate::text::tokenizer`'s rules of added tokens.
    rules: [(&'static str, Vec<i32>); 3],
}

const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

impl Vocabulary {
    fn read(model: &Object, json: &Object) -> Result<Self> {
        let added = json.get("added_tokens").and_then(Json::as_array);
        let own = match model.get("vocab") {
            Some(Json::Object(ids)) => ids.len(),
            Some(Json::Array(pieces)) => pieces.len(),
            _ => 0,
        };
        let mut vocab = Self {
            tokens: Vec::new(),
            types: Vec::new(),
            scores: Vec::new(),
            limit: 4 * (own + added.map_or(0, Vec::len)) + MAX_GAPS,
            rules: ["lstrip", "rstrip", "single_word"].map(|name| (name, Vec::new())),
        };
        match model.get("vocab") {
            Some(Json::Object(ids)) => {
                for (token, id) in ids {
                    let id = id.as_u64().ok_or_else(|| refuse("an id is no number"))?;
                    vocab.put(id, token, NORMAL)?;
                }
            }
            Some(Json::Array(pieces)) => {
                for (id, piece) in pieces.iter().enumerate() {
                    let (Some(token), Some(score)) = (piece[0].as_str(), piece[1].as_f64()) else {
                        return Err(refuse("a piece is no pair of text and score"));
                    };
                    vocab.put(id as u64, token, NORMAL)?;
                    vocab.scores.push(score as f32);
                }
            }
            _ => return Err(refuse("it has no vocabulary")),
        }
        for token in added.into_iter().flatten() {
            let (Some(id), Some(text)) = (token["id"].as_u64(), token["content"].as_str()) else {
                return Err(refuse("an added token lacks id or content"));
            };
            let special = token["special"].as_bool().unwrap_or(false);
            vocab.put(id, text, if special { CONTROL } else { USER_DEFINED })?;
            for (name, ids) in &mut vocab.rules {
                if token[*name].as_bool() == Some(true) {
                    ids.extend(i32::try_from(id));
                }
            }
        }
        vocab.scores.resize(vocab.tokens.len(), 0.0);
        Ok(vocab)
    }

    fn put(&mut self, id: u64, token: &str, kind: i32) -> Result<()> {
        let id = usize::try_from(id).unwrap_or(usize::MAX);
        if id >= self.limit {
            return Err(refuse(format!("token {token:?} has the id {id}")));
        }
        // Ids without a token become unused ones.
        for unused in self.tokens.len()..=id {
            self.tokens.push(format!("[unused id {unused}]"));
            self.types.push(UNUSED);
        }
        self.tokens[id] = token.to_owned();
        self.types[id] = kind;
        Ok(())
    }

    /// Converts the marks of words: BERT marks pieces that continue a word, GGUF those that begin one.
    fn mark_words(&mut self, continuing: &str) {
        for (token, kind) in self.tokens.iter_mut().zip(&self.types) {
            if *kind == NORMAL {
                *token = match token.strip_prefix(continuing) {
                    Some(rest) => rest.to_owned(),
                    None => format!("▁{token}"),
                };
            }
        }
    }

    /// Finds the byte tokens, `<0xXX>`.
    fn find_bytes(&mut self) {
        for (token, kind) in self.tokens.iter().zip(&mut self.types) {
            let is_byte = token.len() == 6 && token.starts_with("<0x") && token.ends_with('>');
            if is_byte && *kind == NORMAL {
                *kind = BYTE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::text::MarkedText;
    use crate::text::tokenizer::Tokenizer;

    #[derive(Deserialize)]
    struct Golden {
        texts: Vec<String>,
        variants: Vec<Variant>,
    }

    #[derive(Deserialize)]
    struct Variant {
        name: String,
        tokenizer: Json,
        ids: Vec<Vec<u32>>,
    }

    /// Converts a `tokenizer.json` without any other file beside it.
    fn converted(tokenizer: &Json) -> Metadata {
        let json = Object::parse(&tokenizer.to_string(), "tokenizer.json").unwrap();
        let none = Object::parse("{}", "none").unwrap();
        let ends = Ends {
            config: &none,
            generation_config: &none,
            tokenizer_config: &none,
        };
        let mut metadata = Metadata::default();
        convert(&json, &ends, &mut metadata).unwrap();
        metadata
    }

    #[test]
    fn options_of_a_tokenizer_are_followed() {
        let path = concat!(
            env!("HEARTH_ROOT"),
            "tests/goldens/data/tokenizers/tokenizer_options.json"
        );
        let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut wrong = Vec::new();
        for Variant {
            name,
            tokenizer,
            ids,
        } in &golden.variants
        {
            let mut metadata = converted(tokenizer);
            metadata.insert("tokenizer.ggml.add_bos_token", Value::Bool(false));
            let tokenizer = Tokenizer::from_gguf(&metadata).unwrap();
            for (text, ids) in golden.texts.iter().zip(ids) {
                let rendered = MarkedText::trusted(text.as_str());
                let found = tokenizer.encode_template(&rendered).unwrap();
                if found != *ids {
                    let spelled = |ids: &[u32]| -> Vec<String> {
                        let text = |id: &u32| tokenizer.token_text(*id).map(str::to_owned);
                        ids.iter().filter_map(text).collect()
                    };
                    wrong.push(format!(
                        "{name} {text:?}:\n   found {:?}\nexpected {:?}",
                        spelled(&found),
                        spelled(ids)
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Merges whose results have several derivations: the pair's rank decides.
    #[test]
    fn merges_of_characters_go_by_the_rank_of_the_pair() {
        #[derive(Deserialize)]
        struct Golden {
            cases: Vec<Case>,
            tokenizer: Json,
        }
        #[derive(Deserialize)]
        struct Case {
            text: String,
            ids: Vec<u32>,
        }
        let path = concat!(
            env!("HEARTH_ROOT"),
            "tests/goldens/data/tokenizers/tokenizer_gemma4.json"
        );
        let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let metadata = converted(&golden.tokenizer);
        let tokenizer = Tokenizer::from_gguf(&metadata).unwrap();
        for Case { text, ids } in golden.cases {
            assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
        }
    }
}
