//! whisper.cpp's `.bin` files: a header, the mel filters, the tokens' bytes, then tensors to the end of the file.
//!
//! Source: whisper.cpp `whisper_model_load`. Nothing is aligned, and no count of tensors is given.

use hearth_modelfile::container::GgmlType;
use hearth_modelfile::{Error, Result};

use super::config::Config;

/// First bytes of a file: `ggml` as a little-endian word.
pub const MAGIC: [u8; 4] = *b"lmgg";

/// Most bytes of a token, and of a tensor's name.
const MAX_NAME: usize = 1_024;
/// Most tokens; Whisper's have 51,866.
const MAX_TOKENS: usize = 1 << 20;
/// Most values of a tensor: that of the largest model's embedding has 66 million.
const MAX_VALUES: u64 = 1 << 31;

/// Everything before the tensors.
#[derive(Debug)]
pub struct Header {
    pub config: Config,
    /// Bytes of each token that the file has.
    pub tokens: Vec<Vec<u8>>,
}

/// Name, shape and type of the tensor whose bytes follow.
#[derive(Debug)]
pub struct Tensor {
    pub name: String,
    /// Dimensions, the contiguous one last.
    pub shape: Vec<u64>,
    pub dtype: GgmlType,
    /// Bytes of its values.
    pub size: usize,
}

/// Bytes that were read, and how many of them.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Wants more bytes than there are.
struct Short;

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let end = self.at.checked_add(len).ok_or(Short)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Short)?;
        self.at = end;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, Short> {
        let bytes = self.take(4)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |n, byte| n << 8 | u32::from(*byte)))
    }
}

fn bad(what: &str, expected: String, found: u64) -> Error {
    Error::BadFile {
        format: "ggml",
        what: what.to_owned(),
        expected,
        found: found.to_string(),
    }
}

/// Reads the header; returns it with its length, or `None` if `bytes` do not hold all of it yet.
///
/// # Errors
/// [`Error::BadFile`], [`Error::Metadata`].
pub fn header(bytes: &[u8]) -> Result<Option<(Header, usize)>> {
    let mut reader = Reader { bytes, at: 0 };
    // Limits are checked before more bytes are waited for: a damaged count must not ask for gigabytes.
    let sizes = (|| {
        reader.take(MAGIC.len())?;
        let mut sizes = [0; 11];
        for size in &mut sizes {
            *size = reader.number()?;
        }
        Ok::<_, Short>(sizes)
    })();
    let Ok(sizes) = sizes else { return Ok(None) };
    let [
        n_vocab,
        audio_ctx,
        d_audio,
        audio_heads,
        audio_layers,
        text_ctx,
        d_text,
        text_heads,
        text_layers,
        n_mels,
        _,
    ] = sizes.map(|size| size as usize);
    if sizes.iter().any(|size| *size > 1 << 20) || d_audio != d_text {
        return Err(bad(
            "the sizes",
            "those of a Whisper model".into(),
            d_text as u64,
        ));
    }
    let config = Config {
        d_model: d_audio,
        encoder_layers: audio_layers,
        encoder_heads: audio_heads,
        decoder_layers: text_layers,
        decoder_heads: text_heads,
        n_mels,
        n_vocab,
        audio_ctx,
        text_ctx,
    }
    .checked()?;
    let filters = (|| Ok::<_, Short>((reader.number()?, reader.number()?)))();
    let Ok((filters, bins)) = filters else {
        return Ok(None);
    };
    if (filters as usize, bins) != (n_mels, 201) {
        let expected = format!("{n_mels} filters of 201 bins");
        return Err(bad("the mel filters", expected, u64::from(filters)));
    }
    // They are those that every file has (`mel.rs`).
    if reader.take(n_mels * 201 * 4).is_err() {
        return Ok(None);
    }
    let Ok(count) = reader.number() else {
        return Ok(None);
    };
    if count as usize > MAX_TOKENS.min(n_vocab) {
        return Err(bad("the tokens", format!("up to {n_vocab}"), count.into()));
    }
    let mut tokens = Vec::new();
    for _ in 0..count {
        let Ok(len) = reader.number() else {
            return Ok(None);
        };
        if len as usize > MAX_NAME {
            return Err(bad(
                "a token",
                format!("up to {MAX_NAME} bytes"),
                len.into(),
            ));
        }
        let Ok(token) = reader.take(len as usize) else {
            return Ok(None);
        };
        tokens.push(token.to_vec());
    }
    Ok(Some((Header { config, tokens }, reader.at)))
}

