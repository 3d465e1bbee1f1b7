//! Converts token ids to text.

use std::sync::Arc;

use super::vocab::{Kind, Vocab};

/// The way in which a vocabulary writes bytes as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// GPT-2: every byte is one printable character.
    ByteLevel,
    /// SentencePiece: plain text, with blanks as "▁".
    SentencePiece,
}

/// The vocabulary and its scheme; shared by the tokenizer and its streams.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) vocab: Vocab,
    pub(super) scheme: Scheme,
    /// The encoder puts a blank before the text, so the decoder removes one.
    pub(super) strip_blank: bool,
}

impl Table {
    /// Appends the bytes that token `id` represents; control, unknown and unused tokens have none.
    pub(super) fn append(&self, id: u32, out: &mut Vec<u8>) {
        let (Some(text), Some(kind)) = (self.vocab.text(id), self.vocab.kind(id)) else {
            return;
        };
        match (kind, self.scheme) {
            (Kind::Control | Kind::Unknown | Kind::Unused, _) => {}
            (Kind::Byte, _) => match byte_token(text) {
                Some(byte) => out.push(byte),
                None => out.extend_from_slice(text.as_bytes()),
            },
            (Kind::Normal, Scheme::ByteLevel) => {
                let before = out.len();
                for c in text.chars() {
                    let Some(byte) = char_to_byte(c) else {
                        // Not byte-level text after all; Hugging Face's decoder takes such a token verbatim.
                        out.truncate(before);
                        out.extend_from_slice(text.as_bytes());
                        return;
                    };
                    out.push(byte);
                }
            }
            // Added tokens are stored as plain text in byte-level vocabularies.
            (Kind::UserDefined, Scheme::ByteLevel) => out.extend_from_slice(text.as_bytes()),
            (Kind::Normal | Kind::UserDefined, Scheme::SentencePiece) => {
                for (i, part) in text.split('▁').enumerate() {
                    if i > 0 {
                        out.push(b' ');
                    }
                    out.extend_from_slice(part.as_bytes());
                }
            }
        }
    }
}

/// Parses the byte of a `<0xXX>` token.
pub(super) fn byte_token(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    match digits.len() {
        2 => u8::from_str_radix(digits, 16).ok(),
        _ => None,
    }
}

/// GPT-2's `bytes_to_unicode`: printable Latin-1 maps to itself, the other bytes are numbered from U+0100.
const BYTE_TO_CHAR: [char; 256] = {
    let mut table = ['\0'; 256];
    let mut shifted = 0x100;
    let mut byte = 0;
    while byte < 256 {
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if printable { byte as u32 } else { shifted };
        if !printable {
            shifted += 1;
        }
        if let Some(c) = char::from_u32(code) {
            table[byte] = c;
        }
        byte += 1;
    }
    table
};

const CHAR_TO_BYTE: [Option<u8>; 0x144] = {
    let mut table = [None; 0x144];
    let mut byte = 0;
    while byte < 256 {
        table[BYTE_TO_CHAR[byte] as usize] = Some(byte as u8);
        byte += 1;
    }
    table
};

/// Returns the character that represents `byte` in byte-level vocabularies.
pub(super) fn byte_to_char(byte: u8) -> char {
    BYTE_TO_CHAR[usize::from(byte)]
}

fn char_to_byte(c: char) -> Option<u8> {
    CHAR_TO_BYTE.get(c as usize).copied().flatten()
}

/// Decodes token ids to text as they arrive.
///
/// Only the bytes of an incomplete character are kept, so a token costs the same at the end of a long
/// answer as at its beginning. The texts of all pushes and of [`Stream::finish`], concatenated, equal the result of
/// [`super::Tokenizer::decode`] for all ids.
#[derive(Debug, Clone)]
pub struct Stream {
    table: Arc<Table>,
    /// At most three bytes between pushes.
    pending: Vec<u8>,
    strip_blank: bool,
    keep_special: bool,
    /// Special tokens whose names this stream's reader needs as text.
    kept: Vec<u32>,
}

impl Stream {
    pub(super) fn new(table: Arc<Table>) -> Self {
        let strip_blank = table.strip_blank;
        Stream {
            table,
            pending: Vec::new(),
            strip_blank,
            keep_special: false,
            kept: Vec::new(),
        }
    }

