//! Builds a transformer from a file's tensors.

use burn::tensor::Tensor;

use crate::model::feed_forward::{Experts, FeedForward};
use crate::model::loaded::Parts;
use crate::model::mixer::{AttentionMixer, Mixer};
use crate::model::transformer::{BlockEnd, Embedding, Layer, Transformer};
use crate::ops::{Attention, AttentionSpec, KvType, Ops, QkNorm, Scaling};
use crate::weights::builder::Matrix;
use crate::weights::plan::Plan;
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::Gguf;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::PostNorm;
use hearth_modelfile::families::names::{bias_of, of_layer};

/// Builds the transformer, once every tensor of the plan has been read.
///
/// # Errors
/// [`Error::MissingTensor`] or [`Error::TensorShape`].
pub fn transformer(
    plan: &Plan,
    gguf: &Gguf,
    config: ModelConfig,
    ops: Ops,
    n_ctx: usize,
    kv: KvType,
) -> Result<Transformer> {
    let c = &config;
    let parts = Parts { plan, c, ops: &ops };
    let names = c.spec.names;
    let (rope, local_rope) = ropes(plan, c, &ops, n_ctx)?;
    let mut layers = Vec::with_capacity(c.n_layers);
    for i in 0..c.n_layers {
        let of = |pattern: &str| of_layer(pattern, i);
        let norm = |there: bool, name: &str| match there {
            true => parts.norm(&of(name)).map(Some),
            false => Ok(None),
        };
        let residual = Scaling::by(c.scales.residual);
        let (pre, post) = (c.spec.pre_norm, c.spec.post_norm != PostNorm::None);
        let (extras, bias) = extras(&parts, i)?;
        let spec = attention(c, i, n_ctx, kv, bias);
        let down = match c.n_experts {
            0 => bias_of(&of(names.down_proj)),
            // Each expert has a separate bias.
            _ => String::new(),
        };
        layers.push(Layer {
            mixer_norm: norm(pre, names.attn_norm)?,
            mixer: Mixer::Attention(AttentionMixer {
                qkv_proj: parts.matrix(&of(names.qkv_proj[0]))?,
                attention: Attention {
                    spec,
                    rope: match &local_rope {
                        Some(local) if spec.window > 0 => local.clone(),
                        _ => rope.clone(),
                    },
                    extras: ops.upload_f32(&extras),
                },
                o_proj: parts.matrix(&of(names.o_proj))?.scaled(residual),
            }),
            mixer_end: BlockEnd {
                bias: parts.optional(&bias_of(&of(names.o_proj)), c.d_model)?,
                norm: norm(post, names.post_attn_norm)?,
            },
            ffn_norm: norm(pre, names.ffn_norm)?,
            feed_forward: feed_forward(&parts, i)?,
            ffn_end: BlockEnd {
                bias: parts.optional(&down, c.d_model)?,
                norm: norm(post, names.post_ffn_norm)?,
            },
        });
    }
    let token_embd = parts.matrix(names.token_embd)?;
    let lm_head = match gguf.tensor(names.lm_head) {
        Some(_) => parts.matrix(names.lm_head)?,
        None => token_embd.clone(),
    };
    let embedding = Embedding {
        tokens: token_embd.scaled(Scaling::by(c.scales.embedding)),
        positions: match c.spec.learned_positions {
            true => Some(parts.matrix(names.position_embd)?),
            false => None,
        },
        // All tokens are of the first type.
        bias: match plan.vector(names.token_types) {
            Ok(types) if types.len() >= c.d_model => Some(ops.upload_f32(&types[..c.d_model])),
            _ => None,
        },
        norm: match plan.vector(names.embd_norm) {
            Ok(_) => Some(parts.norm(names.embd_norm)?),
            Err(_) => None,
        },
    };
    Ok(Transformer {
        // Encoders end with the norm of their last layer.
        output_norm: match c.spec.causal {
            true => Some(parts.norm(names.output_norm)?),
            false => None,
        },
        weight_bytes: plan.matrices.iter().map(Matrix::bytes).sum(),
        embedding,
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

/// Builds the feed-forward block of layer `i`.
fn feed_forward(parts: &Parts<'_>, i: usize) -> Result<FeedForward> {
    let (c, ops) = (parts.c, parts.ops);
    let names = c.spec.names;
    let of = |pattern: &str| of_layer(pattern, i);
    let residual = Scaling::by(c.scales.residual);
    if c.n_experts > 0 {
        let bias = |name: &str, len: usize| parts.if_there(&bias_of(&of(name)), len);
        let widths = c.n_experts * c.d_ff;
        let [gate, up] = [0, 1].map(|at| names.expert_gate_up[at]);
        let gate_up_bias = match (bias(gate, widths)?, bias(up, widths)?) {
            (Some(gate), Some(up)) => {
                let experts = gate.chunks_exact(c.d_ff).zip(up.chunks_exact(c.d_ff));
                let rows: Vec<f32> = experts.flat_map(|(g, u)| [g, u].concat()).collect();
                Some(ops.upload_f32(&rows))
            }
            _ => None,
        };
        return Ok(FeedForward::Experts(Experts {
            n_experts: c.n_experts,
            n_used: c.n_experts_used,
            router: parts.matrix(&of(names.router))?,
            router_bias: parts.optional(&bias_of(&of(names.router)), c.n_experts)?,
            gate: parts.experts(&of(gate))?,
            up: parts.experts(&of(up))?,
            gate_up_bias,
            down: parts.experts(&of(names.expert_down))?.scaled(residual),
            down_bias: bias(names.expert_down, c.n_experts * c.d_model)?
                .map(|values| ops.upload_f32(values)),
        }));
    }
    let first = parts.matrix(&of(names.gate_up_proj[0]))?;
    let down = parts.matrix(&of(names.down_proj))?.scaled(residual);
    if c.spec.gated {
        return Ok(FeedForward::Gated {
            gate_up: first,
            down,
        });
    }
    let bias = parts.if_there(&bias_of(&of(names.gate_up_proj[0])), c.d_ff)?;
    Ok(FeedForward::Plain {
        up: first,
        up_bias: match bias {
            Some(bias) => ops.upload_f32(bias),
            None => ops.upload_f32(&vec![0.0; c.d_ff]),
        },
        down,
    })
}

/// Returns the attention spec of layer `i`.
fn attention(c: &ModelConfig, i: usize, n_ctx: usize, kv: KvType, bias: bool) -> AttentionSpec {
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
        neox: c.rope_halves,
        kv,
        bias,
        qk_norm: c.spec.qk_norm,
        eps: c.eps,
        scale: c.scales.attention,
        softcap: c.scales.attention_cap,
        window: c.window(i) as u32,
        causal: c.spec.causal,
        sinks: c.spec.sinks,
        temperature: c.scales.temperature,
        temperature_ctx: c.rope_original_ctx as u32,
        splits: 1,
    }
}

/// Returns layer `i`'s extra attention values ([`AttentionSpec::extras`] of them, or a dummy), and whether they
/// include a bias.
fn extras(parts: &Parts<'_>, i: usize) -> Result<(Vec<f32>, bool)> {
    let c = parts.c;
    let names = c.spec.names;
    let (q, kv) = (c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim);
    let mut extras = Vec::new();
    let lens: &[usize] = match names.qkv_proj {
        [_] => &[q + 2 * kv],
        _ => &[q, kv, kv],
    };
    for (name, len) in names.qkv_proj.iter().zip(lens) {
        if let Some(bias) = parts.if_there(&bias_of(&of_layer(name, i)), *len)? {
            extras.extend_from_slice(bias);
        }
    }
    let bias = !extras.is_empty();
    if bias && extras.len() != q + 2 * kv {
        return Err(Error::MissingTensor {
            name: bias_of(&of_layer("blk.{}.attn_(q, k, v)", i)),
        });
    }
    let lens = match c.spec.qk_norm {
        QkNorm::None => None,
        QkNorm::Head => Some([c.head_dim, c.head_dim]),
        QkNorm::Row => Some([q, kv]),
    };
    if let Some([q_len, k_len]) = lens {
        extras.extend(parts.gains(&of_layer(names.q_norm, i), q_len)?);
        extras.extend(parts.gains(&of_layer(names.k_norm, i), k_len)?);
    }
    if c.spec.sinks {
        extras.extend_from_slice(parts.values(&of_layer(names.sinks, i), c.n_heads)?);
    }
    if extras.is_empty() {
        extras.push(0.0);
    }
    Ok((extras, bias))
}

/// Returns the table of rotary positions, and that of sliding layers if it differs.
fn ropes(
    plan: &Plan,
    c: &ModelConfig,
    ops: &Ops,
    n_ctx: usize,
) -> Result<(Tensor<2>, Option<Tensor<2>>)> {
    let names = c.spec.names;
    let [freqs, short, long] = &c.rope_divisors;
    let long = match n_ctx > c.rope_original_ctx {
        true => (names.rope_long, long),
        false => (names.rope_short, short),
    };
    let mut divisors = None;
    for (name, computed) in [(names.rope_freqs, freqs), long] {
        let found = plan.vector(name).unwrap_or(computed);
        if !found.is_empty() {
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
