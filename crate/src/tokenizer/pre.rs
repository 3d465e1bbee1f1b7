//! Pre-tokenisers: how text is cut into words before byte-level BPE.
//!
//! The patterns are facts of each model family, from the `pre_tokenizer` of its `tokenizer.json` on Hugging
//! Face; the names are those that llama.cpp's converter writes to `tokenizer.ggml.pre`
//! (`convert_hf_to_gguf_update.py`, `src/llama-vocab.cpp`).

use std::borrow::Cow;

use tokenizers::normalizers::NFC;
use tokenizers::utils::SysRegex;
use tokenizers::{NormalizedString, Normalizer};

use crate::error::{Error, Result};

/// What a name in `tokenizer.ggml.pre` stands for.
struct Family {
    names: &'static [&'static str],
    /// Applied one after the other; what lies between matches is a piece too.
    splits: &'static [&'static str],
    /// Applied to the words after their bytes were spelled as characters.
    mapped_splits: &'static [&'static str],
    /// Text is brought to Unicode normal form C first.
    nfc: bool,
    /// A word that is in the vocabulary is one token, whatever the merges say.
    ignore_merges: bool,
    /// Default of `tokenizer.ggml.add_bos_token`.
    add_bos: bool,
}

const fn family(names: &'static [&'static str], splits: &'static [&'static str]) -> Family {
    Family {
        names,
        splits,
        mapped_splits: &[],
        nfc: false,
        ignore_merges: false,
        add_bos: false,
    }
}

impl Family {
    const fn nfc(self) -> Self {
        Family { nfc: true, ..self }
    }

    const fn whole_words(self) -> Self {
        Family {
            ignore_merges: true,
            ..self
        }
    }

    const fn mapped(self, mapped_splits: &'static [&'static str]) -> Self {
        Family {
            mapped_splits,
            ..self
        }
    }

    const fn bos(self) -> Self {
        Family {
            add_bos: true,
            ..self
        }
    }
}

const DIGIT: &str = r"\p{N}";
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SEED_CODER: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;

const FAMILIES: &[Family] = &[
    // "default" is what converters write for a pre-tokeniser that they do not know; GPT-2's is the common root.
    family(
        &[
            "default",
            "gpt-2",
            "gpt2",
            "phi-2",
            "jais",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "exaone4",
            "trillion",
            "granite-docling",
        ],
        &[GPT2],
    ),
    family(&["olmo", "mpt"], &[GPT2]).nfc(),
    family(
        &[
            "smollm",
            "starcoder",
            "refact",
            "codeshell",
            "exaone",
            "minerva-7b",
        ],
        &[DIGIT, GPT2],
    ),
    family(&["command-r"], &[DIGIT, GPT2]).nfc(),
    family(
        &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
        ],
        &[LLAMA3],
    )
    .whole_words()
    .bos(),
    family(&["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"], &[LLAMA3]),
    family(&["qwen2"], &[QWEN2]).nfc(),
    family(
        &[
            "deepseek-r1-qwen",
            "stablelm2",
            "megrez",
            "hunyuan",
            "kormo",
            "grok-2",
        ],
        &[QWEN2],
    ),
    family(&["qwen35"], &[QWEN35]).nfc(),
    family(&["tekken"], &[TEKKEN]).whole_words().bos(),
    family(&["gpt-4o", "llama4", "minimax-m2", "kanana2"], &[GPT4O]),
    family(&["seed-coder"], &[SEED_CODER]),
    family(
        &["deepseek-coder"],
        &[
            r"[\r\n]",
            r"\s?\p{L}+",
            r"\s?\p{P}+",
            "[一-龥ࠀ-一가-퟿]+",
            DIGIT,
        ],
    ),
    family(
        &["deepseek-v3", "hunyuan-dense"],
        &[r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3],
    ),
    // Falcon looks for digits behind the byte-level step, where "²" can be the half of another character.
    family(&["falcon"], &[r"[\p{P}$+<=>^~|`]+", GPT2]).mapped(&[r"\p{N}+", "[0-9][0-9][0-9]"]),
];

/// A compiled pre-tokeniser.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    splits: Vec<SysRegex>,
    mapped_splits: Vec<SysRegex>,
    nfc: bool,
    /// See [`Family::ignore_merges`].
    pub(super) ignore_merges: bool,
    /// See [`Family::add_bos`].
    pub(super) add_bos: bool,
}

