//! The files of a Hugging Face folder: what openai's published ones say, from what CTranslate2 keeps of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::tensors::{Dims, Tensor};

/// Vocabularies as large as this have languages and tasks.
const MULTILINGUAL: usize = 51_865;

/// Returns the file: the header's length, the header, and the tensors in its order.
pub fn safetensors(tensors: &[Tensor]) -> Result<Vec<u8>> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut end = 0;
    for tensor in tensors {
        let start = end;
        end += tensor.data.len();
        let about = json!({"dtype": "F16", "shape": tensor.shape, "data_offsets": [start, end]});
        header.insert(tensor.name.clone(), about);
    }
    let mut header = serde_json::to_vec(&header)?;
    // Tensors begin at a multiple of 8.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    for tensor in tensors {
        file.extend(tensor.data);
    }
    Ok(file)
}

/// Returns JSON as text.
pub fn json(value: &Value) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

pub fn config(dims: &Dims, generation: &Value) -> Value {
    let mut config = json!({
        "activation_dropout": 0.0,
        "activation_function": "gelu",
        "architectures": ["WhisperForConditionalGeneration"],
        "attention_dropout": 0.0,
        "d_model": dims.d_model,
        "decoder_attention_heads": dims.n_heads,
        "decoder_ffn_dim": dims.d_ff,
        "decoder_layerdrop": 0.0,
        "decoder_layers": dims.n_decoder_layers,
        "dropout": 0.0,
        "encoder_attention_heads": dims.n_heads,
        "encoder_ffn_dim": dims.d_ff,
        "encoder_layerdrop": 0.0,
        "encoder_layers": dims.n_encoder_layers,
        "init_std": 0.02,
        "is_encoder_decoder": true,
        "max_source_positions": dims.n_audio_ctx,
        "max_target_positions": dims.n_text_ctx,
        "model_type": "whisper",
        "num_hidden_layers": dims.n_encoder_layers,
        "num_mel_bins": dims.n_mels,
        "scale_embedding": false,
        "torch_dtype": "float16",
        "use_cache": true,
        "vocab_size": dims.n_vocab,
    });
    for key in [
        "begin_suppress_tokens",
        "bos_token_id",
        "decoder_start_token_id",
        "eos_token_id",
        "forced_decoder_ids",
        "max_length",
        "pad_token_id",
        "suppress_tokens",
    ] {
        config[key] = generation[key].clone();
    }
    config
}

/// Returns `generation_config.json`. `config`: CTranslate2's; `tokenizer`: tokenizer.json.
pub fn generation_config(dims: &Dims, config: &Value, tokenizer: &Value) -> Result<Value> {
    let added = tokenizer["added_tokens"].as_array();
    let added = added.context("tokenizer.json has no added tokens")?;
    let id = |content: &str| {
        let found = added.iter().find(|token| token["content"] == content);
        let found = found.map(|token| token["id"].clone());
        found.with_context(|| format!("tokenizer.json has no {content}"))
    };
    let is_multilingual = dims.n_vocab >= MULTILINGUAL;
    let (end, start) = (id("<|endoftext|>")?, id("<|startoftranscript|>")?);
    let (silent, transcribe) = (id("<|notimestamps|>")?, id("<|transcribe|>")?);
    // Files of several languages have the end as their beginning, those of English what begins a transcript.
    let begin = if is_multilingual { &end } else { &start };
    let forced = match is_multilingual {
        true => json!([[1, null], [2, transcribe]]),
        false => json!([[1, silent]]),
    };
    let mut made = json!({
        "alignment_heads": config["alignment_heads"],
        "begin_suppress_tokens": config["suppress_ids_begin"],
        "bos_token_id": begin,
        "decoder_start_token_id": start,
        "eos_token_id": end,
        "forced_decoder_ids": forced,
        "is_multilingual": is_multilingual,
        "max_initial_timestamp_index": 50,
        "max_length": dims.n_text_ctx,
        "no_timestamps_token_id": silent,
        "pad_token_id": end,
        "prev_sot_token_id": id("<|startofprev|>")?,
        "return_timestamps": false,
        "suppress_tokens": config["suppress_ids"],
    });
    if is_multilingual {
        let languages = config["lang_ids"].as_array();
        let languages = languages.context("CTranslate2's config.json has no lang_ids")?;
        let of = |language: &&Value| {
            let found = added.iter().find(|token| &token["id"] == *language);
            let content = found.and_then(|token| token["content"].as_str());
            let content = content.with_context(|| format!("no token has the id {language}"))?;
            Ok((content.to_owned(), (*language).clone()))
        };
        let by_name = languages.iter().map(|language| of(&language));
        made["lang_to_id"] = json!(by_name.collect::<Result<BTreeMap<String, Value>>>()?);
        let tasks = json!({"transcribe": transcribe, "translate": id("<|translate|>")?});
        made["task_to_id"] = tasks;
    }
    Ok(made)
}