/// Reads what comes before a tensor's values; returns it with its length, or `None` if `bytes` do not hold all of it yet.
///
/// # Errors
/// [`Error::BadFile`], [`Error::UnsupportedQuant`].
pub fn tensor(bytes: &[u8]) -> Result<Option<(Tensor, usize)>> {
    let mut reader = Reader { bytes, at: 0 };
    let start = (|| Ok::<_, Short>((reader.number()?, reader.number()?, reader.number()?)))();
    let Ok((n_dims, name_len, id)) = start else {
        return Ok(None);
    };
    if !(1..=4).contains(&n_dims) {
        return Err(bad("a tensor", "1 to 4 dimensions".into(), n_dims.into()));
    }
    if name_len as usize > MAX_NAME {
        return Err(bad(
            "a tensor's name",
            format!("up to {MAX_NAME} bytes"),
            name_len.into(),
        ));
    }
    let mut shape = Vec::new();
    for _ in 0..n_dims {
        let Ok(dim) = reader.number() else {
            return Ok(None);
        };
        shape.push(u64::from(dim));
    }
    let Ok(name) = reader.take(name_len as usize) else {
        return Ok(None);
    };
    let name = String::from_utf8_lossy(name).into_owned();
    let dtype = GgmlType::from_id(id).ok_or_else(|| Error::UnsupportedQuant {
        tensor: name.clone(),
        found: format!("type {id}"),
        supported: GgmlType::supported_names(),
    })?;
    let values = shape.iter().fold(1, |n: u64, dim| n.saturating_mul(*dim));
    let block = dtype.block_len() as u64;
    if values == 0 || values > MAX_VALUES || !shape[0].is_multiple_of(block) {
        let expected = format!("up to {MAX_VALUES} values in whole blocks of {block}");
        return Err(bad(&format!("tensor \"{name}\""), expected, values));
    }
    let size = (values / block) as usize * dtype.block_bytes();
    shape.reverse();
    let tensor = Tensor {
        name: transformers_name(&name),
        shape,
        dtype,
        size,
    };
    Ok(Some((tensor, reader.at)))
}

/// Returns transformers' name of a tensor of whisper.cpp.
fn transformers_name(name: &str) -> String {
    let name = match name {
        "encoder.positional_embedding" => "encoder.embed_positions.weight",
        "decoder.positional_embedding" => "decoder.embed_positions.weight",
        "decoder.token_embedding.weight" => "decoder.embed_tokens.weight",
        name => name,
    };
    let mut name = name.to_owned();
    for (theirs, ours) in [
        (".blocks.", ".layers."),
        (".ln_post.", ".layer_norm."),
        ("decoder.ln.", "decoder.layer_norm."),
        (".cross_attn_ln.", ".encoder_attn_layer_norm."),
        (".cross_attn.", ".encoder_attn."),
        (".attn_ln.", ".self_attn_layer_norm."),
        (".attn.", ".self_attn."),
        (".query.", ".q_proj."),
        (".key.", ".k_proj."),
        (".value.", ".v_proj."),
        (".out.", ".out_proj."),
        (".mlp_ln.", ".final_layer_norm."),
        (".mlp.0.", ".fc1."),
        (".mlp.2.", ".fc2."),
    ] {
        name = name.replace(theirs, ours);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_transformers() {
        for (theirs, ours) in [
            (
                "encoder.blocks.3.attn.query.weight",
                "encoder.layers.3.self_attn.q_proj.weight",
            ),
            (
                "decoder.blocks.0.cross_attn.out.bias",
                "decoder.layers.0.encoder_attn.out_proj.bias",
            ),
            (
                "decoder.blocks.0.cross_attn_ln.bias",
                "decoder.layers.0.encoder_attn_layer_norm.bias",
            ),
            (
                "encoder.blocks.0.mlp.2.weight",
                "encoder.layers.0.fc2.weight",
            ),
            ("encoder.ln_post.weight", "encoder.layer_norm.weight"),
            ("decoder.ln.weight", "decoder.layer_norm.weight"),
            ("encoder.conv1.bias", "encoder.conv1.bias"),
        ] {
            assert_eq!(transformers_name(theirs), ours);
        }
    }
}
