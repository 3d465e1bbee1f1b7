//! whisper.cpp's file, as its `convert-pt-to-ggml.py` writes it: sizes, mel filters, words as bytes, and tensors, of which
//! matrices stay F16.

use anyhow::{Context, Result};
use serde_json::Value;

use super::tensors::{Dims, Tensor};

const MAGIC: i32 = 0x6767_6d6c;
/// Types of tensors, and the type of most of them as the file's own.
const F32: i32 = 0;
const F16: i32 = 1;

/// Samples of a frame, whose spectrum has half as many and one bins.
const N_FFT: usize = 400;
const SAMPLE_RATE: f64 = 16_000.0;

/// Tensors' names and their parts: transformers', then whisper.cpp's, which are the original's.
const NAMES: [(&str, &str); 17] = [
    ("model.", ""),
    ("encoder.layer_norm", "encoder.ln_post"),
    ("decoder.layer_norm", "decoder.ln"),
    ("embed_tokens", "token_embedding"),
    ("embed_positions.weight", "positional_embedding"),
    (".layers.", ".blocks."),
    ("self_attn_layer_norm", "attn_ln"),
    ("encoder_attn_layer_norm", "cross_attn_ln"),
    ("final_layer_norm", "mlp_ln"),
    ("self_attn.", "attn."),
    ("encoder_attn.", "cross_attn."),
    ("q_proj", "query"),
    ("k_proj", "key"),
    ("v_proj", "value"),
    ("out_proj", "out"),
    ("fc1", "mlp.0"),
    ("fc2", "mlp.2"),
];

/// Returns the file. `tokenizer`: tokenizer.json.
pub fn file(dims: &Dims, tensors: &[Tensor], tokenizer: &Value) -> Result<Vec<u8>> {
    let mut file = MAGIC.to_le_bytes().to_vec();
    for number in [
        dims.n_vocab,
        dims.n_audio_ctx,
        dims.d_model,
        dims.n_heads,
        dims.n_encoder_layers,
        dims.n_text_ctx,
        dims.d_model,
        dims.n_heads,
        dims.n_decoder_layers,
        dims.n_mels,
    ] {
        put(&mut file, number)?;
    }
    file.extend(F16.to_le_bytes());
    let filters = filters(dims.n_mels);
    put(&mut file, dims.n_mels)?;
    put(&mut file, N_FFT / 2 + 1)?;
    file.extend(
        filters
            .iter()
            .flat_map(|weight| (*weight as f32).to_le_bytes()),
    );
    let words = words(tokenizer)?;
    put(&mut file, words.len())?;
    for word in words {
        put(&mut file, word.len())?;
        file.extend(word);
    }
    for tensor in tensors {
        put_tensor(&mut file, tensor)?;
    }
    Ok(file)
}

fn put(file: &mut Vec<u8>, number: usize) -> Result<()> {
    file.extend(i32::try_from(number)?.to_le_bytes());
    Ok(())
}

fn put_tensor(file: &mut Vec<u8>, tensor: &Tensor) -> Result<()> {
    let name = original(&tensor.name);
    let mut shape = tensor.shape.clone();
    let is_f32 = shape.len() == 1 || name.ends_with("positional_embedding");
    // The bias of a convolution is a column.
    if name.contains("conv") && shape.len() == 1 {
        shape.push(1);
    }
    put(file, shape.len())?;
    put(file, name.len())?;
    file.extend(if is_f32 { F32 } else { F16 }.to_le_bytes());
    for size in shape.iter().rev() {
        put(file, *size)?;
    }
    file.extend(name.as_bytes());
    if is_f32 {
        let halves = tensor.data.chunks_exact(2);
        file.extend(
            halves.flat_map(|half| widen(u16::from_le_bytes([half[0], half[1]])).to_le_bytes()),
        );
    } else {
        file.extend(tensor.data);
    }
    Ok(())
}

