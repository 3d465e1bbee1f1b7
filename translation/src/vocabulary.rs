//! Tokens of a model: texts to ids, and ids to text as they come.

use std::collections::{HashMap, HashSet};

use hearth_modelfile::text::tokenizer::{Stream, Tokenizer};
use hearth_modelfile::{Error, Result};
use serde_json::Value;

use crate::{nllb, sentencepiece};

/// Largest id that a vocabulary may have; published ones have 256,204 tokens.
const MAX_IDS: usize = 1 << 20;
/// Tokens that are no text.
const SPECIAL: [&str; 5] = ["<s>", "</s>", "<pad>", "<unk>", "<mask>"];

/// File of NLLB's pieces.
const NLLB: &str = "sentencepiece.bpe.model";

/// A vocabulary.
pub enum Vocabulary {
    /// A tokenizer whose ids are the model's.
    Whole(Box<Tokenizer>),
    /// SentencePiece's pieces, which another file gives ids to.
    Mapped(Box<Mapped>),
}

/// Pieces and ids of Marian, of M2M100, and of NLLB without tokenizer.json.
pub struct Mapped {
    pieces: Tokenizer,
    source: Ids,
    /// Ids of answers, where they are others.
    target: Option<Ids>,
}

/// Ids of tokens, as a file has them.
struct Ids {
    ids: HashMap<String, u32>,
    /// Texts by id; an id without a token has none.
    tokens: Vec<Option<String>>,
    special: HashSet<u32>,
    unknown: u32,
}

impl Ids {
    /// Reads files by their names.
    fn read(files: &[(&str, &str)]) -> Result<Self> {
        let name = files.first().map_or("", |(name, _)| *name);
        let mut ids = HashMap::new();
        for (file, text) in files {
            let json: Value = serde_json::from_str(text)
                .map_err(|error| refuse(format!("{file}: no JSON: {error}")))?;
            let all = json.as_object();
            let all = all.ok_or_else(|| refuse(format!("{file}: expected an object of ids")))?;
            for (token, id) in all {
                let id = id.as_u64().filter(|id| *id < MAX_IDS as u64);
                let id = id.ok_or_else(|| refuse(format!("{file}: no id of {token:?}")))?;
                ids.insert(token.clone(), id as u32);
            }
        }
        Self::of(ids, name)
    }

    /// Arranges ids of the file `name`.
    fn of(ids: HashMap<String, u32>, name: &str) -> Result<Self> {
        let unknown = ids.get("<unk>").copied();
        let unknown = unknown.ok_or_else(|| refuse(format!("{name}: no <unk>")))?;
        let len = ids.values().max().map_or(0, |id| *id as usize + 1);
        if len > 4 * ids.len() + 1024 {
            let message = format!("{name}: {len} ids for {} tokens", ids.len());
            return Err(refuse(message));
        }
        let mut tokens = vec![None; len];
        for (token, id) in &ids {
            tokens[*id as usize] = Some(token.clone());
        }
        let is_special = |token: &str| {
            SPECIAL.contains(&token)
                || token.starts_with(">>") && token.ends_with("<<") && token.len() > 4
                || token.starts_with("__") && token.ends_with("__") && token.len() > 4
                || name == NLLB && nllb::is_language(token)
        };
        let special = ids.iter().filter(|(token, _)| is_special(token));
        Ok(Self {
            special: special.map(|(_, id)| *id).collect(),
            tokens,
            unknown,
            ids,
        })
    }

    fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize)?.as_deref()
    }
}

impl Mapped {
    /// Returns the ids of answers.
    fn target(&self) -> &Ids {
        self.target.as_ref().unwrap_or(&self.source)
    }
}

fn refuse(message: String) -> Error {
    Error::Tokenizer { message }
}

impl Vocabulary {
    /// Reads `vocab.json` with the pieces of a SentencePiece model. `added`: JSON files with more tokens, as `added_tokens.json`
    /// has them; `target`: `target_vocab.json`, if answers have other ids.
    ///
    /// # Errors
    /// [`Error::BadFile`], [`Error::Tokenizer`].
    pub fn mapped(
        spm: &[u8],
        vocab: &str,
        added: Option<&str>,
        target: Option<&str>,
    ) -> Result<Self> {
        let added = added.map(|text| ("added_tokens.json", text));
        let files: Vec<_> = [("vocab.json", vocab)].into_iter().chain(added).collect();
        let target = target.map(|text| Ids::read(&[("target_vocab.json", text)]));
        Ok(Self::Mapped(Box::new(Mapped {
            pieces: Tokenizer::from_gguf(&sentencepiece::metadata(spm)?)?,
            source: Ids::read(&files)?,
            target: target.transpose()?,
        })))
    }