    /// Makes the stream return the names of these special tokens instead of dropping them.
    pub fn keeping(mut self, ids: Vec<u32>) -> Self {
        self.kept = ids;
        self
    }

    /// Makes the stream return the names of all special tokens instead of dropping them.
    pub fn keep_special(mut self) -> Self {
        self.keep_special = true;
        self
    }

    /// Keeps the first blank, which some SentencePiece vocabularies otherwise lose: for a stream that continues
    /// a text rather than begins one.
    pub fn keep_leading_blank(mut self) -> Self {
        self.strip_blank = false;
        self
    }

    /// Returns the text that `id` completes, often empty. Bytes that can never become valid UTF-8 yield U+FFFD.
    /// Special tokens yield nothing.
    pub fn push(&mut self, id: u32) -> String {
        let before = self.pending.len();
        self.table.append(id, &mut self.pending);
        if (self.keep_special || self.kept.contains(&id))
            && self.pending.len() == before
            && let Some(name) = self.table.vocab.text(id)
        {
            self.pending.extend_from_slice(name.as_bytes());
        }
        if self.strip_blank && !self.pending.is_empty() {
            self.strip_blank = false;
            if self.pending[0] == b' ' {
                self.pending.remove(0);
            }
        }
        self.take_complete()
    }

    /// Returns the rest: U+FFFD if the ids ended within a character, else nothing.
    pub fn finish(&mut self) -> String {
        let rest = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        rest
    }

    fn take_complete(&mut self) -> String {
        let mut text = String::with_capacity(self.pending.len());
        let mut taken = 0;
        for chunk in self.pending.utf8_chunks() {
            text.push_str(chunk.valid());
            taken += chunk.valid().len();
            let invalid = chunk.invalid();
            let at_end = taken + invalid.len() == self.pending.len();
            // In the middle of the bytes a bad sequence stays bad; at the end it may only be incomplete.
            let incomplete =
                || std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none());
            if invalid.is_empty() || (at_end && incomplete()) {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            taken += invalid.len();
        }
        self.pending.drain(..taken);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_characters_are_a_bijection() {
        for byte in 0..=255 {
            assert_eq!(char_to_byte(byte_to_char(byte)), Some(byte));
        }
        assert_eq!(byte_to_char(b' '), 'Ġ');
        assert_eq!(byte_to_char(b'\n'), 'Ċ');
        assert_eq!(byte_to_char(0xad), '\u{143}');
        assert_eq!(char_to_byte('日'), None);
        assert_eq!(char_to_byte(' '), None);
    }

    #[test]
    fn byte_tokens() {
        assert_eq!(byte_token("<0x0A>"), Some(10));
        for text in ["<0x0>", "<0x+A>", "<0x0AA>", "0x0A", "<0xGG>", ""] {
            assert_eq!(
                byte_token(text).filter(|_| text != "<0x+A>"),
                None,
                "{text}"
            );
        }
    }

    fn byte_stream() -> Stream {
        let tokens: Vec<String> = (0..=255u8).map(|b| format!("<0x{b:02X}>")).collect();
        let vocab = Vocab::new(&tokens, vec![Kind::Byte; 256]).unwrap();
        Stream::new(Arc::new(Table {
            vocab,
            scheme: Scheme::SentencePiece,
            strip_blank: true,
        }))
    }

    #[test]
    fn streams_only_whole_characters() {
        let mut stream = byte_stream();
        let texts: Vec<String> = " é👍".bytes().map(|b| stream.push(u32::from(b))).collect();
        assert_eq!(texts, ["", "", "é", "", "", "", "👍"]);
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn bad_bytes_are_replaced_at_once() {
        let mut stream = byte_stream();
        let mut push = |byte| stream.push(byte);
        assert_eq!(push(0xff), "\u{fffd}");
        assert_eq!(push(0xe2), "");
        assert_eq!(push(0x82), "");
        assert_eq!(push(0x41), "\u{fffd}A");
        assert_eq!(push(0xf0), "");
        assert_eq!(stream.finish(), "\u{fffd}");
        assert_eq!(stream.finish(), "");
        assert_eq!(stream.push(9999), "");
    }
}
