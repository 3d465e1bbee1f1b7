//! Builds a [`Tokenizer`] from the metadata of a GGUF file.
//!
//! Keys and defaults: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md> ("Tokenizer") and, where it
//! is silent, llama.cpp's behaviour (`src/llama-vocab.cpp`).

use std::sync::Arc;

use tokenizers::models::bpe::{BPE, Merges as BpeMerges, Vocab as BpeVocab};

use super::added::AddedRules;
use super::decode::{Scheme, Table, byte_token};
use super::literal::Literals;
use super::merges::Merges;
use super::normal::{Blanks, Normal};
use super::pre::PreTokenizer;
use super::rewrite::Rewrites;
use super::special::Specials;
use super::spm::{Order, SentencePiece};
use super::unigram::UnigramModel;
use super::vocab::{Kind, Vocab};
use super::wordpiece::WordPieceModel;
use super::{Model, Prefix, Tokenizer};
use crate::container::{Metadata, Value};
use crate::error::{Error, Result};

const MODELS: &str = "gpt2, llama, gemma4, t5, bert";

/// Texts that end an answer in some model family. Only some files name theirs in `eot_token_id`.
const END_TOKENS: &[&str] = &[
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<end_of_turn>",
    "<turn|>",
    // Gemma 4 stops here for the results of its calls.
    "<|tool_response>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>",
    "<|EOT|>",
    "<EOT>",
    "</s>",
];