    /// Reads NLLB's SentencePiece model, whose ids are moved. `config`: `tokenizer_config.json`.
    ///
    /// # Errors
    /// [`Error::BadFile`], [`Error::Tokenizer`].
    pub fn nllb(spm: &[u8], config: &Value) -> Result<Self> {
        let metadata = sentencepiece::metadata(spm)?;
        let ids = nllb::ids(metadata.strings("tokenizer.ggml.tokens")?, config)?;
        if ids.values().any(|id| *id as usize >= MAX_IDS) {
            return Err(refuse(format!("{NLLB}: an id of {MAX_IDS} or more")));
        }
        Ok(Self::Mapped(Box::new(Mapped {
            pieces: Tokenizer::from_gguf(&metadata)?,
            source: Ids::of(ids, NLLB)?,
            target: None,
        })))
    }

    /// Returns the number of ids of texts.
    pub fn n_read(&self) -> usize {
        match self {
            Self::Whole(tokenizer) => tokenizer.vocab_size(),
            Self::Mapped(mapped) => mapped.source.tokens.len(),
        }
    }

    /// Returns the number of ids of answers.
    pub fn n_written(&self) -> usize {
        match self {
            Self::Whole(tokenizer) => tokenizer.vocab_size(),
            Self::Mapped(mapped) => mapped.target().tokens.len(),
        }
    }

    /// Returns ids and texts of all tokens of texts.
    pub fn tokens(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..self.n_read() as u32).filter_map(|id| Some((id, self.token(id)?)))
    }

    fn token(&self, id: u32) -> Option<&str> {
        match self {
            Self::Whole(tokenizer) => tokenizer.token_text(id),
            Self::Mapped(mapped) => mapped.source.token(id),
        }
    }

    /// Returns the ids of a text, without any around it. No special token is recognised in it.
    ///
    /// # Errors
    /// [`Error::Tokenizer`], which is not expected for any text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        match self {
            Self::Whole(tokenizer) => tokenizer.encode(text),
            Self::Mapped(mapped) => {
                let pieces = mapped.pieces.encode_spelled(text)?;
                let ids = pieces.iter().map(|(id, text)| {
                    // The text of an unknown piece may have an id here: that of the other language.
                    let piece = match text.is_empty() {
                        true => mapped.pieces.token_text(*id).unwrap_or_default(),
                        false => text,
                    };
                    let ids = &mapped.source;
                    ids.ids.get(piece).copied().unwrap_or(ids.unknown)
                });
                Ok(ids.collect())
            }
        }
    }

    /// Begins a text.
    pub fn spell(&self) -> Spelling {
        match self {
            Self::Whole(tokenizer) => Spelling::Stream(tokenizer.stream()),
            Self::Mapped(_) => Spelling::Pieces { is_first: true },
        }
    }

    /// Returns the text that a token completes.
    pub fn push(&self, spelling: &mut Spelling, id: u32) -> String {
        match (self, spelling) {
            (_, Spelling::Stream(stream)) => stream.push(id),
            (Self::Mapped(mapped), Spelling::Pieces { is_first }) => {
                let ids = mapped.target();
                if ids.special.contains(&id) {
                    return String::new();
                }
                let text = ids.token(id).unwrap_or_default().replace('▁', " ");
                match std::mem::replace(is_first, text.is_empty() && *is_first) {
                    true => text.strip_prefix(' ').unwrap_or(&text).to_owned(),
                    false => text,
                }
            }
            (Self::Whole(_), Spelling::Pieces { .. }) => String::new(),
        }
    }
}

/// A text that is being written.
pub enum Spelling {
    Stream(Stream),
    Pieces { is_first: bool },
}

impl Spelling {
    /// Returns the rest of the text.
    pub fn finish(&mut self) -> String {
        match self {
            Self::Stream(stream) => stream.finish(),
            Self::Pieces { .. } => String::new(),
        }
    }
}
