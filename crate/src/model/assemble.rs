//! A decoder from a file's tensors: which there have to be ([`tensors`]), and what becomes of them ([`decoder`]).

use burn::tensor::Tensor;

use super::decoder::{Decoder, Layer};
use super::names::of_layer;
use super::{DecoderSpec, ModelConfig};
use crate::error::{Error, Result};
use crate::format::Gguf;
use crate::ops::{AttentionSpec, KvType, Ops, QkNorm, Scaling};
use crate::weights::{Matrix, Plan};

/// A matrix: the tensors whose rows it has, with their number, and its columns.
pub struct MatrixNames {
    pub parts: Vec<(String, usize)>,
    pub cols: usize,
}

/// The tensors of a model: matrices for the device, and small vectors.
pub fn tensors(gguf: &Gguf, c: &ModelConfig) -> (Vec<MatrixNames>, Vec<String>) {
    let names = c.spec.names;
    let matrix = |parts: Vec<(String, usize)>, cols: usize| MatrixNames { parts, cols };
    let (q, kv) = (c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
    let mut matrices = vec![matrix(
        vec![(names.token_embd.into(), c.vocab_size)],
        c.d_model,
    )];
    if gguf.tensor(names.lm_head).is_some() {
        matrices.push(matrix(
            vec![(names.lm_head.into(), c.vocab_size)],
            c.d_model,
        ));
    }
    let mut vectors = vec![names.output_norm.to_owned()];
    let factors = [names.rope_freqs, names.rope_short, names.rope_long];
    let present = factors.iter().filter(|name| gguf.tensor(name).is_some());
    vectors.extend(present.map(|name| name.to_string()));
    for i in 0..c.n_layers {
        let one = |name: &str, rows: usize| vec![(of_layer(name, i), rows)];
        // Several tensors, or all of their rows in one.
        let several = |names: &[&str], rows: &[usize]| match names {
            [name] => one(name, rows.iter().sum()),
            _ => (names.iter().zip(rows))
                .map(|(name, rows)| (of_layer(name, i), *rows))
                .collect(),
        };
        matrices.push(matrix(several(names.qkv_proj, &[q, kv, kv]), c.d_model));
        matrices.push(matrix(one(names.o_proj, c.d_model), q));
        matrices.push(matrix(
            several(names.gate_up_proj, &[c.d_ff, c.d_ff]),
            c.d_model,
        ));
        matrices.push(matrix(one(names.down_proj, c.d_model), c.d_ff));
        vectors.extend(layer_vectors(c.spec).map(|name| of_layer(name, i)));
    }
    (matrices, vectors)
}

/// The vectors of a layer.
fn layer_vectors(spec: &DecoderSpec) -> impl Iterator<Item = &'static str> {
    let names = spec.names;
    let mut all = Vec::new();
    if spec.pre_norm {
        all.extend([names.attn_norm, names.ffn_norm]);
    }
    if spec.post_norm {
        all.extend([names.post_attn_norm, names.post_ffn_norm]);
    }
    if spec.qkv_bias {
        all.extend(names.qkv_bias);
    }
    if spec.qk_norm != QkNorm::None {
        all.extend([names.q_norm, names.k_norm]);
    }
    all.into_iter()
}