impl Tokenizer {
    /// Reads the `tokenizer.ggml.*` metadata.
    ///
    /// # Errors
    ///
    /// [`Error::Metadata`] if a key is missing, of the wrong type or contradicts another;
    /// [`Error::Tokenizer`] if the kind of tokenizer or its pre-tokeniser is unknown.
    pub fn from_gguf(meta: &Metadata) -> Result<Self> {
        let model = meta.str("tokenizer.ggml.model")?;
        let scheme = match model {
            "gpt2" => Scheme::ByteLevel,
            // (for "bert" the marks of words are the same)
            "llama" | "gemma4" | "t5" | "bert" => Scheme::SentencePiece,
            other => return Err(refuse(format!("unknown model {other:?}; known: {MODELS}"))),
        };
        let tokens = meta.strings("tokenizer.ggml.tokens")?;
        let special = |name: &str| special_id(meta, name, tokens.len());
        // SentencePiece's own defaults.
        let default = |id: u32| {
            (model == "llama")
                .then_some(id)
                .filter(|&id| (id as usize) < tokens.len())
        };
        let is_bert = model == "bert";
        let is_gemma4 = model == "gemma4";
        let is_modern_bert = meta.opt_str("general.architecture")? == Some("modern-bert")
            && meta.get("tokenizer.ggml.hearth.splits").is_none();
        // BERT's names for them; its first files named no others.
        let bert = |name: &str, id: u32| -> Result<Option<u32>> {
            let id = Some(id).filter(|&id| is_bert && (id as usize) < tokens.len());
            Ok(if is_bert { special(name)?.or(id) } else { None })
        };
        let unknown = special("unknown")?.or(default(0)).or(bert("unknown", 100)?);
        let bos = special("bos")?.or(default(1)).or(bert("cls", 101)?);
        let eos = special("eos")?.or(default(2)).or(bert("seperator", 102)?);
        let pad = special("padding")?;
        let ends = [eos, special("eot")?, special("eom")?];

        let mut kinds = kinds(meta, tokens, scheme)?;
        for id in [bos].into_iter().chain(ends).flatten() {
            // Some conversions forget to mark them.
            let looks_special = tokens[id as usize].starts_with(['<', '[']);
            if let Some(kind) = kinds
                .get_mut(id as usize)
                .filter(|k| **k == Kind::Normal && looks_special)
            {
                *kind = Kind::Control;
            }
        }
        let vocab = Vocab::new(tokens, kinds)?;
        let eog = end_ids(&vocab, ends);
        let key = "tokenizer.ggml.eos_token_id";
        if eog.is_empty() && meta.opt_u32(key)?.is_some() {
            // Without it no answer would ever end.
            return Err(Error::Metadata {
                key: key.into(),
                expected: format!("a token id below {}", tokens.len()),
                found: meta.u32(key)?.to_string(),
            });
        }
        let named = [bos.as_slice(), &eog].concat();
        let template = meta.opt_str("tokenizer.chat_template")?.unwrap_or_default();
        let flag = |name: &str| meta.opt_bool(&format!("tokenizer.ggml.{name}"));
        let add_blank = scheme == Scheme::SentencePiece
            && !is_bert
            && !is_gemma4
            && flag("add_space_prefix")?.unwrap_or(true);
        let prefix = match (add_blank, meta.opt_str("tokenizer.ggml.hearth.prefix")?) {
            (false, _) => Prefix::Never,
            (true, Some("first")) => Prefix::Missing { first_only: true },
            (true, Some("missing")) => Prefix::Missing { first_only: false },
            (true, _) => Prefix::Always,
        };
        let mut default_bos = model == "llama";
        let model = match model {
            "gpt2" => {
                let pre = match meta.opt_strings("tokenizer.ggml.hearth.splits")? {
                    Some(splits) => PreTokenizer::of(
                        splits,
                        meta.strings("tokenizer.ggml.hearth.mapped_splits")?,
                        flag("hearth.nfc")?.unwrap_or(false),
                        flag("hearth.ignore_merges")?.unwrap_or(false),
                        flag("hearth.drops_blanks")?.unwrap_or(false),
                    )?,
                    None => {
                        PreTokenizer::new(meta.opt_str("tokenizer.ggml.pre")?.unwrap_or("default"))?
                    }
                };
                default_bos = pre.add_bos;
                let bpe = byte_level(
                    &vocab,
                    meta.strings("tokenizer.ggml.merges")?,
                    pre.ignore_merges,
                    meta.opt_str("tokenizer.ggml.hearth.word_end")?
                        .unwrap_or_default(),
                )?;
                Model::ByteLevel {
                    bpe: Box::new(bpe),
                    pre,
                }
            }
            "llama" | "gemma4" => {
                // Gemma 4's files have scores that say nothing; those of model "llama" may have merges that do not.
                let by_rank = is_gemma4 || flag("hearth.by_rank")?.unwrap_or(false);
                let order = match by_rank {
                    true => {
                        Order::Ranks(Merges::new(&vocab, meta.strings("tokenizer.ggml.merges")?)?)
                    }
                    false => Order::Scores(scores(meta, &vocab)?),
                };
                let model = SentencePiece::new(&vocab, order, unknown, is_gemma4);
                // Files of llama.cpp's converter have none of these steps, and some say so wrongly.
                let normal = match flag("hearth.normal")?.unwrap_or(false) {
                    true => Some(normal(meta)?),
                    false => None,
                };
                Model::SentencePiece {
                    model: Box::new(model),
                    normal,
                }
            }
            "bert" => Model::WordPiece(Box::new(WordPieceModel::new(
                &vocab,
                unknown.ok_or_else(|| refuse("no token for unknown words".to_owned()))?,
                flag("normalizer.lowercase")?.unwrap_or(true),
                flag("normalizer.strip_accents")?,
            )?)),
            _ => Model::Unigram(Box::new(UnigramModel::new(
                &vocab,
                &scores(meta, &vocab)?,
                unknown,
                normal(meta)?,
            )?)),
        };
        let pre = match &model {
            Model::ByteLevel { pre, .. } => Some(pre),
            _ => None,
        };
        let literals = Literals::new(&vocab, template, &named, pre)?;
        let specials = Specials::new(&vocab, &literals.ids())?;
        Ok(Tokenizer {
            model,
            specials,
            literals,
            bos,
            eos,
            unknown,
            pad,
            pads_left: flag("hearth.pads_left")?.unwrap_or(false),
            rewrites: Rewrites::read(
                meta.opt_strings("tokenizer.ggml.hearth.rewrites")?
                    .unwrap_or_default(),
            )?,
            // Early files of Gemma 4 say that it has none, and are wrong.
            add_bos: is_bert || is_gemma4 || flag("add_bos_token")?.unwrap_or(default_bos),
            add_eos: is_bert || flag("add_eos_token")?.unwrap_or(false),
            // llama.cpp's converter asks for one in ModernBERT too, whose pairs have none.
            separator: match flag("add_sep_token")?.unwrap_or(false) && !is_modern_bert {
                true => special("seperator")?.or(eos),
                false => None,
            },
            prefix,
            added: AddedRules::read(meta)?,
            // Phi-3's added tokens absorb the white space after them; GGUF has no key for that.
            strip_after_special: meta.opt_str("general.architecture")? == Some("phi3")
                && scheme == Scheme::SentencePiece
                && meta.get("tokenizer.ggml.hearth.rstrip").is_none(),
            eog,
            suppressed: suppressed(meta, vocab.len())?,
            longest: vocab.longest(),
            table: Arc::new(Table {
                vocab,
                scheme,
                strip_blank: add_blank || is_bert,
            }),
        })
    }
}

