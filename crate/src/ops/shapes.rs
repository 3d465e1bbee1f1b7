//! Kernels that models of well-known shapes launch, by name, for tools that compile them without a GPU.
//!
//! The kernels are built by the functions that launches call, with the shapes and constants of the model, so that a
//! driver's compiler sees what it sees when the model runs. A list follows the model's code
//! (`crate/src/model/transformer.rs`) by hand.

use hearth_modelfile::quant::Packing;

use super::attention::{self, merge, rope_append};
use super::embed::{self, EmbedSpec, Rows};
use super::kernel::Kernel;
use super::norm;
use super::projection::gemv::{self, Arithmetic, GemvSpec, Input, Output};
use super::projection::packing::PACKINGS;
use super::projection::tile::{self, LinearSpec, SHARED_TILE_FROM};
use super::sampling::{self, draft};
use super::{
    Activation, AttentionSpec, KvSource, KvType, NormSpec, QkNorm, Scaling, Tuning, activation,
};

/// Positions in the KV cache.
const N_CTX: u32 = 8192;

/// Tuning of a large GPU, except for the arithmetic, of which every candidate is listed.
const TUNING: Tuning = Tuning {
    decode_threads_per_tile: 64,
    prefill_threads_per_tile: 16,
    shared_tile: true,
    subgroups: true,
    arithmetic: Arithmetic::F32,
    chunk: 512,
    token_us: 1,
    attention_workgroups: 256,
    // The limit of desktop browsers.
    workgroup_bytes: 32 * 1024,
};

/// Returns the kernels of every model, and of a projection in each packing that no model here has.
pub fn kernels() -> Vec<(String, Kernel)> {
    let models = SHAPES.iter().map(|shape| (shape.name, shape.kernels()));
    let all = models.chain([("other packings", other_packings())]);
    all.flat_map(|(of, kernels)| {
        let named = kernels.into_iter();
        named.map(move |(name, kernel)| (format!("{of} {name}"), kernel))
    })
    .collect()
}

/// Returns the kernels of a matrix with Llama 3.2 1B's width in each packing that no model here has.
fn other_packings() -> Vec<(String, Kernel)> {
    let models = SHAPES.iter().flat_map(ModelShape::projections);
    let listed: Vec<Packing> = models.map(|projection| projection.packing).collect();
    let others = PACKINGS.iter().filter(|packing| !listed.contains(packing));
    others
        .flat_map(|packing| {
            let matrix = Projection {
                name: "matrix",
                packing: *packing,
                rows: 2048,
                cols: 2048,
                offset: 0,
                stride: 2048,
                input: Input::Norm {
                    eps: LLAMA.eps.to_bits(),
                },
                output: Output::Store,
            };
            matrix.kernels()
        })
        .collect()
}

/// Shape of a model, with the packings that its Q4_K_M file has on the device.
struct ModelShape {
    name: &'static str,
    d_model: u32,
    n_heads: u32,
    n_kv_heads: u32,
    head_dim: u32,
    d_ff: u32,
    vocab: u32,
    eps: f32,
    neox: bool,
    qk_norm: QkNorm,
    /// Packings of q, k and of v: layers with the first pair and, if different, layers with the second.
    qk: Packing,
    v: [Packing; 2],
    o: Packing,
    gate_up: Packing,
    /// Packings of ffn_down, which has more bits in half of the layers.
    down: [Packing; 2],
    embedding: Packing,
    lm_head: Packing,
}

/// The shapes. Rows of SmolLM2 are no whole K-quant blocks, so its file has Q5_0 and Q8_0 instead.
const SHAPES: [ModelShape; 4] = [
    ModelShape {
        name: "smollm2-135m",
        d_model: 576,
        n_heads: 9,
        n_kv_heads: 3,
        head_dim: 64,
        d_ff: 1536,
        vocab: 49_152,
        qk: Packing::Q5,
        v: [Packing::Q5, Packing::Q8],
        o: Packing::Q5,
        gate_up: Packing::Q5,
        embedding: Packing::Q8,
        lm_head: Packing::Q8,
        ..LLAMA
    },
    ModelShape {
        name: "qwen3-0.6b",
        d_model: 1024,
        n_heads: 16,
        n_kv_heads: 8,
        head_dim: 128,
        d_ff: 3072,
        vocab: 151_936,
        eps: 1e-6,
        neox: true,
        qk_norm: QkNorm::Head,
        ..LLAMA
    },
    ModelShape {
        name: "llama3.2-1b",
        d_model: 2048,
        n_heads: 32,
        n_kv_heads: 8,
        head_dim: 64,
        d_ff: 8192,
        ..LLAMA
    },
    ModelShape {
        name: "llama3.1-8b",
        embedding: Packing::Q4,
        ..LLAMA
    },
];

