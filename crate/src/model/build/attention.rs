//! Builds attention mixers.

use burn::tensor::Tensor;

use super::bounds;
use crate::model::loaded::LoadedTensors;
use crate::model::mixer::AttentionMixer;
use crate::ops::{Attention, AttentionSpec, KvSource, KvType, QkNorm, Scaling};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::Turns;
use hearth_modelfile::families::names::{bias_of, of_layer};
use hearth_modelfile::layer_spec::RopeKind;
use hearth_modelfile::rope::Rope;

/// Builds the attention of layer `i`.
pub(super) fn mixer(
    parts: &LoadedTensors<'_>,
    i: usize,
    ropes: &Ropes,
    n_ctx: usize,
    kv: KvType,
) -> Result<AttentionMixer> {
    let (c, names) = (parts.c, parts.c.spec.names);
    let of = |pattern: &str| of_layer(pattern, i);
    let (attn_params, bias) = attn_params(parts, i)?;
    let output = Scaling::by(c.scales.residual * c.scales.parts.attention_output);
    let mut o_proj = parts.matrix(&of(names.o_proj))?.scaled(output);
    if c.spec.sees
        && let Some(bias) = parts.optional(&bias_of(&of(names.o_proj)), c.d_model)?
    {
        o_proj = o_proj.with_bias(bias, None);
    }
    Ok(AttentionMixer {
        qkv_proj: (parts.matrix(&of(names.qkv_in_one)))
            .or_else(|_| parts.matrix(&of(names.qkv_proj[0])))?,
        attention: Attention {
            spec: spec(c, i, n_ctx, kv, bias),
            rope: ropes.of(c.layers[i].rope),
            attn_params: parts.ops.upload_row(&attn_params),
        },
        o_proj,
        bounds: bounds::of_attention(parts, i)?,
    })
}

/// Returns the attention spec of layer `i`.
pub(super) fn spec(
    c: &ModelConfig,
    i: usize,
    n_ctx: usize,
    kv: KvType,
    bias: bool,
) -> AttentionSpec {
    let layer = &c.layers[i];
    AttentionSpec {
        n_heads: layer.heads as u32,
        n_kv_heads: layer.kv_heads as u32,
        head_dim: layer.head_dim as u32,
        rope_pairs: c.rope_of(layer.rope).map_or(0, |rope| rope.dim as u32 / 2),
        n_ctx: n_ctx as u32,
        neox: c.rope_halves,
        in_halves: c.spec.turns == Turns::InHalves,
        gate: c.spec.attention_gate,
        kv,
        bias,
        qk_norm: c.spec.qk_norm,
        v_norm: c.spec.v_norm,
        kv_source: match (layer.kv_of, layer.values_are_keys) {
            (Some(_), _) => KvSource::Earlier,
            (None, true) => KvSource::KeysOnly,
            (None, false) => KvSource::Projected,
        },
        eps: c.eps,
        scale: c.scales.attention,
        alibi: c.scales.alibi,
        softcap: c.scales.attention_cap,
        // (a tower's windows have two dimensions)
        window: if c.spec.sees { 0 } else { layer.window as u32 },
        causal: c.spec.causal,
        block: false,
        ranged: c.spec.sees && layer.window > 0,
        sinks: c.spec.sinks,
        temperature: c.scales.temperature,
        temperature_ctx: c.rope_original_ctx as u32,
        splits: 1,
        many_rows: false,
        by_column: false,
        folded: false,
    }
}

/// Returns layer `i`'s extra attention values ([`AttentionSpec::attn_params`] of them, or a dummy), and whether they
/// include a bias.
fn attn_params(parts: &LoadedTensors<'_>, i: usize) -> Result<(Vec<f32>, bool)> {
    let c = parts.c;
    let (names, layer) = (c.spec.names, &c.layers[i]);
    let (q, kv) = (layer.q_dim(), layer.kv_dim());
    let mut attn_params = Vec::new();
    let rows = layer.qkv_rows();
    let all: usize = rows.iter().sum();
    let lens = match names.qkv_proj {
        [_] => vec![all],
        _ => rows,
    };
    let separate = names.qkv_proj.iter().copied().zip(lens);
    // (a family whose only tensor this is has it once)
    let in_one = [(names.qkv_in_one, all)].into_iter();
    let in_one = in_one.filter(|(name, _)| !names.qkv_proj.contains(name));
    for (name, len) in separate.chain(in_one) {
        if let Some(bias) = parts.if_there(&bias_of(&of_layer(name, i)), len)? {
            attn_params.extend_from_slice(bias);
        }
    }
    let bias = !attn_params.is_empty();
    if bias && attn_params.len() != all {
        return Err(Error::MissingTensor {
            name: bias_of(&of_layer("blk.{}.attn_(q, k, v)", i)),
        });
    }
    let lens = match c.spec.qk_norm {
        QkNorm::None => None,
        QkNorm::Head | QkNorm::RotatedHead => Some([layer.head_dim, layer.head_dim]),
        QkNorm::Row | QkNorm::CentredHead => Some([q, kv]),
    };
    if let Some([q_len, k_len]) = lens {
        attn_params.extend(parts.gains_of_heads(&of_layer(names.q_norm, i), q_len, layer.heads)?);
        match layer.kv_of {
            None => attn_params.extend(parts.gains_of_heads(
                &of_layer(names.k_norm, i),
                k_len,
                layer.kv_heads,
            )?),
            Some(_) => attn_params.resize(attn_params.len() + k_len, 0.0),
        }
    }
    if c.spec.sinks {
        attn_params.extend_from_slice(parts.values(&of_layer(names.sinks, i), layer.heads)?);
    }
    if attn_params.is_empty() {
        attn_params.push(0.0);
    }
    Ok((attn_params, bias))
}

/// Tables of rotary positions: [n_ctx, rope_dim].
pub(super) struct Ropes {
    global: Tensor<2>,
    /// The table of sliding layers, if it differs.
    local: Option<Tensor<2>>,
}

impl Ropes {
    /// Computes the tables for `n_ctx` positions.
    pub(super) fn new(parts: &LoadedTensors<'_>, n_ctx: usize) -> Result<Self> {
        let (c, ops) = (parts.c, parts.ops);
        let names = c.spec.names;
        let [freqs, short, long] = &c.rope_divisors;
        let long = match n_ctx > c.rope_original_ctx {
            true => (names.rope_long, long),
            false => (names.rope_short, short),
        };
        let mut divisors = None;
        for (name, computed) in [(names.rope_freqs, freqs), long] {
            let found = parts.plan.vector(name).unwrap_or(computed);
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
        // Where nothing runs or rotates, nothing reads them.
        let positions = match ops.is_outline() || c.spec.learned_positions || c.spec.sees {
            true => 1,
            false => n_ctx,
        };
        let table = |rope: &Rope, divisors| ops.upload_row(&rope.table(positions, divisors));
        let local = c.local_rope.as_ref().map(|rope| table(rope, None));
        Ok(Self {
            global: table(&c.rope, divisors),
            local,
        })
    }

    /// Returns the table of a layer. One without rotary positions never reads it.
    pub(super) fn of(&self, kind: RopeKind) -> Tensor<2> {
        match (kind, &self.local) {
            (RopeKind::Local, Some(local)) => local.clone(),
            _ => self.global.clone(),
        }
    }
}
