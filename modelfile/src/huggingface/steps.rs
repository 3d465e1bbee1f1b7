//! Steps of `tokenizer.json` before text is cut into tokens: its normalizer and its pre-tokenizer.

use serde_json::Value as Json;

use super::Object;
use super::charsmap;
use super::tokenizer::refuse;
use crate::container::{Array, Value};
use crate::error::Result;

/// GPT-2's pattern, by which `ByteLevel` splits if its settings request it.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// End of CLIP's pattern, which leaves white space unmatched.
const WORDS: &str = r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Steps applied to text before it is cut into tokens.
#[derive(Default)]
pub(super) struct Steps {
    /// Patterns that split text, applied in order, before and after bytes are spelled as characters.
    pub(super) splits: Vec<String>,
    pub(super) mapped_splits: Vec<String>,
    pub(super) byte_level: bool,
    pub(super) nfc: bool,
    /// Puts a blank in front of the text.
    pub(super) prefix: bool,
    /// Restriction on the prefix, if any: only where there is no blank yet (`missing`), or only at the beginning of
    /// the whole text (`first`).
    pub(super) scheme: Option<&'static str>,
    /// Words are cut at blanks, which vanish.
    pub(super) merges_blanks: bool,
    /// Several blanks become one.
    pub(super) collapses_blanks: bool,
    /// Blanks at the end vanish.
    pub(super) strips_end: bool,
    /// SentencePiece's normalisation table.
    pub(super) charsmap: Option<Vec<u8>>,
    /// Steps on the whole text before all others, see [`crate::text::tokenizer`]'s rewriting.
    pub(super) rewrites: Vec<String>,
    /// White space between words is dropped, so that words are all there is.
    pub(super) drops_blanks: bool,
    /// BERT's setting.
    pub(super) lowercase: Option<bool>,
    pub(super) strip_accents: Option<bool>,
}

impl Steps {
    /// Reads both.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) for a step that is not supported.
    pub(super) fn read(json: &Object) -> Result<Self> {
        let mut steps = Self::default();
        for step in in_turn(json.get("normalizer"), "normalizers") {
            steps.normalizer(step)?;
        }
        for step in in_turn(json.get("pre_tokenizer"), "pretokenizers") {
            steps.pre_tokenizer(step)?;
        }
        let kind = json.get("model").map(|model| &model["type"]);
        let is_unigram = kind.is_some_and(|kind| kind == "Unigram");
        // (BPE over characters is SentencePiece's as well)
        let is_bpe = kind.is_none_or(|kind| kind.is_null() || kind == "BPE") && !steps.byte_level;
        if !is_unigram && !is_bpe && steps.normalizes() {
            return Err(refuse("steps of a unigram model before another one"));
        }
        if steps.strips_end && !steps.collapses_blanks && !steps.merges_blanks {
            return Err(refuse("a strip without a replacement of several blanks"));
        }
        Ok(steps)
    }

    /// Returns whether a text gets a normal form of SentencePiece's.
    pub(super) fn normalizes(&self) -> bool {
        self.charsmap.is_some() || self.merges_blanks || self.collapses_blanks || self.strips_end
    }

    /// Writes down the normal form of a text by GGUF's keys.
    pub(super) fn spell(&self, put: &mut impl FnMut(&str, Value)) {
        put("add_space_prefix", Value::Bool(self.prefix));
        if let Some(scheme) = self.scheme {
            put("hearth.prefix", Value::String(scheme.into()));
        }
        put("remove_extra_whitespaces", Value::Bool(self.merges_blanks));
        let collapses = self.collapses_blanks && !self.merges_blanks;
        put("hearth.collapse_blanks", Value::Bool(collapses));
        put("hearth.strip_end", Value::Bool(self.strips_end));
        if let Some(table) = &self.charsmap {
            put(
                "precompiled_charsmap",
                Value::Array(Array::U8(table.clone())),
            );
        }
    }