/// Llama 3.1 8B with a tied embedding.
const LLAMA: ModelShape = ModelShape {
    name: "",
    d_model: 4096,
    n_heads: 32,
    n_kv_heads: 8,
    head_dim: 128,
    d_ff: 14_336,
    vocab: 128_256,
    eps: 1e-5,
    neox: false,
    qk_norm: QkNorm::None,
    qk: Packing::Q4,
    v: [Packing::Q4, Packing::Q6],
    o: Packing::Q4,
    gate_up: Packing::Q4,
    down: [Packing::Q4, Packing::Q6],
    embedding: Packing::Q6,
    lm_head: Packing::Q6,
};

/// One projection: its name, its weight's part, and what decode fuses with it.
struct Projection {
    name: &'static str,
    packing: Packing,
    rows: u32,
    cols: u32,
    /// First row of the part, and rows of the whole weight.
    offset: u32,
    stride: u32,
    input: Input,
    output: Output,
}

impl ModelShape {
    /// Returns the kernels of decode, of a few tokens (drafts and short prompts) and of prefill.
    fn kernels(&self) -> Vec<(String, Kernel)> {
        let projections = self.projections();
        let projections = projections.iter().flat_map(Projection::kernels);
        self.others().into_iter().chain(projections).collect()
    }

    fn attention(&self) -> AttentionSpec {
        AttentionSpec {
            n_heads: self.n_heads,
            n_kv_heads: self.n_kv_heads,
            head_dim: self.head_dim,
            rope_pairs: self.head_dim / 2,
            n_ctx: N_CTX,
            neox: self.neox,
            gate: false,
            kv: KvType::F16,
            bias: false,
            qk_norm: self.qk_norm,
            v_norm: false,
            kv_source: KvSource::Projected,
            eps: self.eps,
            scale: 1.0 / (self.head_dim as f32).sqrt(),
            softcap: 0.0,
            window: 0,
            causal: true,
            sinks: false,
            temperature: 0.0,
            temperature_ctx: N_CTX,
            splits: 1,
        }
    }

    fn projections(&self) -> Vec<Projection> {
        let norm = Input::Norm {
            eps: self.eps.to_bits(),
        };
        let (q, kv) = (
            self.n_heads * self.head_dim,
            self.n_kv_heads * self.head_dim,
        );
        let whole = |name, packing, rows, cols, input, output| Projection {
            name,
            packing,
            rows,
            cols,
            offset: 0,
            stride: rows,
            input,
            output,
        };
        let mut all = Vec::new();
        for v in self.v {
            let qkv =
                |name, packing, rows| whole(name, packing, rows, self.d_model, norm, Output::Store);
            // Neighbours of one packing are one part, and one launch.
            if v == self.qk {
                all.push(qkv("qkv_proj", v, q + 2 * kv));
                continue;
            }
            all.push(Projection {
                stride: q + 2 * kv,
                ..qkv("qk_proj", self.qk, q + kv)
            });
            all.push(Projection {
                offset: q + kv,
                stride: q + 2 * kv,
                ..qkv("v_proj", v, kv)
            });
        }
        let rows = self.d_model;
        all.push(whole("o_proj", self.o, rows, q, Input::Plain, Output::Add));
        let gated = Output::Gated(Activation::Silu);
        let (rows, cols) = (2 * self.d_ff, self.d_model);
        all.push(whole("gate_up_proj", self.gate_up, rows, cols, norm, gated));
        for down in self.down {
            let (rows, cols) = (self.d_model, self.d_ff);
            all.push(whole(
                "down_proj",
                down,
                rows,
                cols,
                Input::Plain,
                Output::Add,
            ));
        }
        let (rows, cols) = (self.vocab, self.d_model);
        all.push(whole(
            "lm_head",
            self.lm_head,
            rows,
            cols,
            norm,
            Output::Store,
        ));
        all
    }

