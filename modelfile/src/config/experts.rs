//! Feed-forward blocks: which layers have experts, how many and how wide, and how a token's are chosen.

use super::MAX_EXPERTS;
use super::keys::Keys;
use crate::by_layer::ByLayer;
use crate::error::Result;
use crate::families::{ModelSpec, PostNorm};
use crate::layer_spec::MixerKind;
use crate::router::{Gating, Router, SharedExpert};

pub(super) struct Experts {
    /// Experts of a layer that has some, 0 without; and the number that a token is routed to.
    pub n: usize,
    pub n_used: usize,
    pub router: Router,
    /// Whether each layer has experts.
    pub of_layer: Vec<bool>,
    /// Width of each layer's feed-forward block, or of an expert.
    pub widths: Vec<usize>,
    /// Width of each layer's expert that every token uses, in layers with experts; 0 if there is none.
    pub shared_widths: Vec<usize>,
}

impl Experts {
    pub fn read(keys: &Keys, by_layer: &ByLayer, spec: &ModelSpec) -> Result<Self> {
        let n = keys.count("expert_count", MAX_EXPERTS)?;
        let n_used = keys.count("expert_used_count", 64)?;
        if n_used > n || (n_used == 0 && n > 0) {
            let expected = format!("1 to expert_count ({n})");
            return Err(keys.wrong("expert_used_count", expected, n_used));
        }
        // Their output is added to the residual where it is, unless they have norms after them.
        let post_norm = match spec.shared_expert {
            SharedExpert::Beside => PostNorm::Block,
            _ if spec.post_norm == PostNorm::Sum => PostNorm::Sum,
            _ => PostNorm::None,
        };
        let is_known = spec.gated || spec.shared_expert != SharedExpert::Gated;
        if n > 0 && !(is_known && spec.post_norm == post_norm && !spec.parallel) {
            return Err(keys.wrong("expert_count", "0 in this family", n));
        }
        // The first layers are dense, and then all but one in so many; or the second of so many is not.
        let dense = keys.count("leading_dense_block_count", 1024)?;
        let step = keys.count("interleave_moe_layer_step", 1024)?.max(1);
        let second_of = match spec.honours.contains(&SECOND_OF) {
            true => keys.count(SECOND_OF, 1024)?,
            false => 0,
        };
        let dense_widths = by_layer.numbers("feed_forward_length", 1 << 20)?;
        let has_block = |i: usize| !spec.single_blocks || is_wide(dense_widths.as_deref(), i);
        let mixes = |i: usize| match second_of {
            0 => i >= dense && (i + 1).is_multiple_of(step),
            n => i % n == 1,
        };
        let of_layer: Vec<bool> = (0..by_layer.n_layers)
            .map(|i| n > 0 && has_block(i) && mixes(i))
            .collect();
        let shared_widths = shared_widths(keys, by_layer, spec, n)?;
        Ok(Self {
            n,
            n_used,
            router: router(keys, spec)?,
            widths: widths(keys, by_layer, &of_layer, spec.single_blocks)?,
            of_layer,
            shared_widths,
        })
    }

    /// Takes away the mixers of the layers that have a feed-forward block, in a model whose layers have one or the other.
    ///
    /// # Errors
    /// [`Error::Metadata`](crate::Error::Metadata) for a layer that attends and has such a block.
    pub fn replace(&self, keys: &Keys, mixers: &mut [MixerKind]) -> Result<()> {
        for (i, mixer) in mixers.iter_mut().enumerate() {
            let width = self.widths[i];
            if width > 0 && mixer.attends() {
                let expected = format!("0 in layer {i}, which attends");
                return Err(keys.wrong("feed_forward_length", expected, width));
            }
            if width > 0 {
                *mixer = MixerKind::None;
            }
        }
        Ok(())
    }
}

/// Key of the number of layers of which the second has experts.
const SECOND_OF: &str = "moe_every_n_layers";

fn is_wide(widths: Option<&[usize]>, i: usize) -> bool {
    widths.is_some_and(|widths| widths[i] > 0)
}

/// Returns the family's router with what the file says about it.
fn router(keys: &Keys, spec: &ModelSpec) -> Result<Router> {
    const NORM: &str = "expert_weights_norm";
    let own = spec.router;
    Ok(Router {
        gating: match keys.count("expert_gating_func", 1024)? {
            0 => own.gating,
            1 => Gating::Softmax,
            2 => Gating::Sigmoid,
            found => {
                let expected = "1 or 2 (softmax, sigmoid)";
                return Err(keys.wrong("expert_gating_func", expected, found));
            }
        },
        normalised: match spec.honours.contains(&NORM) {
            true => keys.meta.opt_bool(&keys.key(NORM))?,
            false => None,
        }
        .unwrap_or(own.normalised),
        factor: match keys.real("expert_weights_scale", own.factor)? {
            // (as good as no key)
            0.0 => 1.0,
            factor => factor,
        },
        ..own
    })
}

/// Returns the width of the expert that every token uses, for each layer.
fn shared_widths(
    keys: &Keys,
    by_layer: &ByLayer,
    spec: &ModelSpec,
    n_experts: usize,
) -> Result<Vec<usize>> {
    let key = match spec.shared_expert {
        SharedExpert::None => return Ok(vec![0; by_layer.n_layers]),
        SharedExpert::Plain | SharedExpert::Gated => "expert_shared_feed_forward_length",
        SharedExpert::Beside => "feed_forward_length",
    };
    let none = || vec![0; by_layer.n_layers];
    let widths = match spec.shared_expert {
        SharedExpert::Beside if n_experts == 0 => none(),
        SharedExpert::Beside => by_layer.numbers(key, 1 << 20)?.unwrap_or_else(none),
        _ => {
            // (some files say how many experts it is made of)
            let width = match keys.count(key, 1 << 20)? {
                0 if spec.latent => {
                    let width = keys.count("expert_feed_forward_length", 1 << 20)?;
                    keys.count("expert_shared_count", 64)? * width
                }
                width => width,
            };
            vec![width; by_layer.n_layers]
        }
    };
    let is_needed = n_experts > 0 && spec.shared_expert == SharedExpert::Beside;
    let is_wrong = |width: &&usize| !width.is_multiple_of(4) || (is_needed && **width == 0);
    match widths.iter().find(is_wrong) {
        Some(wrong) => Err(keys.wrong(key, "a multiple of 4", wrong)),
        None => Ok(widths),
    }
}

/// Returns the width of each layer's feed-forward block, or of an expert; 0 where there is none, if layers may lack it.
fn widths(
    keys: &Keys,
    by_layer: &ByLayer,
    has_experts: &[bool],
    may_lack: bool,
) -> Result<Vec<usize>> {
    let widths = |name: &str| by_layer.numbers(name, 1 << 20);
    let dense = widths("feed_forward_length")?;
    let of_experts = match has_experts.contains(&true) {
        true => widths("expert_feed_forward_length")?,
        false => None,
    };
    let width = |(i, mixes): (usize, &bool)| match (mixes, &of_experts, &dense) {
        (true, Some(widths), _) | (_, _, Some(widths)) => widths[i],
        (_, _, None) => 0,
    };
    let widths: Vec<usize> = has_experts.iter().enumerate().map(width).collect();
    match widths
        .iter()
        .find(|width| (**width == 0 && !may_lack) || !width.is_multiple_of(4))
    {
        Some(wrong) => Err(keys.wrong("feed_forward_length", "a multiple of 4", wrong)),
        None => Ok(widths),
    }
}
