//! Builds feed-forward blocks.

use super::bounds;
use crate::model::feed_forward::{BesideExperts, Experts, FeedForward, SharedExpert};
use crate::model::loaded::LoadedTensors;
use crate::ops::{Norm, NormSpec, RouteSpec, Router, Scaling, XIELU_PARAMETERS};
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::Activation;
use hearth_modelfile::families::names::{bias_of, of_layer};
use hearth_modelfile::layer_spec::FeedForwardKind;
use hearth_modelfile::router;

/// Builds the feed-forward block of layer `i`.
pub(super) fn build(parts: &LoadedTensors<'_>, i: usize) -> Result<FeedForward> {
    let (c, ops) = (parts.c, parts.ops);
    let (names, layer) = (c.spec.names, &c.layers[i]);
    let d_ff = layer.d_ff;
    let of = |pattern: &str| of_layer(pattern, i);
    let residual = Scaling::by(c.scales.residual);
    if layer.feed_forward == FeedForwardKind::None {
        return Ok(FeedForward::None);
    }
    let zeros = |width: usize| match c.spec.gated {
        true => None,
        false => Some(ops.upload_row(&vec![0.0; width])),
    };
    if layer.feed_forward == FeedForwardKind::Experts {
        let bias = |name: &str, len: usize| parts.if_there(&bias_of(&of(name)), len);
        let widths = c.n_experts * d_ff;
        let gate_up_bias = match names.expert_gate_up {
            [gate, up] => match (bias(gate, widths)?, bias(up, widths)?) {
                (Some(gate), Some(up)) => {
                    let experts = gate.chunks_exact(d_ff).zip(up.chunks_exact(d_ff));
                    let rows: Vec<f32> = experts.flat_map(|(g, u)| [g, u].concat()).collect();
                    Some(ops.upload_row(&rows))
                }
                _ => None,
            },
            _ => None,
        };
        let in_one = parts.experts(&of(names.expert_gate_up_in_one));
        let beside = c.spec.shared_expert == router::SharedExpert::Beside;
        let shared = match layer.shared_d_ff {
            0 => None,
            _ if beside => None,
            _ => Some(SharedExpert {
                gate_up: parts.matrix(&of(names.shared_gate_up[0]))?,
                ungated: zeros(layer.shared_d_ff),
                down: parts.matrix(&of(names.shared_down))?.scaled(residual),
                gate: match c.spec.shared_expert {
                    router::SharedExpert::Gated => Some(parts.matrix(&of(names.shared_gate))?),
                    _ => None,
                },
            }),
        };
        let factors = match beside {
            true => parts.optional(&of(names.expert_scale), c.n_experts)?,
            false => None,
        };
        let experts = Experts {
            router: parts.matrix(&of(names.router))?,
            router_bias: parts.optional(&bias_of(&of(names.router)), c.n_experts)?,
            route: RouteSpec {
                router: Router {
                    scaled: factors.is_some(),
                    ..c.router
                },
                n_used: c.n_experts_used,
            },
            of_experts: match c.router.biased {
                true => parts.optional(&of(names.router_bias), c.n_experts)?,
                false => factors,
            },
            gate_up: match in_one {
                Ok(weight) => vec![weight],
                Err(_) => (names.expert_gate_up.iter())
                    .map(|name| parts.experts(&of(name)))
                    .collect::<Result<_>>()?,
            },
            ungated: zeros(d_ff),
            gate_up_bias,
            down: parts.experts(&of(names.expert_down))?.scaled(residual),
            down_bias: bias(names.expert_down, c.n_experts * c.d_model)?
                .map(|values| ops.upload_row(values)),
            shared,
        };
        return Ok(match beside {
            true => FeedForward::Beside(beside_experts(parts, i, experts)?),
            false => FeedForward::Experts(experts),
        });
    }
    let mut first = parts.matrix(&of(names.gate_up_proj[0]))?;
    // The norm before the block multiplies gate and up alike.
    let scales = &c.scales.parts;
    let output = c.scales.residual * scales.ffn_output / scales.ffn_gate;
    let mut down = (parts.matrix(&of(names.down_proj))?).scaled(Scaling::by(output));
    if c.spec.sees
        && let Some(bias) = parts.optional(&bias_of(&of(names.down_proj)), c.d_model)?
    {
        down = down.with_bias(bias, None);
    }
    if layer.feed_forward == FeedForwardKind::Gated {
        let mut bias = Vec::new();
        for name in names.gate_up_proj.iter().filter(|_| c.spec.sees) {
            let found = parts.if_there(&bias_of(&of(name)), d_ff)?;
            bias.extend(found.unwrap_or_default());
        }
        match bias.len() {
            0 => {}
            n if n == 2 * d_ff => first = first.with_bias(ops.upload_row(&bias), None),
            _ => {
                return Err(Error::MissingTensor {
                    name: bias_of(&of("blk.{}.ffn_(gate, up)")),
                });
            }
        }
        return Ok(FeedForward::Gated {
            gate_up: first,
            down,
            bounds: bounds::of_feed_forward(parts, i)?,
        });
    }
    let bias = parts.if_there(&bias_of(&of(names.gate_up_proj[0])), d_ff)?;
    let mut bias = bias.map_or_else(|| vec![0.0; d_ff], <[f32]>::to_vec);
    if c.spec.activation == Activation::Xielu {
        bias.extend(xielu(parts, i)?);
    }
    let bias = ops.upload_row(&bias);
    Ok(match c.spec.sees {
        true => FeedForward::Plain {
            up: first.with_bias(bias, Some(c.spec.activation)),
            up_bias: None,
            down,
        },
        false => FeedForward::Plain {
            up: first,
            up_bias: Some(bias),
            down,
        },
    })
}

