//! Fuzz targets: each accepts any bytes and may reject them, but must not panic, hang or use memory out of proportion
//! to their size.
//!
//! `cargo fuzz` drives them from `fuzz/`; `tests/tests/fuzz.rs` drives them for a bounded time with the seeds in the
//! tree.

use hearth_modelfile::budget::{InspectOptions, inspect};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::ggml_type::SUPPORTED;
use hearth_modelfile::container::{Container, ModelHeader, Parsed, gguf, safetensors};
use hearth_modelfile::files::Files;
use hearth_modelfile::huggingface::{TEXT_FILES, Texts, convert};
use hearth_modelfile::quant::{block_format, repack_rows, unpack_row};
use hearth_modelfile::text::template::{ChatTemplate, Message, RenderOptions};
use hearth_modelfile::text::tokenizer::Tokenizer;
use hearth_modelfile::vision::Vision;

/// A target's name and function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 11] = [
    ("gguf", gguf),
    ("blocks", blocks),
    ("shards", shards),
    ("folder", folder),
    ("tokenizer", tokenizer),
    ("template", template),
    ("wav", wav),
    ("whisper", whisper),
    ("picture", picture),
    ("sentencepiece", sentencepiece),
    ("translation", translation),
];

/// Parses the beginning of a GGUF file and builds everything that comes from a header.
pub fn gguf(data: &[u8]) {
    let _ = gguf::parse(data, None);
    let Ok(Parsed::Header(gguf)) = gguf::parse(data, Some(data.len() as u64)) else {
        return;
    };
    let _ = ModelConfig::from_gguf(&gguf);
    let _ = inspect(&gguf, InspectOptions::default());
    let architecture = gguf.metadata.opt_str("general.architecture");
    if matches!(architecture, Ok(Some("clip")))
        && let Some(seeing) = tower_header(data)
    {
        let _ = seeing.tower.as_deref().map(Vision::from_header);
        let _ = inspect(&seeing, InspectOptions::default());
    }
    if let Ok(tokenizer) = Tokenizer::from_gguf(&gguf.metadata) {
        check_tokenizer(&tokenizer, "Hi, <|im_end|> 42!\n\u{1f525}");
        let source = gguf.metadata.opt_str("tokenizer.chat_template");
        if let Ok(Ok(template)) =
            source.map(|source| ChatTemplate::for_tokenizer(source, &tokenizer))
        {
            render(&template, &tokenizer);
        }
    }
}

/// Returns the header of a small text model with the tower and projector of a file, if it has them.
pub fn tower_header(data: &[u8]) -> Option<ModelHeader> {
    thread_local! {
        static TEXT: Vec<u8> = golden_bytes("vision/vision_gemma3/gguf/model");
    }
    TEXT.with(|text| {
        let mut files = Files::default();
        for (index, file) in [text, data].into_iter().enumerate() {
            files.header(index, file, file.len() as u64).ok()?;
        }
        Some(files.join().ok()?.0)
    })
}

/// Repacks the blocks of one row of a weight, and reads them back: the first byte says in which type.
pub fn blocks(data: &[u8]) {
    let Some((which, blocks)) = data.split_first() else {
        return;
    };
    let dtype = SUPPORTED[usize::from(*which) % SUPPORTED.len()];
    let Ok(format) = block_format(dtype, "w") else {
        panic!("{dtype} is not supported");
    };
    let cols = blocks.len() / format.block_bytes() * format.block_len();
    let mut values = vec![0.0; cols];
    let (mut quants, mut scales) = (Vec::new(), Vec::new());
    if repack_rows(format, cols, blocks, &mut quants, &mut scales).is_ok() {
        unpack_row(format.packing(), &quants, &scales, &mut values);
    }
    let _ = format.dequantize(blocks, &mut values);
}

/// Parses the beginnings of two files that form one model: the first byte says where to split the data.
pub fn shards(data: &[u8]) {
    let _ = safetensors::parse(data, None);
    let _ = safetensors::parse(data, Some(data.len() as u64));
    let Some((cut, data)) = data.split_first() else {
        return;
    };
    let (first, second) = data.split_at(data.len() * usize::from(*cut) / 256);
    let mut files = Files::default();
    for (index, part) in [first, second].into_iter().enumerate() {
        if files.header(index, part, part.len() as u64).is_err() {
            return;
        }
    }
    let _ = files.join();
}

/// Returns the header of a Hugging Face folder, if it has one: of its texts in the order of [`TEXT_FILES`] (an empty one is a file
/// that is not there) and the JSON of its tensors, with zero bytes in between.
pub fn folder_header(data: &[u8]) -> Option<ModelHeader> {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split('\0').map(str::to_owned);
    let names = TEXT_FILES.iter().map(|name| name.to_string());
    let texts = names.zip(parts.by_ref());
    let texts: Texts = texts.filter(|(_, text)| !text.is_empty()).collect();
    let tensors = parts.next().and_then(|json| {
        let len = (json.len() as u64).to_le_bytes();
        match safetensors::parse(&[&len, json.as_bytes()].concat(), None) {
            Ok(Parsed::Header(header)) => Some(header.tensors),
            _ => None,
        }
    });
    let (metadata, tensors) = convert(&texts, tensors.unwrap_or_default()).ok()?;
    Some(ModelHeader {
        container: Container::Safetensors,
        metadata,
        tensors,
        data_offset: 0,
        tower: None,
    })
}

/// Builds everything that comes from the header of a Hugging Face folder; see [`folder_header`].
pub fn folder(data: &[u8]) {
    let Some(gguf) = folder_header(data) else {
        return;
    };
    let _ = ModelConfig::from_gguf(&gguf);
    let _ = inspect(&gguf, InspectOptions::default());
    if let Ok(tokenizer) = Tokenizer::from_gguf(&gguf.metadata) {
        check_tokenizer(&tokenizer, "Hi, <|im_end|> 42!\n\u{1f525}");
    }
}

