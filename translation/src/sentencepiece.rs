//! SentencePiece's model files (`source.spm`, `spiece.model`): the part of protobuf that they use, as the metadata of a tokenizer.
//!
//! Source: google/sentencepiece `src/sentencepiece_model.proto`.
//!
//! ```text
//! ModelProto     1: piece, repeated   2: trainer's settings   3: normalizer's settings
//! piece          1: text   2: score, f32   3: type
//! trainer        3: type of model   24: blanks behind words   35: bytes instead of unknown pieces
//! normalizer     2: table   3: blank in front   4: blanks joined   5: blanks spelled as a mark
//! ```

use hearth_modelfile::container::{Array, Metadata, Value};
use hearth_modelfile::{Error, Result};

/// Largest number of pieces; published models have up to 256,000.
const MAX_PIECES: usize = 1 << 20;

/// Types of pieces, whose numbers are GGUF's as well.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;

/// One field of a message.
struct Field<'a> {
    number: u64,
    value: Wire<'a>,
}

enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
    Fixed64,
}

fn bad(what: &str, expected: &str, found: impl Into<String>) -> Error {
    Error::BadFile {
        format: "SentencePiece",
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.into(),
    }
}

fn ended(what: &str) -> Error {
    bad(what, "more bytes", "the end")
}

/// Takes the next `n` bytes.
fn take<'a>(bytes: &mut &'a [u8], n: usize, what: &str) -> Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(n).ok_or_else(|| ended(what))?;
    *bytes = rest;
    Ok(taken)
}

/// Takes a number of seven bits a byte.
fn varint(bytes: &mut &[u8], what: &str) -> Result<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1, what)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(bad(what, "a number of up to ten bytes", "a longer one"))
}

/// Takes the next field of a message; `None` at its end.
fn field<'a>(bytes: &mut &'a [u8], what: &str) -> Result<Option<Field<'a>>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let tag = varint(bytes, what)?;
    let value = match tag & 7 {
        0 => Wire::Varint(varint(bytes, what)?),
        1 => {
            take(bytes, 8, what)?;
            Wire::Fixed64
        }
        2 => {
            let len = usize::try_from(varint(bytes, what)?).unwrap_or(usize::MAX);
            Wire::Bytes(take(bytes, len, what)?)
        }
        5 => {
            let four = take(bytes, 4, what)?;
            Wire::Fixed32([four[0], four[1], four[2], four[3]])
        }
        other => return Err(bad(what, "a wire type of 0, 1, 2 or 5", other.to_string())),
    };
    Ok(Some(Field {
        number: tag >> 3,
        value,
    }))
}

/// A model's pieces and settings, as SentencePiece's defaults have them before anything is read.
struct Model<'a> {
    pieces: Vec<String>,
    scores: Vec<f32>,
    types: Vec<i32>,
    kind: u64,
    has_suffixes: bool,
    table: &'a [u8],
    prefix: bool,
    joins_blanks: bool,
    escapes_blanks: bool,
}

impl<'a> Model<'a> {
    fn read(mut bytes: &'a [u8]) -> Result<Self> {
        let mut model = Self {
            pieces: Vec::new(),
            scores: Vec::new(),
            types: Vec::new(),
            kind: 1,
            has_suffixes: false,
            table: &[],
            prefix: true,
            joins_blanks: true,
            escapes_blanks: true,
        };
        while let Some(Field { number, value }) = field(&mut bytes, "the model")? {
            match (number, value) {
                (1, Wire::Bytes(piece)) => model.piece(piece)?,
                (2, Wire::Bytes(trainer)) => model.trainer(trainer)?,
                (3, Wire::Bytes(normalizer)) => model.normalizer(normalizer)?,
                (1..=3, _) => return Err(bad("the model", "messages", "a number")),
                _ => {}
            }
        }
        Ok(model)
    }

