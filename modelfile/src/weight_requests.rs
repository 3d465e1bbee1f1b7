//! The tensors that a model requests from its file.

use std::collections::HashSet;

use crate::config::ModelConfig;
use crate::container::factor::{factors_of, weight_of};
use crate::container::{GgmlType, ModelHeader};
use crate::error::{Error, Result};
use crate::families::names::{bias_of, of_expert, of_head, of_layer, of_part};
use crate::families::{Activation, AttentionGate, Captions, PostNorm, QkNorm, Ranking};
use crate::layer_spec::{FeedForwardKind, MixerKind};
use crate::router::SharedExpert;

/// Logarithm of the factor of cosines of pictures and texts, and what is then added.
pub const LOGIT_SCALE: &str = "logit_scale.weight";
pub const LOGIT_BIAS: &str = "logit_bias.weight";

/// A matrix: the tensors that provide its rows, each with its number of rows, and its columns.
pub struct WeightRequest {
    pub parts: Vec<(String, usize)>,
    pub cols: usize,
    /// Number of experts, or of heads with a matrix each, whose rows it has; 1 for all other matrices.
    pub experts: usize,
    /// The matrices are those of heads: a token uses all of them.
    pub by_head: bool,
    /// Keeps it unquantised even if floats are quantised: quantising it would save little and lose much.
    pub exact: bool,
}

