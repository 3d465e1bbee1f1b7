//! Helpers that the tests share: engines from files, goldens, and a loud way to skip.

pub mod attention;
pub mod calibration;
pub mod compare;
pub mod device;
pub mod gguf_file;
pub mod kernels;
pub mod manifest;
pub mod pool;
pub mod published;
pub mod real;
pub mod reference;
pub mod sampling;
pub mod skip;
pub mod structured;
pub mod synthetic;
pub mod synthetic_tower;
pub mod whisper;

use std::path::{Path, PathBuf};

use hearth::engine::request::{Sampling, Usage};
use hearth::ops::KvType;
use hearth::{Device, Engine, LoadOptions, Loader, Result};
use hearth_modelfile::container::overrides::Overrides;
use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{Metadata, ModelHeader, Parsed, Value, gguf};
use hearth_modelfile::text::template::Message;

pub use device::{Borrowed, On, borrow, open, open_measured, open_new};
pub use skip::{real_model, skip};

/// Settings for greedy sampling.
pub const GREEDY: Sampling = Sampling::GREEDY;

/// Returns the folder of goldens.
pub fn goldens() -> PathBuf {
    Path::new(env!("HEARTH_ROOT")).join("tests/goldens/data")
}

/// Reads a golden file's bytes.
pub fn golden_bytes(name: &str) -> Vec<u8> {
    let path = goldens().join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Parses the header of a whole GGUF file.
pub fn header(bytes: &[u8]) -> ModelHeader {
    match gguf::parse(bytes, Some(bytes.len() as u64)) {
        Ok(Parsed::Header(gguf)) => gguf,
        other => panic!("no header: {other:?}"),
    }
}

/// Reads a golden JSON file.
pub fn golden<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = goldens().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Reads a golden file of little-endian f32.
pub fn golden_f32(name: &str) -> Vec<f32> {
    golden_bytes(name)
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

/// Tells whether to test also what takes long and rarely finds anything (`cargo xtask test --full`).
pub fn is_full() -> bool {
    std::env::var_os("HEARTH_FULL").is_some()
}

/// Returns the path of the default model.
pub fn smollm2() -> Option<PathBuf> {
    real_model("HEARTH_SMOLLM2", "SmolLM2 as GGUF")
}

/// Loads bytes in chunks of `chunk` bytes.
pub fn load(device: Device, bytes: &[u8], context: usize, chunk: usize) -> Result<Engine> {
    let options = LoadOptions {
        context_size: Some(context),
        ..Default::default()
    };
    load_with(device, bytes, options, chunk)
}

/// Loads bytes in chunks of `chunk` bytes, with the total length announced.
pub fn load_with(
    device: Device,
    bytes: &[u8],
    options: LoadOptions,
    chunk: usize,
) -> Result<Engine> {
    pollster::block_on(async {
        let options = LoadOptions {
            total_bytes: Some(bytes.len() as u64),
            ..options
        };
        let mut loader = Loader::new(device, options);
        for chunk in bytes.chunks(chunk) {
            loader.push(chunk).await?;
        }
        loader.finish().await
    })
}

/// Loads a file in chunks as long as those of a browser's stream.
pub fn load_file(device: Device, path: &Path, context: usize) -> Engine {
    let options = LoadOptions {
        context_size: Some(context),
        ..Default::default()
    };
    load_file_with(device, path, options)
}

/// Loads a file in chunks as long as those of a browser's stream, with `options`.
pub fn load_file_with(device: Device, path: &Path, options: LoadOptions) -> Engine {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    load_with(device, &bytes, options, 1 << 18)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Loads a model in several files, in chunks as long as those of a browser's stream.
pub fn load_files(device: Device, path: &Path, options: LoadOptions) -> Result<Engine> {
    let (files, paths) = hearth_modelfile::files::folder::open(path)?;
    pollster::block_on(async {
        let mut loader = Loader::of_files(device, options, files, &Overrides::default())?;
        for path in paths {
            let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            for chunk in bytes.chunks(1 << 18) {
                loader.push(chunk).await?;
            }
        }
        loader.finish().await
    })
}

/// Options with an f32 KV cache, which adds no error to comparisons with a golden.
pub fn exact(context: usize) -> LoadOptions {
    LoadOptions {
        context_size: Some(context),
        kv_type: Some(KvType::F32),
        ..Default::default()
    }
}

/// Continues `prompt` greedily by up to `n` tokens or until the model ends its answer.
pub fn greedy(engine: &mut Engine, prompt: &[u32], n: usize) -> Result<(Vec<u32>, String)> {
    generate(engine, prompt, n, GREEDY)
}

/// Continues `prompt` by up to `n` tokens.
pub fn generate(
    engine: &mut Engine,
    prompt: &[u32],
    n: usize,
    sampling: Sampling,
) -> Result<(Vec<u32>, String)> {
    engine.start_ids(prompt.to_vec(), sampling, Some(n), &[])?;
    finish(engine).map(|answer| (answer.ids, answer.text))
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub ids: Vec<u32>,
    pub text: String,
    pub finish: &'static str,
    pub usage: Usage,
}

/// Runs the started request to its end.
pub fn finish(engine: &mut Engine) -> Result<Answer> {
    let (mut ids, mut text) = (Vec::new(), String::new());
    loop {
        let step = pollster::block_on(engine.next())?;
        ids.extend(step.ids);
        text += &step.text;
        let usage = step.usage;
        assert_eq!(
            usage.total_tokens,
            usage.prompt_tokens + usage.completion_tokens
        );
        if let Some(finish) = step.finish_reason {
            return Ok(Answer {
                ids,
                text,
                finish: finish.name(),
                usage,
            });
        }
    }
}

/// A tensor of a [`TinyFile`].
#[derive(Clone)]
pub struct TensorData {
    pub name: String,
    pub shape: Vec<u64>,
    pub type_id: u32,
    pub data: Vec<u8>,
}

/// The tiny model's file, split into parts that tests can change.
#[derive(Clone)]
pub struct TinyFile {
    pub metadata: Metadata,
    pub tensors: Vec<TensorData>,
}

impl TinyFile {
    /// Reads the file unchanged.
    pub fn read() -> Self {
        let bytes = golden_bytes("tiny/tiny_llama.gguf");
        let gguf = header(&bytes);
        let tensors = gguf.tensors.iter().map(|t| TensorData {
            name: t.name.clone(),
            shape: t.shape.clone(),
            type_id: t.dtype.id(),
            data: bytes[t.offset as usize..(t.offset + t.size) as usize].to_vec(),
        });
        Self {
            tensors: tensors.collect(),
            metadata: gguf.metadata,
        }
    }

    /// Returns the tensor `name` for changing.
    pub fn tensor(&mut self, name: &str) -> &mut TensorData {
        let found = self.tensors.iter_mut().find(|t| t.name == name);
        found.unwrap_or_else(|| panic!("{name}"))
    }

    /// Sets a metadata value.
    pub fn set(mut self, key: &str, value: Value) -> Self {
        self.metadata.insert(key, value);
        self
    }

    /// Assembles the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut writer = GgufWriter::new();
        for (key, value) in self.metadata.iter() {
            writer = writer.metadata(key, value.clone());
        }
        for t in &self.tensors {
            writer = writer.raw_tensor(&t.name, &t.shape, t.type_id, None, &t.data);
        }
        writer.finish()
    }
}

/// A prompt of the tiny model's golden.
#[derive(serde::Deserialize)]
pub struct Prompt {
    pub messages: Option<Vec<Message>>,
    pub ids: Vec<u32>,
    /// None of these ids ends an answer, and all are well ahead of the second best.
    pub greedy_ids: Vec<u32>,
}

/// Returns the tiny model's two prompts: a chat of 23 tokens and a text of more than 64.
pub fn prompts() -> [Prompt; 2] {
    #[derive(serde::Deserialize)]
    struct Golden {
        prompts: [Prompt; 2],
    }
    golden::<Golden>("tiny/tiny_llama.json").prompts
}
