//! Headers of published models whose layers differ, without vocabularies and weights, for what is said of a model from
//! its header.

use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{Array, GgmlType, ModelHeader, Parsed, Value, gguf};
use hearth_modelfile::quant::block_format;

use crate::synthetic::{Shape, Types};

/// A published model in a storage type.
pub struct Published {
    pub name: &'static str,
    pub types: Types,
    pub header: ModelHeader,
}

impl From<Shape> for Published {
    fn from(shape: Shape) -> Self {
        Self {
            name: shape.name,
            types: shape.types,
            header: shape.parsed(),
        }
    }
}

/// Sizes by which the models of Qwen3.5 differ.
struct Qwen35 {
    name: &'static str,
    layers: usize,
    d: usize,
    d_ff: usize,
    heads: usize,
    kv_heads: usize,
    value_heads: usize,
}

/// Returns Qwen3.5 0.8B: three gated delta nets before each layer with gated attention.
pub fn qwen35(types: Types) -> Published {
    let sizes = Qwen35 {
        name: "qwen3.5-0.8b",
        layers: 24,
        d: 1024,
        d_ff: 3584,
        heads: 8,
        kv_heads: 2,
        value_heads: 16,
    };
    qwen35_of(&sizes, types)
}

/// Returns Qwen3.5 2B.
pub fn qwen35_2b(types: Types) -> Published {
    let sizes = Qwen35 {
        name: "qwen3.5-2b",
        layers: 24,
        d: 2048,
        d_ff: 6144,
        heads: 8,
        kv_heads: 2,
        value_heads: 16,
    };
    qwen35_of(&sizes, types)
}

/// Returns Qwen3.5 4B, whose delta nets have two value heads for each key head.
pub fn qwen35_4b(types: Types) -> Published {
    let sizes = Qwen35 {
        name: "qwen3.5-4b",
        layers: 32,
        d: 2560,
        d_ff: 9216,
        heads: 16,
        kv_heads: 4,
        value_heads: 32,
    };
    qwen35_of(&sizes, types)
}

fn qwen35_of(sizes: &Qwen35, types: Types) -> Published {
    const INTERVAL: usize = 4;
    let (layers, d, d_ff, head) = (sizes.layers, sizes.d, sizes.d_ff, 256);
    let (q, kv) = (sizes.heads * head, sizes.kv_heads * head);
    let (key_heads, value_heads, delta_dim, taps) = (16, sizes.value_heads, 128, 4);
    let inner = value_heads * delta_dim;
    let channels = inner + 2 * key_heads * delta_dim;
    let mut file = File::new(sizes.name, "qwen35", types, layers);
    file.keys([
        ("embedding_length", d),
        ("feed_forward_length", d_ff),
        ("context_length", 262_144),
        ("attention.head_count", sizes.heads),
        ("attention.head_count_kv", sizes.kv_heads),
        ("attention.key_length", head),
        ("attention.value_length", head),
        ("rope.dimension_count", 64),
        ("full_attention_interval", INTERVAL),
        ("ssm.conv_kernel", taps),
        ("ssm.state_size", delta_dim),
        ("ssm.group_count", key_heads),
        ("ssm.time_step_rank", value_heads),
        ("ssm.inner_size", inner),
    ]);
    file.matrix("token_embd", d, 248_320);
    file.vector("output_norm.weight", &[d]);
    for i in 0..layers {
        if (i + 1).is_multiple_of(INTERVAL) {
            file.layer_matrix(i, "attn_q", d, 2 * q);
            file.layer_matrix(i, "attn_k", d, kv);
            file.layer_matrix(i, "attn_v", d, kv);
            file.layer_matrix(i, "attn_output", q, d);
            file.layer_vector(i, "attn_q_norm.weight", &[head]);
            file.layer_vector(i, "attn_k_norm.weight", &[head]);
        } else {
            file.layer_matrix(i, "attn_qkv", d, channels);
            file.layer_matrix(i, "attn_gate", d, inner);
            file.layer_matrix(i, "ssm_beta", d, value_heads);
            file.layer_matrix(i, "ssm_alpha", d, value_heads);
            file.layer_matrix(i, "ssm_out", inner, d);
            file.layer_vector(i, "ssm_conv1d.weight", &[taps, channels]);
            file.layer_vector(i, "ssm_dt.bias", &[value_heads]);
            file.layer_vector(i, "ssm_a", &[value_heads]);
            file.layer_vector(i, "ssm_norm.weight", &[delta_dim]);
        }
        file.feed_forward(i, d, d_ff);
        file.layer_vector(i, "attn_norm.weight", &[d]);
        file.layer_vector(i, "post_attention_norm.weight", &[d]);
    }
    file.finish()
}