/// Returns the tokens that are never generated; ids that the vocabulary does not have count as absent.
fn suppressed(meta: &Metadata, tokens: usize) -> Result<Vec<u32>> {
    let Some(ids) = meta.opt_i32s("tokenizer.ggml.suppress_tokens")? else {
        return Ok(Vec::new());
    };
    let ids = ids.iter().filter_map(|id| u32::try_from(*id).ok());
    Ok(ids.filter(|id| (*id as usize) < tokens).collect())
}

/// Returns the steps before SentencePiece's models cut a text.
fn normal(meta: &Metadata) -> Result<Normal> {
    let flag = |name: &str| meta.opt_bool(&format!("tokenizer.ggml.{name}"));
    let blanks = match (
        flag("hearth.collapse_blanks")?.unwrap_or(false),
        flag("remove_extra_whitespaces")?.unwrap_or(true),
    ) {
        (true, _) => Blanks::Collapsed {
            strips_end: flag("hearth.strip_end")?.unwrap_or(false),
        },
        (false, true) => Blanks::Merged,
        (false, false) => Blanks::Kept,
    };
    Normal::new(charsmap(meta)?.as_deref(), blanks)
}

/// Returns the bytes of SentencePiece's normalisation table.
fn charsmap(meta: &Metadata) -> Result<Option<Vec<u8>>> {
    let key = "tokenizer.ggml.precompiled_charsmap";
    let bytes = meta.opt_i32s(key)?;
    Ok(bytes.map(|bytes| bytes.iter().map(|b| *b as u8).collect()))
}

fn refuse(message: String) -> Error {
    Error::Tokenizer { message }
}

/// Returns `tokenizer.ggml.{name}_token_id`, if present. Published files name tokens that they do not have (and -1 or
/// 2^32 - 1 for none): such a token counts as absent, as in llama.cpp, and its model's default applies.
fn special_id(meta: &Metadata, name: &str, tokens: usize) -> Result<Option<u32>> {
    let key = format!("tokenizer.ggml.{name}_token_id");
    if let Some(Value::I32(i32::MIN..0) | Value::I64(i64::MIN..0)) = meta.get(&key) {
        return Ok(None);
    }
    Ok(meta.opt_u32(&key)?.filter(|id| (*id as usize) < tokens))
}

fn kinds(meta: &Metadata, tokens: &[String], scheme: Scheme) -> Result<Vec<Kind>> {
    if let Some(types) = meta.opt_i32s("tokenizer.ggml.token_type")? {
        return Ok(types
            .iter()
            .map(|&number| Kind::from_gguf(number))
            .collect());
    }
    // Files of 2023 may lack the key: only the byte tokens can be recognised, by their texts.
    let kind = |token: &String| match scheme == Scheme::SentencePiece && byte_token(token).is_some()
    {
        true => Kind::Byte,
        false => Kind::Normal,
    };
    Ok(tokens.iter().map(kind).collect())
}