/// Returns the tensors of a model: matrices for the device, and small vectors.
pub fn tensors(gguf: &ModelHeader, c: &ModelConfig) -> (Vec<WeightRequest>, Vec<String>) {
    let names = c.spec.names;
    let matrix = |parts: Vec<(String, usize)>, cols: usize| WeightRequest {
        parts,
        cols,
        experts: 1,
        by_head: false,
        exact: false,
    };
    let exact = |matrix: WeightRequest| WeightRequest {
        exact: true,
        ..matrix
    };
    let table = |name: &str, rows: usize| matrix(vec![(name.into(), rows)], c.d_model);
    let mut matrices = Vec::new();
    if !c.spec.sees {
        matrices.push(table(names.token_embd, c.vocab_size));
    }
    if gguf.tensor(names.lm_head).is_some() {
        matrices.push(table(names.lm_head, c.vocab_size));
    }
    if c.spec.learned_positions {
        matrices.push(exact(table(names.position_embd, c.n_ctx_train)));
    }
    let per_layer = c.n_layers * c.per_layer_dim;
    if per_layer > 0 {
        let all = vec![(names.per_layer_embd.into(), c.vocab_size)];
        matrices.push(matrix(all, per_layer));
        matrices.push(table(names.per_layer_model_proj, per_layer));
    }
    if c.rank_outputs > 0 && c.spec.ranking != Ranking::YesOrNo {
        matrices.push(table(names.cls, c.d_model));
    }
    for dense in &c.dense {
        matrices.push(matrix(vec![(dense.name.into(), dense.rows)], dense.cols));
    }
    for (i, layer) in c.layers.iter().enumerate() {
        let (q, d_ff) = (layer.q_dim(), layer.d_ff);
        let one = |name: &str, rows: usize| vec![(of_layer(name, i), rows)];
        // Several tensors, or one that has all of their rows.
        let several = |names: &[&str], rows: &[usize]| match names {
            [name] => one(name, rows.iter().sum()),
            _ => (names.iter().zip(rows))
                .map(|(name, rows)| (of_layer(name, i), *rows))
                .collect(),
        };
        if let MixerKind::Latent(shape) = layer.mixer {
            let heads = layer.heads;
            let query = heads * shape.query();
            if shape.query_rank > 0 {
                matrices.push(matrix(one(names.q_down, shape.query_rank), c.d_model));
                matrices.push(matrix(one(names.q_up, query), shape.query_rank));
            } else {
                matrices.push(matrix(one(names.qkv_proj[0], query), c.d_model));
            }
            matrices.push(matrix(one(names.latent_proj, shape.kept()), c.d_model));
            // A matrix for each head, in one tensor or one each.
            let of_heads = |name: &str, rows: usize, cols: usize| {
                let (name, all) = (of_layer(name, i), 0..heads);
                WeightRequest {
                    parts: match gguf.tensor(&of_part(&name, 0)) {
                        Some(_) => all.map(|head| (of_part(&name, head), rows)).collect(),
                        None => vec![(name, heads * rows)],
                    },
                    cols,
                    experts: heads,
                    by_head: true,
                    exact: false,
                }
            };
            matrices.push(of_heads(names.to_latent, shape.rank, shape.plain));
            matrices.push(of_heads(names.from_latent, shape.value, shape.rank));
            let values = heads * shape.value;
            matrices.push(matrix(one(names.o_proj, c.d_model), values));
        } else if layer.mixer.attends() {
            let mut rows = layer.qkv_rows();
            if c.spec.attention_gate == AttentionGate::Interleaved {
                rows[0] = 2 * q;
            }
            let in_one = [names.qkv_in_one];
            let projected = match names.qkv_proj {
                _ if gguf.tensor(&of_layer(in_one[0], i)).is_some() => &in_one[..],
                [_] => names.qkv_proj,
                all => &all[..rows.len()],
            };
            let mut parts = several(projected, &rows);
            if c.spec.attention_gate == AttentionGate::PerHead {
                parts.extend(one(names.attn_gate, layer.heads));
            }
            matrices.push(matrix(parts, c.d_model));
            matrices.push(matrix(one(names.o_proj, c.d_model), q));
        }
        match layer.mixer {
            MixerKind::Attention | MixerKind::Latent(_) | MixerKind::None => {}
            MixerKind::Mamba(shape) | MixerKind::AttentionAndMamba(shape) => {
                let (columns, inner) = (shape.columns(), shape.inner());
                matrices.push(matrix(one(names.mamba_in_proj, columns), c.d_model));
                matrices.push(matrix(one(names.delta_out_proj, c.d_model), inner));
            }
            MixerKind::ShortConv { channels, .. } => {
                matrices.push(matrix(one(names.conv_in_proj, 3 * channels), c.d_model));
                matrices.push(matrix(one(names.conv_out_proj, c.d_model), channels));
            }
            MixerKind::GatedDelta(shape) => {
                let (values, heads) = (shape.value_dim(), shape.value_heads);
                let rows = [shape.channels(), values, heads, heads];
                matrices.push(matrix(several(names.delta_in_proj, &rows), c.d_model));
                matrices.push(matrix(one(names.delta_out_proj, c.d_model), values));
            }
        }
        if per_layer > 0 {
            let gate = one(names.per_layer_gate, c.per_layer_dim);
            matrices.push(matrix(gate, c.d_model));
            matrices.push(matrix(
                one(names.per_layer_proj, c.d_model),
                c.per_layer_dim,
            ));
        }
        if layer.feed_forward == FeedForwardKind::Experts {
            let experts = c.n_experts;
            let of_all = |name: &str, rows: usize, cols: usize| {
                let apart = |expert| of_expert(&of_layer(name, i), expert);
                let is_there = |name: String| gguf.tensor(&name).is_some();
                let mut all = 0..experts;
                let in_one = is_there(of_layer(name, i));
                WeightRequest {
                    parts: match !in_one && all.any(|expert| is_there(apart(expert))) {
                        true => (0..experts).map(|expert| (apart(expert), rows)).collect(),
                        false => one(name, experts * rows),
                    },
                    cols,
                    experts,
                    by_head: false,
                    exact: false,
                }
            };
            matrices.push(exact(matrix(one(names.router, experts), c.d_model)));
            let in_one = names.expert_gate_up_in_one;
            if gguf.tensor(&of_layer(in_one, i)).is_some() {
                matrices.push(of_all(in_one, 2 * d_ff, c.d_model));
            } else {
                let gate_up = names.expert_gate_up.iter();
                matrices.extend(gate_up.map(|name| of_all(name, d_ff, c.d_model)));
            }
            matrices.push(of_all(names.expert_down, c.d_model, d_ff));
            let shared = layer.shared_d_ff;
            if shared > 0 {
                let (gate_up, down) = match c.spec.shared_expert {
                    SharedExpert::Beside => (names.gate_up_proj, names.down_proj),
                    _ => (names.shared_gate_up, names.shared_down),
                };
                let rows = [shared, shared];
                let gate_up = several(gate_up, if c.spec.gated { &rows } else { &rows[..1] });
                matrices.push(matrix(gate_up, c.d_model));
                matrices.push(matrix(one(down, c.d_model), shared));
            }
            if shared > 0 && c.spec.shared_expert == SharedExpert::Gated {
                matrices.push(exact(matrix(one(names.shared_gate, 1), c.d_model)));
            }
        } else if layer.feed_forward != FeedForwardKind::None {
            let rows = [d_ff, d_ff];
            let rows = match layer.feed_forward {
                FeedForwardKind::Plain => &rows[..1],
                _ => &rows[..],
            };
            matrices.push(matrix(several(names.gate_up_proj, rows), c.d_model));
            matrices.push(matrix(one(names.down_proj, c.d_model), d_ff));
        }
    }
    (matrices, vectors(gguf, c))
}