/// Returns Gemma 4 E2B: embeddings by layer, heads of 256 and 512 columns, and caches that the last twenty layers share.
pub fn gemma4_e2b(types: Types) -> Published {
    const LAYERS: usize = 35;
    const SHARED: usize = 20;
    let (d, vocab, per_layer) = (1536, 262_144, 256);
    let owns = |i: usize| i < LAYERS - SHARED;
    let slides = |i: usize| !(i + 1).is_multiple_of(5);
    let d_ff = |i: usize| if owns(i) { 6144 } else { 12_288 };
    let mut file = File::new("gemma-4-e2b", "gemma4", types, LAYERS);
    file.keys([
        ("embedding_length", d),
        ("embedding_length_per_layer_input", per_layer),
        ("context_length", 131_072),
        ("attention.head_count", 8),
        ("attention.head_count_kv", 1),
        ("attention.key_length", 512),
        ("attention.value_length", 512),
        ("attention.key_length_swa", 256),
        ("attention.value_length_swa", 256),
        ("attention.sliding_window", 512),
        ("attention.shared_kv_layers", SHARED),
        ("rope.dimension_count", 512),
        ("rope.dimension_count_swa", 256),
    ]);
    let widths = (0..LAYERS).map(|i| d_ff(i) as u32).collect();
    file.key("feed_forward_length", Value::Array(Array::U32(widths)));
    let pattern = (0..LAYERS).map(slides).collect();
    file.key(
        "attention.sliding_window_pattern",
        Value::Array(Array::Bool(pattern)),
    );
    file.key("final_logit_softcapping", Value::F32(30.0));
    file.matrix("token_embd", d, vocab);
    file.matrix("per_layer_token_embd", LAYERS * per_layer, vocab);
    file.matrix("per_layer_model_proj", d, LAYERS * per_layer);
    file.vector("per_layer_proj_norm.weight", &[per_layer]);
    file.vector("output_norm.weight", &[d]);
    file.vector("rope_freqs.weight", &[256]);
    for i in 0..LAYERS {
        let head = if slides(i) { 256 } else { 512 };
        file.layer_matrix(i, "attn_q", d, 8 * head);
        file.layer_vector(i, "attn_q_norm.weight", &[head]);
        if owns(i) {
            file.layer_matrix(i, "attn_k", d, head);
            file.layer_matrix(i, "attn_v", d, head);
            file.layer_vector(i, "attn_k_norm.weight", &[head]);
        }
        file.layer_matrix(i, "attn_output", 8 * head, d);
        file.feed_forward(i, d, d_ff(i));
        file.layer_matrix(i, "inp_gate", d, per_layer);
        file.layer_matrix(i, "proj", per_layer, d);
        for norm in [
            "attn_norm",
            "post_attention_norm",
            "ffn_norm",
            "post_ffw_norm",
            "post_norm",
        ] {
            file.layer_vector(i, &format!("{norm}.weight"), &[d]);
        }
        file.layer_vector(i, "layer_output_scale.weight", &[1]);
    }
    file.finish()
}

/// A header in the making, of a model whose lm_head is the embedding.
struct File {
    name: &'static str,
    architecture: &'static str,
    types: Types,
    n_layers: usize,
    writer: GgufWriter,
    /// Bytes of the tensors so far.
    at: u64,
}

impl File {
    fn new(name: &'static str, architecture: &'static str, types: Types, n_layers: usize) -> Self {
        let mut file = Self {
            name,
            architecture,
            types,
            n_layers,
            writer: GgufWriter::new()
                .metadata("general.architecture", Value::String(architecture.into()))
                .metadata("general.name", Value::String(name.into())),
            at: 0,
        };
        file.keys([("block_count", n_layers)]);
        file.key("attention.layer_norm_rms_epsilon", Value::F32(1e-6));
        file
    }

    fn key(&mut self, name: &str, value: Value) {
        let key = format!("{}.{name}", self.architecture);
        self.writer = std::mem::take(&mut self.writer).metadata(&key, value);
    }

    fn keys<const N: usize>(&mut self, numbers: [(&str, usize); N]) {
        for (name, n) in numbers {
            self.key(name, Value::U32(n as u32));
        }
    }

    /// Adds a matrix outside the layers, [cols, rows] as GGUF writes it.
    fn matrix(&mut self, name: &str, cols: usize, rows: usize) {
        let dtype = self.types.of(name, cols, (0, self.n_layers), true);
        self.tensor(&format!("{name}.weight"), &[cols, rows], dtype);
    }

    fn layer_matrix(&mut self, layer: usize, name: &str, cols: usize, rows: usize) {
        let dtype = self.types.of(name, cols, (layer, self.n_layers), true);
        let name = format!("blk.{layer}.{name}.weight");
        self.tensor(&name, &[cols, rows], dtype);
    }

    fn feed_forward(&mut self, layer: usize, d: usize, d_ff: usize) {
        self.layer_matrix(layer, "ffn_gate", d, d_ff);
        self.layer_matrix(layer, "ffn_up", d, d_ff);
        self.layer_matrix(layer, "ffn_down", d_ff, d);
    }

    fn vector(&mut self, name: &str, shape: &[usize]) {
        self.tensor(name, shape, GgmlType::F32);
    }

    fn layer_vector(&mut self, layer: usize, name: &str, shape: &[usize]) {
        self.vector(&format!("blk.{layer}.{name}"), shape);
    }

    fn tensor(&mut self, name: &str, shape: &[usize], dtype: GgmlType) {
        let shape: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
        let writer = std::mem::take(&mut self.writer);
        self.writer = writer.raw_tensor(name, &shape, dtype.id(), Some(self.at), &[]);
        let format = block_format(dtype, name).expect("a type that is supported");
        let blocks = shape.iter().product::<u64>() / format.block_len() as u64;
        self.at += (blocks * format.block_bytes() as u64).next_multiple_of(32);
    }

    fn finish(self) -> Published {
        let bytes = self.writer.finish();
        let header = match gguf::parse(&bytes, Some(bytes.len() as u64 + self.at)) {
            Ok(Parsed::Header(header)) => header,
            other => panic!("a whole header: {other:?}"),
        };
        Published {
            name: self.name,
            types: self.types,
            header,
        }
    }
}