/// Returns the bytes of a golden GGUF file, given by its path without the extension.
fn golden_bytes(name: &str) -> Vec<u8> {
    let folder = concat!(env!("HEARTH_ROOT"), "tests/goldens/data");
    let path = format!("{folder}/{name}.gguf");
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Parses the header of a golden GGUF file, given by its path without the extension.
fn golden_header(name: &str) -> ModelHeader {
    let bytes = golden_bytes(name);
    match gguf::parse(&bytes, Some(bytes.len() as u64)) {
        Ok(Parsed::Header(gguf)) => gguf,
        other => panic!("{name} has no header: {other:?}"),
    }
}

/// Encodes a text with each kind of tokenizer.
pub fn tokenizer(data: &[u8]) {
    thread_local! {
        static ALL: Vec<Tokenizer> = ["tiny/tiny_llama", "tokenizers/tokenizer_spm",
            "tokenizers/tokenizer_t5", "tokenizers/tokenizer_unigram", "tokenizers/tokenizer_gemma", "embeddings/embed_bert"]
            .map(|name| {
                let header = golden_header(name);
                Tokenizer::from_gguf(&header.metadata).expect("a golden")
            })
            .into();
    }
    let text = String::from_utf8_lossy(data);
    ALL.with(|all| all.iter().for_each(|one| check_tokenizer(one, &text)));
}

/// Parses and renders a chat template.
pub fn template(data: &[u8]) {
    thread_local! {
        static TINY: Tokenizer = {
            let header = golden_header("tiny/tiny_llama");
            Tokenizer::from_gguf(&header.metadata).expect("a golden")
        };
    }
    let source = String::from_utf8_lossy(data);
    TINY.with(|tokenizer| {
        if let Ok(template) = ChatTemplate::for_tokenizer(Some(&source), tokenizer) {
            render(&template, tokenizer);
        }
    });
}

fn render(template: &ChatTemplate, tokenizer: &Tokenizer) {
    let message = |role: &str, content: &str| -> Message {
        serde_json::from_value(serde_json::json!({ "role": role, "content": content }))
            .expect("a message")
    };
    let messages = [
        message("system", "Be brief."),
        message("user", "Hi <|im_end|>"),
        message("assistant", "Hello!"),
        message("user", "1 + 1?"),
    ];
    for (messages, continue_final_message) in [(&messages[..], false), (&messages[..3], true)] {
        let options = RenderOptions {
            add_generation_prompt: true,
            continue_final_message,
            ..Default::default()
        };
        if let Ok(rendered) = template.render(messages, &options, tokenizer) {
            let _ = tokenizer.encode_template(&rendered);
        }
    }
}

/// Checks that ids are in the vocabulary, that plain text yields no special token, and that streaming agrees with
/// decoding.
fn check_tokenizer(tokenizer: &Tokenizer, text: &str) {
    let Ok(ids) = tokenizer.encode(text) else {
        return;
    };
    let vocab = tokenizer.vocab_size() as u32;
    assert!(ids.iter().all(|id| *id < vocab), "{text:?}");
    let whole = tokenizer.decode(&ids);
    let mut stream = tokenizer.stream();
    let mut streamed: String = ids.iter().map(|id| stream.push(*id)).collect();
    streamed += &stream.finish();
    assert_eq!(streamed, whole, "{text:?}");
}

/// Reads a WAV file, whose samples are finite and no more than its bytes.
pub fn wav(data: &[u8]) {
    match hearth_audio::wav::read(data) {
        Ok(sound) => {
            assert!(sound.samples.len() <= data.len());
            assert!(sound.samples.iter().all(|sample| sample.is_finite()));
        }
        Err(error) => assert_eq!(error.code(), "bad_audio"),
    }
}

/// Loads a Whisper model in pieces, whose length depends on the bytes.
pub fn whisper(data: &[u8]) {
    let mut loader = hearth_audio::whisper::Loader::default();
    let piece = 1 + data
        .iter()
        .take(64)
        .map(|byte| usize::from(*byte))
        .sum::<usize>();
    for piece in data.chunks(piece) {
        if loader.push(piece).is_err() {
            return;
        }
    }
    let _ = loader.finish();
}

/// Reads the head of a picture's file, and half of it.
pub fn picture(data: &[u8]) {
    let size = |data: &[u8]| hearth_pictures::probe::probe(data).map(|facts| facts.size);
    let _ = (size(data), size(&data[..data.len() / 2]));
}

/// Reads a SentencePiece model, and encodes a text with it.
pub fn sentencepiece(data: &[u8]) {
    let Ok(metadata) = hearth_translation::sentencepiece::metadata(data) else {
        return;
    };
    if let Ok(tokenizer) = Tokenizer::from_gguf(&metadata) {
        check_tokenizer(&tokenizer, "Hi, <s> 42! ▁\n\u{1f525}");
    }
}

/// Loads a translation model: the texts of a folder, up to the first NUL each in the order of its files, then its weights.
pub fn translation(data: &[u8]) {
    let mut loader = hearth_translation::Loader::default();
    let mut rest = data;
    for file in hearth_translation::MODEL_FILES {
        let Some(end) = rest.iter().position(|byte| *byte == 0) else {
            break;
        };
        let (part, after) = rest.split_at(end);
        rest = &after[1..];
        match file.binary {
            _ if part.is_empty() => {}
            true => loader.file(file.name, part.to_vec()),
            false => loader.text(file.name, &String::from_utf8_lossy(part)),
        }
    }
    for piece in rest.chunks(997) {
        if loader.push(piece).is_err() {
            return;
        }
    }
    let _ = loader.finish();
}