/// Returns the original's name of a tensor.
fn original(name: &str) -> String {
    let names = NAMES.iter();
    names.fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// Returns a finite 16-bit float as one of 32 bits.
fn widen(bits: u16) -> f32 {
    let scale = f32::from_bits((127 + 112) << 23);
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * scale;
    f32::from_bits(magnitude.to_bits() | u32::from(bits & 0x8000) << 16)
}

/// Returns the bytes of all words but those that are added.
fn words(tokenizer: &Value) -> Result<Vec<Vec<u8>>> {
    let vocabulary = tokenizer["model"]["vocab"].as_object();
    let vocabulary = vocabulary.context("tokenizer.json has no vocabulary")?;
    let mut words: Vec<(u64, &str)> = Vec::new();
    for (word, id) in vocabulary {
        words.push((id.as_u64().context("a word without a number")?, word));
    }
    words.sort_unstable();
    let alphabet = alphabet();
    let byte = |letter: char| {
        let found = alphabet.iter().position(|other| *other == letter);
        let found = found.with_context(|| format!("{letter:?} stands for no byte"))?;
        Ok(u8::try_from(found)?)
    };
    (words.iter())
        .map(|(_, word)| word.chars().map(byte).collect())
        .collect()
}

/// Returns the letter that stands for each byte in GPT-2's vocabulary.
fn alphabet() -> Vec<char> {
    let stands_for_itself = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut next = 256..;
    (0..256)
        .filter_map(|byte| match stands_for_itself(&byte) {
            true => char::from_u32(byte),
            false => next.next().and_then(char::from_u32),
        })
        .collect()
}

/// Returns the filters `[n_mels, 201]` from 0 to 8 kHz, each with the area that slaney's toolbox gives it.
fn filters(n_mels: usize) -> Vec<f64> {
    let step = 27.0 / 6.4_f64.ln();
    let top = 15.0 + (SAMPLE_RATE / 2.0 / 1_000.0).ln() * step;
    let hertz = |mel: f64| match mel < 15.0 {
        true => mel * 200.0 / 3.0,
        false => 1_000.0 * ((mel - 15.0) / step).exp(),
    };
    let edges: Vec<f64> = (0..n_mels + 2)
        .map(|i| hertz(top * i as f64 / (n_mels + 1) as f64))
        .collect();
    let weight = |edge: &[f64], bin: usize| {
        let f = bin as f64 * SAMPLE_RATE / N_FFT as f64;
        let rising = (f - edge[0]) / (edge[1] - edge[0]);
        let falling = (edge[2] - f) / (edge[2] - edge[1]);
        rising.min(falling).max(0.0) * 2.0 / (edge[2] - edge[0])
    };
    edges
        .windows(3)
        .flat_map(|edge| (0..=N_FFT / 2).map(move |bin| weight(edge, bin)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_letters_and_filters() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x7bff, 65_504.0),
        ] {
            assert_eq!(widen(bits), value, "{bits:#x}");
        }
        assert_eq!(widen(0x8000).to_bits(), 0x8000_0000);
        let alphabet = alphabet();
        assert_eq!(alphabet.len(), 256);
        assert_eq!(
            [b' ', b'!', 0xff].map(|byte| alphabet[usize::from(byte)]),
            ['Ġ', '!', 'ÿ']
        );
        // As in the header of whisper.cpp's `for-tests-ggml-tiny.bin`.
        let filters = filters(80);
        assert_eq!(filters.len(), 80 * 201);
        assert_eq!((filters[1] as f32, filters[0]), (0.024_862_595, 0.0));
    }

    #[test]
    fn names_are_those_of_the_original() {
        for (from, to) in [
            ("model.encoder.layer_norm.bias", "encoder.ln_post.bias"),
            ("model.decoder.layer_norm.weight", "decoder.ln.weight"),
            (
                "model.decoder.embed_positions.weight",
                "decoder.positional_embedding",
            ),
            (
                "model.decoder.layers.3.encoder_attn.k_proj.weight",
                "decoder.blocks.3.cross_attn.key.weight",
            ),
            (
                "model.decoder.layers.0.encoder_attn_layer_norm.bias",
                "decoder.blocks.0.cross_attn_ln.bias",
            ),
            (
                "model.encoder.layers.1.self_attn.out_proj.bias",
                "encoder.blocks.1.attn.out.bias",
            ),
            (
                "model.encoder.layers.1.final_layer_norm.bias",
                "encoder.blocks.1.mlp_ln.bias",
            ),
        ] {
            assert_eq!(original(from), to);
        }
    }
}
