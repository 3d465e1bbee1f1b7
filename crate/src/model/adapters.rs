//! Adapters in a transformer: which weights they can change, and the change that those of a request make together.

use std::collections::HashMap;
use std::rc::Rc;

use crate::model::feed_forward::FeedForward;
use crate::model::mixer::Mixer;
use crate::model::transformer::{Layer, Transformer};
use crate::ops::{Lora, LoraSpec, MAX_SEGMENTS, Ops, Weight};
use hearth_modelfile::adapter::{Adapter, Change};
use hearth_modelfile::error::{Error, Result};

/// Rank that the kernels take a multiple of.
const RANKS: usize = 4;

impl Layer {
    /// Returns the weights that adapters can change: those of attention, and of a feed-forward block without experts.
    fn adaptable(&mut self) -> Vec<&mut Weight> {
        let mut weights = Vec::with_capacity(4);
        // (where a scan runs beside attention, GGUF has factors in the weights that a checkpoint has not)
        if let Mixer::AttentionAndMamba(_) = &self.mixer {
            return weights;
        }
        if let Mixer::Attention(attention) = &mut self.mixer {
            weights.extend([&mut attention.qkv_proj, &mut attention.o_proj]);
        }
        match &mut self.feed_forward {
            FeedForward::Gated { gate_up, down, .. } => weights.extend([gate_up, down]),
            FeedForward::Plain { up, down, .. } => weights.extend([up, down]),
            FeedForward::Experts(_) | FeedForward::Beside(_) | FeedForward::None => {}
        }
        weights.retain(|weight| (1..=MAX_SEGMENTS).contains(&weight.segments.len()));
        weights
    }
}

impl Transformer {
    /// Checks that an adapter changes weights of this model only.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a weight that adapters cannot change here, [`Error::TensorShape`] for one of another shape.
    pub fn check_adapter(&mut self, adapter: &Adapter) -> Result<()> {
        let mut shapes: HashMap<Rc<str>, [usize; 2]> = HashMap::new();
        for weight in self.layers.iter_mut().flat_map(Layer::adaptable) {
            let segments = weight.segments.iter();
            shapes.extend(segments.map(|part| (part.tensor.clone(), [weight.cols, part.rows])));
        }
        for change in &adapter.changes {
            let Some([cols, rows]) = shapes.get(change.weight.as_str()) else {
                return Err(Error::BadFile {
                    format: "adapter",
                    what: format!("the change of \"{}\"", change.weight),
                    expected: "projections of attention and of feed-forward blocks without experts, as this model has them"
                        .into(),
                    found: "another weight".into(),
                });
            };
            if [change.cols(), change.rows()] != [*cols, *rows] {
                return Err(Error::TensorShape {
                    name: change.weight.clone(),
                    expected: vec![*cols as u64, *rows as u64],
                    found: vec![change.cols() as u64, change.rows() as u64],
                });
            }
        }
        Ok(())
    }

    /// Changes the weights by these adapters, each with a scale, and by no other; all of them are [checked](Self::check_adapter).
    pub fn adapt(&mut self, adapters: &[(&Adapter, f32)]) {
        let mut changes: HashMap<&str, Vec<(&Change, f32)>> = HashMap::new();
        for (adapter, scale) in adapters {
            for change in &adapter.changes {
                let all = changes.entry(&change.weight).or_default();
                all.push((change, *scale));
            }
        }
        let ops = &self.ops;
        for weight in self.layers.iter_mut().flat_map(Layer::adaptable) {
            weight.lora = lora(ops, weight, &changes).map(Rc::new);
        }
    }
}

/// Returns the change of a weight, if there is one. Where several adapters change a tensor, their ranks add up.
fn lora(ops: &Ops, weight: &Weight, changes: &HashMap<&str, Vec<(&Change, f32)>>) -> Option<Lora> {
    let of_segment: Vec<&[(&Change, f32)]> = (weight.segments.iter())
        .map(|segment| changes.get(&*segment.tensor).map_or(&[][..], Vec::as_slice))
        .collect();
    let ranks = of_segment.iter().map(|all| {
        let ranks = all.iter().map(|(change, _)| change.rank);
        ranks.sum::<usize>()
    });
    let rank = ranks.max().filter(|rank| *rank > 0)?;
    let rank = rank.next_multiple_of(RANKS);
    let mut a = vec![0.0; weight.segments.len() * rank * weight.cols];
    let mut b = vec![0.0; weight.rows * rank];
    for (at, (segment, all)) in weight.segments.iter().zip(of_segment).enumerate() {
        let mut first = 0;
        for (change, scale) in all {
            let start = (at * rank + first) * weight.cols;
            a[start..start + change.a.len()].copy_from_slice(&change.a);
            // The factor of the projection is that of its change, too.
            let factor = scale * weight.scaling.factor;
            let rows = b[segment.first_row * rank..].chunks_exact_mut(rank);
            for (to, from) in rows.zip(change.b.chunks_exact(change.rank)) {
                for (to, from) in to[first..].iter_mut().zip(from) {
                    *to = factor * from;
                }
            }
            first += change.rank;
        }
    }
    Some(Lora {
        a: ops.upload_weight(&a, weight.segments.len() * rank, weight.cols),
        b: ops.upload_f32(&b, [weight.rows, rank]),
        spec: LoraSpec::new(weight.rows, &weight.segments, rank),
    })
}