fn scores(meta: &Metadata, vocab: &Vocab) -> Result<Vec<f32>> {
    let scores = meta.f32s("tokenizer.ggml.scores")?;
    if scores.len() != vocab.len() {
        return Err(Error::Metadata {
            key: "tokenizer.ggml.scores".to_owned(),
            expected: format!("one score for each of the {} tokens", vocab.len()),
            found: format!("{} scores", scores.len()),
        });
    }
    Ok(scores.to_vec())
}

/// Builds byte-level BPE over the normal tokens. Special ones are left out, so that text can never become one.
///
/// Each word's last part ends with `word_end`.
fn byte_level(
    vocab: &Vocab,
    merges: &[String],
    ignore_merges: bool,
    word_end: &str,
) -> Result<BPE> {
    let mut pairs = BpeMerges::with_capacity(merges.len());
    let mut joined = String::new();
    for (rank, merge) in merges.iter().enumerate() {
        let malformed = |found: String| Error::Metadata {
            key: "tokenizer.ggml.merges".to_owned(),
            expected: format!(
                "two tokens and a blank between them at index {rank}, joined a token too"
            ),
            found,
        };
        let (left, right) = merge
            .split_once(' ')
            .ok_or_else(|| malformed(format!("{merge:?}")))?;
        joined.clear();
        joined.push_str(left);
        joined.push_str(right);
        let mut normal = true;
        for part in [left, right, &joined] {
            let id = vocab.id(part.as_bytes());
            let id =
                id.ok_or_else(|| malformed(format!("{merge:?}, where {part:?} is no token")))?;
            normal &= vocab.kind(id) == Some(Kind::Normal);
        }
        if normal {
            pairs.push((left.to_owned(), right.to_owned()));
        }
    }
    let normal = |&id: &u32| vocab.kind(id) == Some(Kind::Normal);
    let mut ids = BpeVocab::default();
    ids.reserve(vocab.len());
    // Iterate backwards, so that a text that occurs twice keeps its first token, as in `Vocab::id`.
    for id in vocab.ids().rev().filter(normal) {
        ids.insert(vocab.text(id).unwrap_or_default().to_owned(), id);
    }
    let mut builder = BPE::builder();
    if !word_end.is_empty() {
        builder = builder.end_of_word_suffix(word_end.to_owned());
    }
    builder
        .vocab_and_merges(ids, pairs)
        .ignore_merges(ignore_merges)
        // The crate's cache is thread-local and outlives the tokenizer.
        .cache_capacity(0)
        .build()
        .map_err(|e| refuse(e.to_string()))
}

/// Returns the tokens that end an answer, ascending.
fn end_ids(vocab: &Vocab, named: [Option<u32>; 3]) -> Vec<u32> {
    let mut ids: Vec<u32> = named.into_iter().flatten().collect();
    let is_gemma4 = vocab.id(b"<turn|>").is_some();
    let by_text = |text: &&str| {
        let id = vocab.id(text.as_bytes())?;
        // In Gemma's vocabulary "</s>" is the HTML tag.
        let fits = match vocab.kind(id)? {
            Kind::Control => !(is_gemma4 && *text == "</s>"),
            Kind::UserDefined => *text != "</s>",
            _ => false,
        };
        fits.then_some(id)
    };
    // In gpt-oss "<|end|>" ends only a channel, not the answer.
    let harmony = by_text(&"<|return|>").is_some() && by_text(&"<|call|>").is_some();
    ids.extend(
        END_TOKENS
            .iter()
            .filter(|text| !(harmony && **text == "<|end|>"))
            .filter_map(by_text),
    );
    ids.sort_unstable();
    ids.dedup();
    ids
}
