//! Models of real shapes whose weights are zeros, generated without a file: for speed and memory, not for text.

use hearth::{Device, Engine, LoadOptions, Loader, Result};
use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{Array, GgmlType, ModelHeader, Parsed, Value, gguf};
use hearth_modelfile::quant::block_format;

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
    pub architecture: Architecture,
    pub types: Types,
    /// Positions that the file says the model was trained for.
    pub n_ctx_train: usize,
}

/// Architectures that shapes run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    Llama,
    /// Llama with norms of queries and keys.
    Qwen3,
}

/// Storage types of matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types {
    All(GgmlType),
    /// Q4_0 with an lm_head of Q6_K, as llama.cpp's Q4_0 files.
    Q40,
    /// The mixture of llama.cpp's Q4_K_M files.
    Q4KM,
}

impl Types {
    /// Returns the type of a matrix, in the layer `i` of `n` if it is in a layer.
    pub(crate) fn of(
        self,
        name: &str,
        cols: usize,
        (i, n): (usize, usize),
        tied: bool,
    ) -> GgmlType {
        let is_head = name == "output" || (name == "token_embd" && tied);
        match self {
            Types::All(dtype) => return dtype,
            Types::Q40 if is_head => return GgmlType::Q6_K,
            Types::Q40 => return GgmlType::Q4_0,
            Types::Q4KM => {}
        }
        // The first and last eighth of the layers, and every third between.
        let more_bits = i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
        let high = match name {
            "attn_v" | "ffn_down" => more_bits,
            _ => is_head,
        };
        // Rows that are no whole superblocks have another type.
        match (high, cols.is_multiple_of(256)) {
            (true, true) => GgmlType::Q6_K,
            (true, false) => GgmlType::Q8_0,
            (false, true) => GgmlType::Q4_K,
            (false, false) => GgmlType::Q5_0,
        }
    }
}

/// Returns a shape in Q4_0, of the Llama family: layers, d_model, heads, KV heads, their width, d_ff, vocabulary.
pub const fn shape(name: &'static str, dims: [usize; 7], tied: bool) -> Shape {
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
        architecture: Architecture::Llama,
        types: Types::All(GgmlType::Q4_0),
        n_ctx_train: 16_384,
    }
}

/// Shapes by name, in Q4_0; all run as the Llama family, whatever else their own architecture has.
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

/// The shapes of four models as published, each with the architecture that it has, in one storage type.
pub fn published(types: [Types; 4]) -> [Shape; 4] {
    let [smollm2, qwen3, llama_1b, _, llama_8b] = SHAPES;
    let qwen3 = Shape {
        architecture: Architecture::Qwen3,
        ..qwen3
    };
    let mut shapes = [smollm2, qwen3, llama_1b, llama_8b];
    for (shape, types) in shapes.iter_mut().zip(types) {
        shape.types = types;
    }
    shapes
}

impl Shape {
    /// Returns name, shape and storage type of every tensor, in the file's order.
    pub fn tensors(&self) -> Vec<(String, Vec<u64>, GgmlType)> {
        let (d, ff) = (self.d_model, self.d_ff);
        let (q, kv) = (
            self.n_heads * self.head_dim,
            self.n_kv_heads * self.head_dim,
        );
        let mut all = Vec::new();
        let mut matrix = |name: &str, layer: Option<usize>, cols: usize, rows: usize| {
            let place = (layer.unwrap_or(0), self.n_layers);
            let dtype = self.types.of(name, cols, place, self.tied);
            let full = match layer {
                Some(i) => format!("blk.{i}.{name}.weight"),
                None => format!("{name}.weight"),
            };
            all.push((full, vec![cols as u64, rows as u64], dtype));
        };
        matrix("token_embd", None, d, self.vocab);
        if !self.tied {
            matrix("output", None, d, self.vocab);
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
                matrix(name, Some(i), cols, rows);
            }
        }
        let norms = (0..self.n_layers)
            .flat_map(|i| ["attn_norm", "ffn_norm"].map(|n| format!("blk.{i}.{n}.weight")))
            .chain(["output_norm.weight".into()]);
        all.extend(norms.map(|name| (name, vec![d as u64], GgmlType::F32)));
        if self.architecture == Architecture::Qwen3 {
            let norms = (0..self.n_layers).flat_map(|i| {
                ["attn_q_norm", "attn_k_norm"].map(|n| format!("blk.{i}.{n}.weight"))
            });
            all.extend(norms.map(|name| (name, vec![self.head_dim as u64], GgmlType::F32)));
        }
        all
    }

    /// Returns the file's header, and the length of the whole file.
    pub fn header(&self) -> (Vec<u8>, u64) {
        let u32 = |n: usize| Value::U32(n as u32);
        let (architecture, eps) = match self.architecture {
            Architecture::Llama => ("llama", 1e-5),
            Architecture::Qwen3 => ("qwen3", 1e-6),
        };
        let mut writer = GgufWriter::new()
            .metadata("general.architecture", Value::String(architecture.into()))
            .metadata("general.name", Value::String(self.name.into()))
            .metadata("tokenizer.ggml.model", Value::String("gpt2".into()))
            .metadata("tokenizer.ggml.pre", Value::String("smollm".into()));
        for (key, value) in [
            ("block_count", u32(self.n_layers)),
            ("embedding_length", u32(self.d_model)),
            ("attention.head_count", u32(self.n_heads)),
            ("attention.head_count_kv", u32(self.n_kv_heads)),
            ("attention.key_length", u32(self.head_dim)),
            ("attention.value_length", u32(self.head_dim)),
            ("rope.dimension_count", u32(self.head_dim)),
            ("feed_forward_length", u32(self.d_ff)),
            ("context_length", u32(self.n_ctx_train)),
            ("attention.layer_norm_rms_epsilon", Value::F32(eps)),
        ] {
            writer = writer.metadata(&format!("{architecture}.{key}"), value);
        }
        // The byte alphabet of GPT-2, then fillers, and the token that stands for rows of pictures.
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
            _ if i + 1 == self.vocab => "<image>".to_owned(),
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
            let format = block_format(dtype, &name).expect("a type that is supported");
            let bytes = elements / format.block_len() as u64 * format.block_bytes() as u64;
            at += bytes.next_multiple_of(32);
        }
        let header = writer.finish();
        let total = header.len() as u64 + at;
        (header, total)
    }

    /// Returns the parsed header.
    pub fn parsed(&self) -> ModelHeader {
        let (header, total) = self.header();
        match gguf::parse(&header, Some(total)) {
            Ok(Parsed::Header(header)) => header,
            other => panic!("a whole header: {other:?}"),
        }
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