    fn normalizer(&mut self, step: &Json) -> Result<()> {
        match step["type"].as_str().unwrap_or_default() {
            "NFC" if self.rewrites.is_empty() => {
                self.nfc = true;
                Ok(())
            }
            "NFC" => self.rewrite(&["nfc"]),
            "Lowercase" => self.rewrite(&["lowercase"]),
            "Strip" if step["strip_right"] == true && step["strip_left"] == true => {
                self.rewrite(&["strip"])
            }
            "BertNormalizer" => {
                self.lowercase = step["lowercase"].as_bool();
                self.strip_accents = step["strip_accents"].as_bool();
                Ok(())
            }
            "Prepend" => {
                self.prefix = true;
                Ok(())
            }
            // A blank becomes SentencePiece's mark, which the tokenizer does anyway.
            "Replace" if step["pattern"]["String"] == " " => Ok(()),
            "Replace" if step["pattern"]["Regex"] == " {2,}" => {
                self.collapses_blanks = true;
                match step["content"].as_str() {
                    Some(" " | "▁") => Ok(()),
                    other => Err(refuse(format!("several blanks become {other:?}"))),
                }
            }
            "Replace" if step["pattern"]["Regex"].is_string() => {
                let pattern = step["pattern"]["Regex"].as_str().unwrap_or_default();
                let content = step["content"].as_str().unwrap_or_default();
                self.rewrite(&["replace", pattern, content])
            }
            "Strip" if step["strip_right"] == true && step["strip_left"] == false => {
                self.strips_end = true;
                Ok(())
            }
            "Precompiled" => {
                let table = step["precompiled_charsmap"].as_str().unwrap_or_default();
                self.charsmap = Some(charsmap::decode(table)?);
                Ok(())
            }
            other => Err(refuse(format!("a normalizer of type {other:?}"))),
        }
    }

    /// Adds a step on the whole text, which must come before SentencePiece's own.
    fn rewrite(&mut self, step: &[&str]) -> Result<()> {
        if self.charsmap.is_some() || self.prefix || self.collapses_blanks || self.strips_end {
            return Err(refuse(format!("a normalizer {step:?} after others")));
        }
        // (it came first, and stays there)
        if std::mem::take(&mut self.nfc) {
            self.rewrites.push("nfc".to_owned());
        }
        self.rewrites
            .extend(step.iter().map(|word| (*word).to_owned()));
        Ok(())
    }

    fn pre_tokenizer(&mut self, step: &Json) -> Result<()> {
        match step["type"].as_str().unwrap_or_default() {
            "Split" => {
                // SentencePiece's words begin with blanks; its merges never cross them.
                if step["pattern"]["String"] == " " && !self.byte_level {
                    return Ok(());
                }
                let behavior = step["behavior"].as_str().unwrap_or_default();
                let inverted = step["invert"].as_bool().unwrap_or(false);
                // Either way both are kept whole: the matches and the text between them.
                if behavior != "Isolated" && !(behavior == "Removed" && inverted) {
                    return Err(refuse(format!("a split that is {behavior:?}")));
                }
                let pattern = &step["pattern"];
                let regex = pattern["Regex"].as_str();
                // (what is no word is white space then)
                self.drops_blanks |= regex.is_some_and(|regex| regex.ends_with(WORDS));
                let regex = regex.ok_or_else(|| refuse("a split without a pattern"))?;
                self.cut(regex.to_owned());
                Ok(())
            }
            "Digits" => {
                let each = step["individual_digits"].as_bool().unwrap_or(false);
                self.cut(if each { r"\p{N}" } else { r"\p{N}+" }.to_owned());
                Ok(())
            }
            "ByteLevel" => {
                if step["use_regex"].as_bool().unwrap_or(true) {
                    self.cut(GPT2.to_owned());
                }
                if step["add_prefix_space"].as_bool().unwrap_or(false) {
                    return Err(refuse("a byte-level step that puts a blank in front"));
                }
                self.byte_level = true;
                Ok(())
            }
            "BertPreTokenizer" => Ok(()),
            "WhitespaceSplit" => {
                self.merges_blanks = true;
                Ok(())
            }
            "Metaspace" => {
                (self.prefix, self.scheme) = match step["prepend_scheme"].as_str() {
                    // Files from before schemes were introduced.
                    None => (step["add_prefix_space"] != false, Some("missing")),
                    Some("always") => (true, Some("missing")),
                    Some("first") => (true, Some("first")),
                    Some("never") => (false, None),
                    Some(other) => return Err(refuse(format!("a Metaspace that is {other:?}"))),
                };
                if self.merges_blanks {
                    // (words begin without blanks, and each gets one)
                    self.scheme = None;
                    if !self.prefix {
                        return Err(refuse("words without the blanks between them"));
                    }
                }
                Ok(())
            }
            other => Err(refuse(format!("a pre-tokenizer of type {other:?}"))),
        }
    }

    fn cut(&mut self, pattern: String) {
        match self.byte_level {
            true => self.mapped_splits.push(pattern),
            false => self.splits.push(pattern),
        }
    }
}

/// Flattens a step: itself, or the steps of a sequence, which are under `key`, and of sequences nested in it.
pub(super) fn in_turn<'a>(step: Option<&'a Json>, key: &str) -> Vec<&'a Json> {
    match step {
        Some(step) if step["type"] == "Sequence" => {
            let all = step[key].as_array().into_iter().flatten();
            all.flat_map(|step| in_turn(Some(step), key)).collect()
        }
        step => step.into_iter().collect(),
    }
}