/// Refuses a file with a tensor in its layers, or a bias of a norm around them, that is in no request, or with factors of a weight that takes none: its model
/// computes something else.
///
/// # Errors
/// [`Error::Metadata`] with the tensor's name, and the errors of [`factors_of`].
pub fn check_unread(
    gguf: &ModelHeader,
    c: &ModelConfig,
    (matrices, vectors): &(Vec<WeightRequest>, Vec<String>),
) -> Result<()> {
    let parts = matrices.iter().flat_map(|matrix| &matrix.parts);
    let mut read: HashSet<&str> = parts.map(|(name, _)| name.as_str()).collect();
    read.extend(vectors.iter().map(String::as_str));
    // Frequencies of the rotation, which old converters wrote.
    const KNOWN: [&str; 3] = ["rot_embd", "rope_freqs", "inv_freq"];
    let all = gguf.by_name();
    for weight in &gguf.tensors {
        factors_of(weight, &all)?;
    }
    let unread = gguf.tensors.iter().find(|tensor| {
        let name = tensor.name.as_str();
        if read.contains(name) {
            return false;
        }
        if let Some(weight) = weight_of(name) {
            let weight = all.get(weight.as_str());
            return weight.is_none_or(|weight| weight.dtype != GgmlType::NVFP4);
        }
        let layer = name
            .strip_prefix("blk.")
            .and_then(|rest| rest.split('.').next());
        let in_layers = layer.is_some_and(|n| n.parse().is_ok_and(|n: usize| n < c.n_layers));
        let of_norm = [c.spec.names.output_norm, c.spec.names.embd_norm]
            .into_iter()
            .any(|norm| bias_of(norm) == name);
        (in_layers || of_norm) && !KNOWN.iter().any(|known| name.contains(known))
    });
    match unread {
        None => Ok(()),
        Some(tensor) => Err(Error::Metadata {
            key: tensor.name.clone(),
            expected: format!(
                "no such tensor in a model of the architecture {}",
                c.architecture
            ),
            found: "one".into(),
        }),
    }
}

/// Returns the weights and norms of layer `i` whose biases are added if the file has some. Any other bias is refused by
/// [`check_unread`].
fn biased(gguf: &ModelHeader, c: &ModelConfig, i: usize) -> Vec<&'static str> {
    let (names, layer) = (c.spec.names, &c.layers[i]);
    let mut all = vec![names.o_proj];
    if c.spec.layer_norm {
        all.extend([
            names.attn_norm,
            names.ffn_norm,
            names.post_attn_norm,
            names.post_ffn_norm,
        ]);
    }
    // (gates would need some too)
    let is_latent = matches!(layer.mixer, MixerKind::Latent(_));
    if layer.mixer.attends() && !is_latent && c.spec.attention_gate != AttentionGate::PerHead {
        all.extend(names.qkv_proj);
        all.push(names.qkv_in_one);
    }
    match layer.feed_forward {
        FeedForwardKind::Gated => {
            all.push(names.down_proj);
            if c.spec.sees {
                all.extend(names.gate_up_proj);
            }
        }
        FeedForwardKind::Plain => all.extend([names.gate_up_proj[0], names.down_proj]),
        FeedForwardKind::None => {}
        FeedForwardKind::Experts => {
            all.extend([names.router, names.expert_down]);
            // (that of their sum)
            if c.spec.post_norm == PostNorm::Sum {
                all.push(names.down_proj);
            }
            // (both, or none)
            let is_there = |name: &&str| gguf.tensor(&bias_of(&of_layer(name, i))).is_some();
            if c.spec.gated && names.expert_gate_up.iter().all(is_there) {
                all.extend(names.expert_gate_up);
            }
        }
    }
    all
}