    /// Returns everything that is no projection.
    fn others(&self) -> Vec<(String, Kernel)> {
        let attention = self.attention();
        let split = attention.split_for(TUNING.attention_workgroups);
        let embed = EmbedSpec {
            packing: self.embedding,
            rows: self.vocab,
            first: 0,
            cols: self.d_model,
            factor: 1.0,
            by: Rows::Ids,
            pooled: None,
        };
        let norm = NormSpec::rms(self.eps);
        let gate = activation::kernel(self.d_ff / 4, Activation::Silu);
        let all = [
            ("embed", embed::kernel(embed)),
            ("rope_append", rope_append::kernel(attention)),
            ("decode attention", attention::kernel(split, 1)),
            ("decode merge", merge::kernel(split)),
            (
                "prefill attention",
                attention::kernel(attention, attention.tokens()),
            ),
            (
                "prefill norm",
                norm::kernel(self.d_model as usize, norm, false, false),
            ),
            ("prefill gate", gate),
            ("decode scan", sampling::scan_kernel(1, self.vocab)),
            ("decode sample", sampling::kernel(1, self.vocab, N_CTX)),
            (
                "drafts scan",
                sampling::scan_kernel(draft::ROWS as u32, self.vocab),
            ),
            (
                "drafts sample",
                sampling::kernel(draft::ROWS as u32, self.vocab, N_CTX),
            ),
        ];
        all.map(|(name, kernel)| (name.to_owned(), kernel)).into()
    }
}

impl Projection {
    /// Returns the kernels of decode, in each arithmetic, of a few tokens and of prefill.
    fn kernels(&self) -> Vec<(String, Kernel)> {
        let packing = format!("{:?}", self.packing).to_lowercase();
        let name = format!("{} {packing}", self.name);
        let mut all = Vec::new();
        for arithmetic in self.arithmetics() {
            let suffix = format!("{arithmetic:?}").to_lowercase();
            all.push((format!("decode {name} {suffix}"), self.gemv(arithmetic)));
        }
        let threads = TUNING.prefill_threads_per_tile;
        all.push((format!("few {name}"), self.tile(draft::ROWS, threads)));
        if self.name != "lm_head" {
            let tile = self.tile(SHARED_TILE_FROM, 1);
            all.push((format!("prefill {name}"), tile));
        }
        all
    }

    /// Returns the arithmetics in which a device may multiply one token: f32, and integers where they are used.
    fn arithmetics(&self) -> Vec<Arithmetic> {
        let tuning = Tuning {
            arithmetic: Arithmetic::I15,
            ..TUNING
        };
        let integers = tuning.arithmetic_for(self.input, self.packing, self.cols as usize);
        let mut all = vec![Arithmetic::F32];
        if integers.is_integer(self.packing) {
            all.push(integers);
        }
        all
    }

    /// Returns the kernel for one token, with the steps fused with it.
    fn gemv(&self, arithmetic: Arithmetic) -> Kernel {
        gemv::kernel(GemvSpec {
            packing: self.packing,
            rows: self.rows,
            cols: self.cols,
            offset: self.offset,
            input: self.input,
            output: self.output,
            threads_per_tile: TUNING.decode_threads(self.packing, self.cols as usize),
            subgroups: TUNING.subgroups,
            arithmetic,
            scaling: Scaling::NONE,
            pooled: None,
        })
    }

    /// Returns the kernel for `t` tokens.
    fn tile(&self, t: usize, threads_per_tile: u32) -> Kernel {
        tile::kernel(LinearSpec {
            packing: self.packing,
            rows: self.rows,
            cols: self.cols,
            offset: self.offset,
            stride: self.stride,
            add: self.output == Output::Add,
            threads_per_tile,
            subgroups: TUNING.subgroups && threads_per_tile > 1,
            shared_tile: TUNING.shared_tile_for(t),
            grouped: None,
            scaling: Scaling::NONE,
            pooled: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_model_has_its_kernels_once_by_name() {
        let models = SHAPES.iter().map(|shape| (shape.name, shape.kernels()));
        for (of, kernels) in models.chain([("other packings", other_packings())]) {
            let names: HashSet<&String> = kernels.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), kernels.len(), "{of}");
            let texts: HashSet<String> = kernels.iter().map(|(_, kernel)| kernel.text()).collect();
            assert_eq!(texts.len(), kernels.len(), "{of}");
        }
    }
}