impl PreTokenizer {
    /// The pre-tokeniser for a `tokenizer.ggml.pre`; an unknown name is an [`Error::Tokenizer`] with the known
    /// ones, because a wrong pre-tokeniser would degrade the model's answers without any visible sign.
    pub(super) fn new(name: &str) -> Result<Self> {
        let family = FAMILIES
            .iter()
            .find(|f| f.names.contains(&name))
            .ok_or_else(|| {
                let known: Vec<&str> = FAMILIES.iter().flat_map(|f| f.names).copied().collect();
                Error::Tokenizer {
                    message: format!(
                        "unknown pre-tokenizer {name:?}; known: {}",
                        known.join(", ")
                    ),
                }
            })?;
        let compile = |pattern: &&str| {
            SysRegex::new(pattern).map_err(|e| Error::Internal {
                what: format!("pre-tokenizer {name:?}"),
                message: e.to_string(),
            })
        };
        Ok(PreTokenizer {
            splits: family.splits.iter().map(compile).collect::<Result<_>>()?,
            mapped_splits: family
                .mapped_splits
                .iter()
                .map(compile)
                .collect::<Result<_>>()?,
            nfc: family.nfc,
            ignore_merges: family.ignore_merges,
            add_bos: family.add_bos,
        })
    }

    /// The text as the model's authors normalised it in training.
    pub(super) fn normalize<'t>(&self, text: &'t str) -> Result<Cow<'t, str>> {
        // ASCII is in normal form already, and by far the common case.
        if !self.nfc || text.is_ascii() {
            return Ok(Cow::Borrowed(text));
        }
        let mut normalized = NormalizedString::from(text);
        NFC.normalize(&mut normalized)
            .map_err(|e| Error::Tokenizer {
                message: e.to_string(),
            })?;
        Ok(Cow::Owned(normalized.get().to_owned()))
    }

    /// Cuts `text` into words; joined again they are `text`.
    pub(super) fn split<'t>(&self, text: &'t str) -> Vec<&'t str> {
        cut(text, &self.splits)
    }

    /// Cuts a word whose bytes are spelled as characters; in most families it stays whole.
    pub(super) fn split_mapped<'t>(&self, word: &'t str) -> Vec<&'t str> {
        cut(word, &self.mapped_splits)
    }
}

fn cut<'t>(text: &'t str, splits: &[SysRegex]) -> Vec<&'t str> {
    let mut pieces = vec![text];
    pieces.retain(|piece| !piece.is_empty());
    for regex in splits {
        let mut finer = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let mut done = 0;
            for (start, end) in regex.find_iter(piece) {
                finer.extend([&piece[done..start], &piece[start..end]]);
                done = end;
            }
            finer.push(&piece[done..]);
        }
        finer.retain(|piece| !piece.is_empty());
        pieces = finer;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_compiles_and_loses_nothing() {
        let text = "Hello, it's 12345 o'Clock\n\n  x = foo(a[1]);\t\r\n日本語テキスト e\u{301} 👩\u{200d}👧 ½ \u{a0}end  ";
        for family in FAMILIES {
            for name in family.names {
                let pre = PreTokenizer::new(name).unwrap();
                assert_eq!(pre.split(text).concat(), text, "{name}");
                assert!(pre.split("").is_empty());
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = FAMILIES.iter().flat_map(|f| f.names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn words() {
        let split = |name, text| PreTokenizer::new(name).unwrap().split(text);
        assert_eq!(
            split("gpt-2", "it's  2024 ok\n"),
            ["it", "'s", " ", " 2024", " ok", "\n"]
        );
        assert_eq!(split("smollm", "a 2024"), ["a", " ", "2", "0", "2", "4"]);
        assert_eq!(
            split("llama-bpe", "IT'S 1234567!\n\nx"),
            ["IT", "'S", " ", "123", "456", "7", "!\n\n", "x"]
        );
        assert_eq!(split("qwen2", "x 12\n"), ["x", " ", "1", "2", "\n"]);
        assert_eq!(
            split("tekken", "HelloWorld foo/\n"),
            ["Hello", "World", " foo", "/\n"]
        );
        assert_eq!(split("gpt-4o", "HelloWorld's"), ["Hello", "World's"]);
        assert_eq!(split("deepseek-coder", "a1\n"), ["a", "1", "\n"]);
    }

    #[test]
    fn normal_form_c_where_the_model_uses_it() {
        let normalize = |name, text| {
            PreTokenizer::new(name)
                .unwrap()
                .normalize(text)
                .unwrap()
                .into_owned()
        };
        assert_eq!(normalize("qwen2", "e\u{301}"), "é");
        assert_eq!(normalize("gpt-2", "e\u{301}"), "e\u{301}");
    }

    #[test]
    fn unknown_names_list_the_known() {
        let error = PreTokenizer::new("no-such").unwrap_err();
        assert_eq!(error.code(), "tokenizer_error");
        assert!(
            error.to_string().contains("\"no-such\"") && error.to_string().contains("smollm"),
            "{error}"
        );
    }
}