/// Returns the vectors of a model: those that its family has, and those that only some files have.
fn vectors(gguf: &ModelHeader, c: &ModelConfig) -> Vec<String> {
    let names = c.spec.names;
    let mut all = Vec::new();
    if c.spec.has_output_norm() {
        all.push(names.output_norm.to_owned());
    }
    if c.per_layer_dim > 0 {
        all.push(names.per_layer_proj_norm.to_owned());
    }
    let mut optional: Vec<String> = [
        names.rope_freqs,
        names.rope_short,
        names.rope_long,
        names.token_types,
        names.embd_norm,
    ]
    .map(str::to_owned)
    .into();
    optional.push(bias_of(names.lm_head));
    if c.spec.layer_norm {
        optional.extend([names.output_norm, names.embd_norm].map(bias_of));
    }
    let with_bias = c.dense.iter().filter(|dense| dense.biased);
    all.extend(with_bias.map(|dense| bias_of(dense.name)));
    if c.spec.captions != Captions::None {
        optional.extend([LOGIT_SCALE, LOGIT_BIAS].map(str::to_owned));
    }
    if c.rank_outputs > 0 && c.rank_answers.is_none() {
        all.push(names.cls_output.to_owned());
        if c.spec.ranking == Ranking::PredictionHead {
            all.push(names.cls_norm.to_owned());
        }
        optional.extend([names.cls, names.cls_norm, names.cls_output].map(bias_of));
    }
    for (i, layer) in c.layers.iter().enumerate() {
        let attends = layer.mixer.attends();
        let mut norms = Vec::new();
        norms.extend(c.has_mixer_norm(i).then_some(names.attn_norm));
        norms.extend(c.has_ffn_norm(i).then_some(names.ffn_norm));
        if c.spec.post_norm != PostNorm::None {
            norms.extend([names.post_attn_norm, names.post_ffn_norm]);
        }
        if attends && c.spec.qk_norm != QkNorm::None {
            let both = [(names.q_norm, layer.heads), (names.k_norm, layer.kv_heads)];
            for (name, heads) in &both[..1 + usize::from(layer.kv_of.is_none())] {
                match gguf.tensor(&of_head(&of_layer(name, i), 0)) {
                    None => norms.push(name),
                    Some(_) => all.extend((0..*heads).map(|h| of_head(&of_layer(name, i), h))),
                }
            }
        }
        if c.per_layer_dim > 0 {
            norms.push(names.per_layer_post_norm);
        }
        // (it is applied with the norm)
        if c.spec.post_norm == PostNorm::Block {
            optional.push(of_layer(names.layer_scale, i));
        }
        let of_mixer: &[&str] = match layer.mixer {
            MixerKind::Attention | MixerKind::None => &[],
            MixerKind::Latent(shape) if shape.query_rank > 0 => {
                &[names.q_down_norm, names.latent_norm]
            }
            MixerKind::Latent(_) => &[names.latent_norm],
            MixerKind::ShortConv { .. } => &[names.conv_taps],
            MixerKind::GatedDelta(_) => {
                optional.extend([names.delta_decay, names.delta_log_decay].map(|n| of_layer(n, i)));
                &[names.delta_taps, names.delta_bias, names.delta_norm]
            }
            MixerKind::Mamba(_) | MixerKind::AttentionAndMamba(_) => {
                optional.extend([names.delta_decay, names.delta_log_decay].map(|n| of_layer(n, i)));
                optional.push(bias_of(&of_layer(names.delta_taps, i)));
                match layer.mixer.attends() {
                    true => optional.push(of_layer(names.delta_norm, i)),
                    false => all.push(of_layer(names.delta_norm, i)),
                }
                &[names.delta_taps, names.delta_bias, names.mamba_skip]
            }
        };
        all.extend(of_mixer.iter().map(|name| of_layer(name, i)));
        let mixes = layer.feed_forward == FeedForwardKind::Experts;
        if mixes && c.spec.shared_expert == SharedExpert::Beside {
            norms.extend([
                names.post_dense_norm,
                names.pre_experts_norm,
                names.post_experts_norm,
            ]);
            all.push(of_layer(names.router_scale, i));
            // (NVFP4 has it among its own factors)
            let down = gguf.tensor(&of_layer(names.expert_down, i));
            if down.is_none_or(|down| down.dtype != GgmlType::NVFP4) {
                optional.push(of_layer(names.expert_scale, i));
            }
        }
        if mixes && c.router.biased {
            all.push(of_layer(names.router_bias, i));
        }
        if c.spec.activation == Activation::Xielu {
            optional.extend(names.xielu.map(|name| of_layer(name, i)));
        }
        if attends && c.spec.sinks {
            norms.push(names.sinks);
        }
        all.extend(norms.iter().map(|name| of_layer(name, i)));
        let biased = biased(gguf, c, i).into_iter();
        optional.extend(biased.map(|name| bias_of(&of_layer(name, i))));
    }
    all.extend(optional.into_iter().filter(|n| gguf.tensor(n).is_some()));
    all
}
