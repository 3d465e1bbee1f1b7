//! Whisper's byte-level BPE: ids to text, and prompts to ids.
//!
//! As in tiktoken, which made these vocabularies, the rank of a merge is the id of what it makes. Files of whisper.cpp hold no
//! merges, and need none.

use std::collections::HashMap;

use hearth_modelfile::{Error, Result};
use serde_json::Value;

/// Most tokens that a file may have; Whisper's have 51,866.
const MAX_TOKENS: usize = 1 << 20;

/// Bytes of every token of text, by id.
pub struct Vocabulary {
    bytes: Vec<Vec<u8>>,
    ids: HashMap<Vec<u8>, usize>,
}

impl Vocabulary {
    /// Makes the vocabulary of the tokens of text, those before the text's end; the others have no bytes.
    pub fn new(mut bytes: Vec<Vec<u8>>, eot: usize) -> Self {
        bytes.truncate(eot);
        let ids = bytes.iter().cloned().zip(0..).collect();
        Self { bytes, ids }
    }

    /// Reads the vocabulary of `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] unless it is a byte-level BPE.
    pub fn from_json(text: &str, eot: usize) -> Result<Self> {
        let wrong = |message: &str| Error::Tokenizer {
            message: format!("tokenizer.json: {message}"),
        };
        let json: Value =
            serde_json::from_str(text).map_err(|error| wrong(&format!("no JSON: {error}")))?;
        if json["model"]["type"].as_str().unwrap_or("BPE") != "BPE" {
            return Err(wrong("expected a byte-level BPE"));
        }
        let vocab = json["model"]["vocab"]
            .as_object()
            .ok_or_else(|| wrong("expected a vocabulary"))?;
        let of_char = bytes_of_chars();
        let mut bytes = Vec::new();
        for (token, id) in vocab {
            let id = id.as_u64().map_or(usize::MAX, |id| id as usize);
            if id >= MAX_TOKENS {
                return Err(wrong(&format!("the id of {token:?} is too large")));
            }
            if id >= bytes.len() {
                bytes.resize(id + 1, Vec::new());
            }
            // Special tokens may be among them, with characters of their own; their ids are beyond the text's.
            bytes[id] = token
                .chars()
                .filter_map(|c| of_char.get(&c).copied())
                .collect();
        }
        Ok(Self::new(bytes, eot))
    }

    /// Returns the bytes of `tokens`, of which those that are no text have none.
    pub fn decode(&self, tokens: &[usize]) -> Vec<u8> {
        let bytes = tokens.iter().filter_map(|id| self.bytes.get(*id));
        bytes.flatten().copied().collect()
    }

    /// Returns the text of `tokens`; an incomplete character becomes U+FFFD.
    pub fn text(&self, tokens: &[usize]) -> String {
        String::from_utf8_lossy(&self.decode(tokens)).into_owned()
    }

    /// Returns the ids of a text. Bytes that are in no token are left out.
    pub fn encode(&self, text: &str) -> Vec<usize> {
        let mut ids = Vec::new();
        for word in words(text) {
            let mut parts: Vec<Vec<u8>> = word.bytes().map(|byte| vec![byte]).collect();
            while let Some((_, at)) = (1..parts.len())
                .filter_map(|at| {
                    let both = [&parts[at - 1][..], &parts[at]].concat();
                    self.ids.get(&both).map(|id| (*id, at))
                })
                .min()
            {
                let right = parts.remove(at);
                parts[at - 1].extend(right);
            }
            ids.extend(parts.iter().filter_map(|part| self.ids.get(part)));
        }
        ids
    }