/// The decoder, when every tensor of the plan has been read.
///
/// # Errors
/// [`Error::MissingTensor`] or [`Error::TensorShape`].
pub fn decoder(
    plan: &Plan,
    gguf: &Gguf,
    config: ModelConfig,
    ops: Ops,
    n_ctx: usize,
    kv: KvType,
) -> Result<Decoder> {
    let c = &config;
    let names = c.spec.names;
    let values = |name: &str, len: usize| -> Result<&[f32]> {
        let values = plan.vector(name)?;
        match values.len() == len {
            true => Ok(values),
            false => Err(Error::TensorShape {
                name: name.to_owned(),
                expected: vec![len as u64],
                found: vec![values.len() as u64],
            }),
        }
    };
    let norm = |there: bool, name: &str, i: usize| -> Result<Option<Tensor<2>>> {
        match there {
            true => Ok(Some(ops.upload_f32(values(&of_layer(name, i), c.d_model)?))),
            false => Ok(None),
        }
    };
    let matrix = |name: &str| plan.matrix(name).map(Matrix::weight);
    let (rope, local_rope) = ropes(plan, c, &ops, n_ctx)?;
    let mut layers = Vec::with_capacity(c.n_layers);
    for i in 0..c.n_layers {
        let attention = attention(c, i, n_ctx, kv);
        let of = |patterns: &[&str]| of_layer(patterns[0], i);
        let residual = Scaling::by(c.scales.residual);
        let (pre, post) = (c.spec.pre_norm, c.spec.post_norm);
        layers.push(Layer {
            attn_norm: norm(pre, names.attn_norm, i)?,
            qkv_proj: matrix(&of(names.qkv_proj))?,
            qkv_extras: ops.upload_f32(&extras(c, i, &values)?),
            o_proj: matrix(&of_layer(names.o_proj, i))?.scaled(residual),
            post_attn_norm: norm(post, names.post_attn_norm, i)?,
            ffn_norm: norm(pre, names.ffn_norm, i)?,
            gate_up_proj: matrix(&of(names.gate_up_proj))?,
            down_proj: matrix(&of_layer(names.down_proj, i))?.scaled(residual),
            post_ffn_norm: norm(post, names.post_ffn_norm, i)?,
            attention,
            rope: match &local_rope {
                Some(local) if attention.window > 0 => local.clone(),
                _ => rope.clone(),
            },
        });
    }
    let token_embd = matrix(names.token_embd)?;
    let lm_head = match gguf.tensor(names.lm_head) {
        Some(_) => matrix(names.lm_head)?,
        None => token_embd.clone(),
    };
    Ok(Decoder {
        output_norm: ops.upload_f32(values(names.output_norm, c.d_model)?),
        weight_bytes: plan.matrices.iter().map(Matrix::bytes).sum(),
        token_embd: token_embd.scaled(Scaling::by(c.scales.embedding)),
        layers,
        lm_head: lm_head.scaled(Scaling {
            factor: c.scales.logits,
            softcap: c.scales.logits_cap,
        }),
        config,
        ops,
        n_ctx,
        kv,
    })
}

/// How layer `i` attends.
fn attention(c: &ModelConfig, i: usize, n_ctx: usize, kv: KvType) -> AttentionSpec {
    AttentionSpec {
        n_heads: c.n_heads as u32,
        n_kv_heads: c.n_kv_heads as u32,
        head_dim: c.head_dim as u32,
        rope_pairs: if c.rotates(i) {
            c.rope_dim as u32 / 2
        } else {
            0
        },
        n_ctx: n_ctx as u32,
        neox: c.spec.rope_neox,
        kv,
        bias: c.spec.qkv_bias,
        qk_norm: c.spec.qk_norm,
        eps: c.eps,
        scale: c.scales.attention,
        softcap: c.scales.attention_cap,
        window: c.window(i) as u32,
        splits: 1,
    }
}

/// What goes with q, k and v: the bias and the norms' weights, [`AttentionSpec::extras`] values, or a dummy.
fn extras<'a>(
    c: &ModelConfig,
    i: usize,
    values: &impl Fn(&str, usize) -> Result<&'a [f32]>,
) -> Result<Vec<f32>> {
    let names = c.spec.names;
    let (q, kv) = (c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
    let mut extras = Vec::new();
    if c.spec.qkv_bias {
        for (name, len) in names.qkv_bias.iter().zip([q, kv, kv]) {
            extras.extend_from_slice(values(&of_layer(name, i), len)?);
        }
    }
    let lens = match c.spec.qk_norm {
        QkNorm::None => None,
        QkNorm::Head => Some([c.head_dim, c.head_dim]),
        QkNorm::Row => Some([q, kv]),
    };
    if let Some([q_len, k_len]) = lens {
        extras.extend_from_slice(values(&of_layer(names.q_norm, i), q_len)?);
        extras.extend_from_slice(values(&of_layer(names.k_norm, i), k_len)?);
    }
    if extras.is_empty() {
        extras.push(0.0);
    }
    Ok(extras)
}

/// The table of rotary positions, and that of sliding layers where it is another.
fn ropes(
    plan: &Plan,
    c: &ModelConfig,
    ops: &Ops,
    n_ctx: usize,
) -> Result<(Tensor<2>, Option<Tensor<2>>)> {
    let names = c.spec.names;
    let long = match n_ctx > c.rope_original_ctx {
        true => names.rope_long,
        false => names.rope_short,
    };
    let mut divisors = None;
    for name in [names.rope_freqs, long] {
        if let Ok(found) = plan.vector(name) {
            if found.len() != c.rope_dim / 2 {
                return Err(Error::TensorShape {
                    name: name.to_owned(),
                    expected: vec![c.rope_dim as u64 / 2],
                    found: vec![found.len() as u64],
                });
            }
            divisors = Some(found.as_slice());
        }
    }
    let global = ops.upload_f32(&c.rope.table(n_ctx, divisors));
    let local = (c.local_rope.as_ref()).map(|rope| ops.upload_f32(&rope.table(n_ctx, None)));
    Ok((global, local))
}