    fn piece(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.pieces.len() >= MAX_PIECES {
            let expected = format!("up to {MAX_PIECES}");
            return Err(bad("the number of pieces", &expected, "more"));
        }
        let (mut text, mut score, mut kind) = (String::new(), 0.0, NORMAL);
        while let Some(Field { number, value }) = field(&mut bytes, "a piece")? {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => {
                    let found = std::str::from_utf8(bytes);
                    text = (found.map_err(|_| bad("a piece", "UTF-8", "other bytes"))?).to_owned();
                }
                (2, Wire::Fixed32(bytes)) => score = f32::from_le_bytes(bytes),
                (3, Wire::Varint(n)) => {
                    kind = i32::try_from(n)
                        .ok()
                        .filter(|n| (1..=6).contains(n))
                        .ok_or_else(|| bad("the type of a piece", "1 to 6", n.to_string()))?;
                }
                (1..=3, _) => return Err(bad("a piece", "text, score and type", "another type")),
                _ => {}
            }
        }
        if !score.is_finite() {
            return Err(bad(
                "the score of a piece",
                "a finite number",
                score.to_string(),
            ));
        }
        self.pieces.push(text);
        self.scores.push(score);
        self.types.push(kind);
        Ok(())
    }

    fn trainer(&mut self, mut bytes: &[u8]) -> Result<()> {
        while let Some(Field { number, value }) = field(&mut bytes, "the trainer's settings")? {
            match (number, value) {
                (3, Wire::Varint(kind)) => self.kind = kind,
                (24, Wire::Varint(flag)) => self.has_suffixes = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }

    fn normalizer(&mut self, mut bytes: &'a [u8]) -> Result<()> {
        while let Some(Field { number, value }) = field(&mut bytes, "the normalizer's settings")? {
            match (number, value) {
                (2, Wire::Bytes(table)) => self.table = table,
                (3, Wire::Varint(flag)) => self.prefix = flag != 0,
                (4, Wire::Varint(flag)) => self.joins_blanks = flag != 0,
                (5, Wire::Varint(flag)) => self.escapes_blanks = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Returns the tokenizer's metadata in GGUF's terms.
///
/// # Errors
/// [`Error::BadFile`] if the bytes are no such model, [`Error::Tokenizer`] for a kind that is not implemented.
pub fn metadata(bytes: &[u8]) -> Result<Metadata> {
    let model = Model::read(bytes)?;
    let refuse = |what: &str| Error::Tokenizer {
        message: format!("SentencePiece's model: {what}"),
    };
    let kind = match model.kind {
        1 => "t5",
        2 => "llama",
        other => {
            return Err(refuse(&format!(
                "type {other}; known: 1, unigram, and 2, BPE"
            )));
        }
    };
    if model.has_suffixes {
        return Err(refuse("blanks behind words"));
    }
    if !model.escapes_blanks {
        return Err(refuse("blanks that are not spelled as a mark"));
    }
    let unknown = model.types.iter().position(|kind| *kind == UNKNOWN);
    let unknown = unknown.ok_or_else(|| refuse("no piece for unknown text"))?;
    let mut meta = Metadata::default();
    let mut put = |key: &str, value: Value| meta.insert(format!("tokenizer.ggml.{key}"), value);
    put("model", Value::String(kind.into()));
    put("tokens", Value::Array(Array::String(model.pieces)));
    put("scores", Value::Array(Array::F32(model.scores)));
    put("token_type", Value::Array(Array::I32(model.types)));
    put("unknown_token_id", Value::U32(unknown as u32));
    put("add_bos_token", Value::Bool(false));
    put("hearth.normal", Value::Bool(true));
    put("add_space_prefix", Value::Bool(model.prefix));
    put("remove_extra_whitespaces", Value::Bool(model.joins_blanks));
    if !model.table.is_empty() {
        let table = Value::Array(Array::U8(model.table.to_vec()));
        put("precompiled_charsmap", table);
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(u64, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, bytes) in fields {
            assert!(bytes.len() < 128);
            out.extend([(number << 3 | 2) as u8, bytes.len() as u8]);
            out.extend(*bytes);
        }
        out
    }

    fn piece(text: &str, score: f32, kind: u8) -> Vec<u8> {
        let mut out = message(&[(1, text.as_bytes())]);
        out.push(2 << 3 | 5);
        out.extend(score.to_le_bytes());
        out.extend([3 << 3, kind]);
        out
    }

    #[test]
    fn pieces_and_settings_are_read() {
        let (a, b) = (piece("<unk>", 0.0, 2), piece("▁a", -1.5, 1));
        let model = message(&[(1, &a), (1, &b), (2, &[3 << 3, 2]), (3, &[4 << 3, 0])]);
        let meta = metadata(&model).unwrap();
        assert_eq!(meta.str("tokenizer.ggml.model").unwrap(), "llama");
        assert_eq!(
            meta.strings("tokenizer.ggml.tokens").unwrap(),
            ["<unk>", "▁a"]
        );
        assert_eq!(meta.f32s("tokenizer.ggml.scores").unwrap()[..], [0.0, -1.5]);
        let flag = |key: &str| meta.opt_bool(&format!("tokenizer.ggml.{key}")).unwrap();
        assert_eq!(flag("remove_extra_whitespaces"), Some(false));
        assert_eq!(flag("add_space_prefix"), Some(true));
        // Every shorter file is an error or a smaller model, and none a panic.
        for end in 0..model.len() {
            let _ = metadata(&model[..end]);
        }
    }

    #[test]
    fn files_that_cannot_be_are_refused() {
        let unk = piece("<unk>", 0.0, 2);
        let code = |bytes: &[u8]| metadata(bytes).err().map(|error| error.code());
        let cases: [(Vec<u8>, &str); 10] = [
            (vec![], "tokenizer_error"),
            (message(&[(1, &piece("a", 0.0, 1))]), "tokenizer_error"),
            (message(&[(1, &unk), (2, &[3 << 3, 4])]), "tokenizer_error"),
            (message(&[(1, &unk), (2, &[0xc0, 1, 1])]), "tokenizer_error"),
            (message(&[(1, &unk), (3, &[5 << 3, 0])]), "tokenizer_error"),
            (vec![0xff; 11], "bad_file"),
            (vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], "bad_file"),
            (message(&[(1, &piece("a", f32::NAN, 1))]), "bad_file"),
            (message(&[(1, &piece("a", 0.0, 9))]), "bad_file"),
            (message(&[(1, &message(&[(1, &[0xff])]))]), "bad_file"),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(code(&bytes), Some(wanted), "{bytes:?}");
        }
    }
}