/// Builds the gated block beside the experts of layer `i`, and their norms.
fn beside_experts(parts: &LoadedTensors<'_>, i: usize, experts: Experts) -> Result<BesideExperts> {
    let (c, names) = (parts.c, parts.c.spec.names);
    let of = |pattern: &str| of_layer(pattern, i);
    // The router's input is normalised without weights, and divided by the square root of its width.
    let factors = parts.values(&of(names.router_scale), c.d_model)?.iter();
    let root = (c.d_model as f32).sqrt();
    let factors: Vec<f32> = factors.map(|factor| factor / root).collect();
    Ok(BesideExperts {
        gate_up: parts.matrix(&of(names.gate_up_proj[0]))?,
        down: parts.matrix(&of(names.down_proj))?,
        end: parts.norm(&of(names.post_dense_norm))?,
        experts,
        router_norm: Norm {
            weight: parts.ops.upload_row(&factors),
            spec: NormSpec::rms(c.eps),
        },
        experts_norm: parts.norm(&of(names.pre_experts_norm))?,
        experts_end: parts.norm(&of(names.post_experts_norm))?,
    })
}

/// Returns the parameters of layer `i`'s activation, which are in the metadata or are tensors: alpha_p, alpha_n, beta, eps.
fn xielu(parts: &LoadedTensors<'_>, i: usize) -> Result<[f32; XIELU_PARAMETERS]> {
    let names = parts.c.spec.names.xielu.map(|name| of_layer(name, i));
    let value = |name: &str| Ok(parts.values(name, 1)?[0]);
    let or = |name: &str, default: f32| -> Result<f32> {
        let found = parts.if_there(name, 1)?;
        Ok(found.map_or(default, |found| found[0]))
    };
    let [alpha_p, alpha_n, beta, eps] = match parts.c.xielu.get(i) {
        Some(parameters) => *parameters,
        // (transformers' values of those that are not learned)
        None => [
            value(&names[0])?,
            value(&names[1])?,
            or(&names[2], 0.5)?,
            or(&names[3], -1e-6)?,
        ],
    };
    let softplus = |v: f32| v.max(0.0) + (-v.abs()).exp().ln_1p();
    Ok([softplus(alpha_p), beta + softplus(alpha_n), beta, eps])
}