    /// Returns the ids that write no speech: brackets, quotes that begin, notes (openai/whisper `non_speech_tokens`).
    pub fn not_speech(&self) -> Vec<usize> {
        const SIGNS: &str = "\"#()*+/:;<=>@[\\]^_`{|}~「」『』";
        const GROUPS: &str = "<< >> <<< >>> -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪";
        const NOTES: &str = "♩♪♫♬♭♮♯";
        let mut ids: Vec<usize> = [" -", " '"]
            .iter()
            .filter_map(|text| self.encode(text).first().copied())
            .collect();
        let signs = SIGNS.chars().map(String::from);
        let groups = GROUPS.split(' ').map(str::to_owned);
        let notes = NOTES.chars().map(String::from);
        for sign in signs.chain(groups).chain(notes) {
            for text in [sign.clone(), format!(" {sign}")] {
                match self.encode(&text)[..] {
                    [id] => ids.push(id),
                    // The first bytes of a note begin no letter.
                    [first, ..] if NOTES.contains(&sign) => ids.push(first),
                    _ => {}
                }
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Returns the characters that byte-level BPE writes for bytes (GPT-2 `bytes_to_unicode`).
fn bytes_of_chars() -> HashMap<char, u8> {
    let mut other = 256..;
    let char_of = |byte: u8| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => Some(char::from(byte)),
        _ => other.next().and_then(char::from_u32),
    };
    let chars: Vec<Option<char>> = (0..=255).map(char_of).collect();
    let pairs = chars.into_iter().zip(0..=255);
    pairs.filter_map(|(c, byte)| Some((c?, byte))).collect()
}

/// Kind of a character in GPT-2's pattern.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Space,
    Letter,
    Number,
    Other,
}

fn kind(c: char) -> Kind {
    match c {
        c if c.is_whitespace() => Kind::Space,
        c if c.is_alphabetic() => Kind::Letter,
        c if c.is_numeric() => Kind::Number,
        _ => Kind::Other,
    }
}

/// Splits a text as GPT-2's pattern does:
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let suffix = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
        let length = if let Some(suffix) = suffix.iter().find(|suffix| rest.starts_with(**suffix)) {
            suffix.len()
        } else {
            let after = rest.strip_prefix(' ').unwrap_or(rest);
            match after.chars().next().map(kind) {
                Some(of) if of != Kind::Space => {
                    let run = after.find(|c| kind(c) != of).unwrap_or(after.len());
                    rest.len() - after.len() + run
                }
                _ => spaces(rest, first),
            }
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after;
    }
    words
}

/// Returns the length of a run of spaces: all of them at the end, else all but the last, which belongs to the next word.
fn spaces(rest: &str, first: char) -> usize {
    let run = rest
        .find(|c: char| !c.is_whitespace())
        .unwrap_or(rest.len());
    let last = rest[..run].chars().next_back().map_or(0, char::len_utf8);
    match run - last {
        0 => first.len_utf8(),
        _ if run == rest.len() => run,
        shorter => shorter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_as_gpt_2_cuts_them() {
        assert_eq!(
            words("Hello, it's  the 2nd  'word'\n\n end  "),
            [
                "Hello", ",", " it", "'s", " ", " the", " 2", "nd", " ", " '", "word", "'", "\n\n",
                " end", "  "
            ]
        );
        assert_eq!(words("\tx"), ["\t", "x"]);
    }

    #[test]
    fn merges_go_by_rank() {
        let tokens = ["a", "b", "c", " ", "ab", "bc", " ab", "abc"];
        let bytes = tokens
            .iter()
            .map(|token| token.as_bytes().to_vec())
            .collect();
        let vocabulary = Vocabulary::new(bytes, 8);
        // "ab" is merged before "bc", and then makes "abc".
        assert_eq!(vocabulary.encode("abc bc ab"), [7, 3, 5, 6]);
        assert_eq!(vocabulary.text(&[7, 3, 5, 99]), "abc bc");
        assert_eq!(vocabulary.encode("aé"), [0]);
    }

    #[test]
    fn every_byte_has_a_character() {
        let chars = bytes_of_chars();
        assert_eq!(chars.len(), 256);
        assert_eq!(chars[&'Ġ'], b' ');
        assert_eq!(chars[&'Ċ'], b'\n');
    }
}
