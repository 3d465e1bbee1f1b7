//! Models of real shapes whose weights are zeros, generated without a file: for speed and memory, not for text.

use hearth::{Device, Engine, LoadOptions, Loader, Result};
use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{Array, GgmlType, Value};

/// The shape of a decoder.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    pub n_layers: usize,
    pub d_model: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    pub d_ff: usize,
    pub vocab: usize,
    /// Whether lm_head is the embedding.
    pub tied: bool,
}

const fn shape(name: &'static str, dims: [usize; 7], tied: bool) -> Shape {
    let [
        n_layers,
        d_model,
        n_heads,
        n_kv_heads,
        head_dim,
        d_ff,
        vocab,
    ] = dims;
    Shape {
        name,
        n_layers,
        d_model,
        n_heads,
        n_kv_heads,
        head_dim,
        d_ff,
        vocab,
        tied,
    }
}

/// Shapes by name; all run as the Llama family, whatever else their own architecture has.
pub const SHAPES: [Shape; 5] = [
    shape("smollm2-135m", [30, 576, 9, 3, 64, 1536, 49_152], true),
    shape("qwen3-0.6b", [28, 1024, 16, 8, 128, 3072, 151_936], true),
    shape("llama-3.2-1b", [16, 2048, 32, 8, 64, 8192, 128_256], true),
    shape("qwen3-4b", [36, 2560, 32, 8, 128, 9728, 151_936], true),
    shape(
        "llama-3.1-8b",
        [32, 4096, 32, 8, 128, 14_336, 128_256],
        false,
    ),
];

impl Shape {
    /// Returns name, shape and storage type of every tensor.
    fn tensors(&self) -> Vec<(String, Vec<u64>, GgmlType)> {
        let (d, ff) = (self.d_model, self.d_ff);
        let (q, kv) = (
            self.n_heads * self.head_dim,
            self.n_kv_heads * self.head_dim,
        );
        let mut all = Vec::new();
        let mut matrix = |name: String, cols: usize, rows: usize| {
            all.push((name, vec![cols as u64, rows as u64], GgmlType::Q4_0));
        };
        matrix("token_embd.weight".into(), d, self.vocab);
        if !self.tied {
            matrix("output.weight".into(), d, self.vocab);
        }
        for i in 0..self.n_layers {
            let parts = [
                ("attn_q", d, q),
                ("attn_k", d, kv),
                ("attn_v", d, kv),
                ("attn_output", q, d),
                ("ffn_gate", d, ff),
                ("ffn_up", d, ff),
                ("ffn_down", ff, d),
            ];
            for (name, cols, rows) in parts {
                matrix(format!("blk.{i}.{name}.weight"), cols, rows);
            }
        }
        let norms = (0..self.n_layers)
            .flat_map(|i| ["attn_norm", "ffn_norm"].map(|n| format!("blk.{i}.{n}.weight")))
            .chain(["output_norm.weight".into()]);
        all.extend(norms.map(|name| (name, vec![d as u64], GgmlType::F32)));
        all
    }

    /// Returns the file's header, and the length of the whole file.
    pub fn header(&self) -> (Vec<u8>, u64) {
        let u32 = |n: usize| Value::U32(n as u32);
        let mut writer = GgufWriter::new()
            .metadata("general.architecture", Value::String("llama".into()))
            .metadata("general.name", Value::String(self.name.into()))
            .metadata("llama.block_count", u32(self.n_layers))
            .metadata("llama.embedding_length", u32(self.d_model))
            .metadata("llama.attention.head_count", u32(self.n_heads))
            .metadata("llama.attention.head_count_kv", u32(self.n_kv_heads))
            .metadata("llama.attention.key_length", u32(self.head_dim))
            .metadata("llama.attention.value_length", u32(self.head_dim))
            .metadata("llama.rope.dimension_count", u32(self.head_dim))
            .metadata("llama.feed_forward_length", u32(self.d_ff))
            .metadata("llama.context_length", u32(16_384))
            .metadata("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5))
            .metadata("tokenizer.ggml.model", Value::String("gpt2".into()))
            .metadata("tokenizer.ggml.pre", Value::String("smollm".into()));
        // The byte alphabet of GPT-2, then fillers.
        let tokens = (0..self.vocab).map(|i| match i {
            0..256 => char::from_u32(if i < 128 {
                0x21 + i as u32 % 94
            } else {
                0x100 + i as u32
            })
            .filter(|_| i >= 94)
            .map_or_else(
                || ((0x21 + i as u8) as char).to_string(),
                |c| format!("{c}{i}"),
            ),
            _ => format!("t{i}"),
        });
        writer = writer
            .metadata(
                "tokenizer.ggml.tokens",
                Value::Array(Array::String(tokens.collect())),
            )
            .metadata("tokenizer.ggml.merges", Value::Array(Array::String(vec![])));
        let mut at = 0;
        for (name, shape, dtype) in self.tensors() {
            writer = writer.raw_tensor(&name, &shape, dtype.id(), Some(at), &[]);
            let elements: u64 = shape.iter().product();
            let bytes = match dtype {
                GgmlType::Q4_0 => elements / 32 * 18,
                _ => elements * 4,
            };
            at += bytes.next_multiple_of(32);
        }
        let header = writer.finish();
        let total = header.len() as u64 + at;
        (header, total)
    }

    /// Loads the model on `device`, with zeros generated chunk by chunk.
    ///
    /// # Errors
    /// Returns the loader's error.
    pub fn load(&self, device: Device, options: LoadOptions) -> Result<Engine> {
        const CHUNK: u64 = 4 << 20;
        let (header, total) = self.header();
        let options = LoadOptions {
            total_bytes: Some(total),
            ..options
        };
        pollster::block_on(async {
            let mut loader = Loader::new(device, options);
            for chunk in header.chunks(CHUNK as usize) {
                loader.push(chunk).await?;
            }
            let mut left = total - header.len() as u64;
            let zeros = vec![0; CHUNK as usize];
            while left > 0 {
                let n = left.min(CHUNK);
                loader.push(&zeros[..n as usize]).await?;
                left -= n;
            }
            loader.finish().await
        })
    }
}
