//! A tower: a transformer that sees the patches of a picture, and the projector behind it.
//!
//! All patches of a frame go through a layer at once, and every one sees all others; or, in layers with windows, those of its window,
//! for which patches go through the tower window by window. Keys and values of one layer are overwritten by those of the next. Frames
//! are taken in pieces of some layers, so that a request can be stopped between two.
//!
//! Source: Zhai et al. 2023, arXiv:2303.15343 (SigLIP); transformers `models/smolvlm/modeling_smolvlm.py`,
//! `models/gemma3/modeling_gemma3.py`, `models/qwen3_vl/modeling_qwen3_vl.py`, `models/qwen2_5_vl/modeling_qwen2_5_vl.py`,
//! `models/mistral3/modeling_mistral3.py`, `models/llava/modeling_llava.py`, `models/clip/modeling_clip.py`,
//! `models/siglip/modeling_siglip.py`, `models/gemma4/modeling_gemma4.py`.

use burn::tensor::Tensor;

use crate::model::mixer::AttentionMixer;
use crate::model::state::LayerState;
use crate::model::transformer::Layer;
use crate::ops::in_place::InPlace;
use crate::ops::inject::Place;
use crate::ops::merge_rows::{MergeSpec, Merged};
use crate::ops::projection::tile::TILE_TOKENS;
use crate::ops::{Activation, KvType, Norm, Ops, Queries, StepState, Weight};
use hearth_modelfile::vision::positions::{
    interpolated, of_axes, patch_places, patch_rotations, resized, rotations_in_halves, windows,
};
use hearth_modelfile::vision::{Merge, PatchPositions, Processor, Vision};

/// A tower's weights on a device.
pub struct Tower {
    pub vision: Vision,
    /// [d_model, patch_values]
    pub(super) patches: Weight,
    /// [1, d_model]
    pub(super) patch_bias: Option<Tensor<2>>,
    pub(super) positions: Positions,
    /// Norm before the first layer.
    pub(super) norm: Option<Norm>,
    pub(super) layers: Vec<Layer>,
    pub(super) output_norm: Option<Norm>,
    /// Attention that makes one row of all, to which that of the projector is added.
    pub(super) head: Option<Head>,
    pub(super) projector: Projections,
    /// Projectors of rows of layers in between, each with its layer.
    pub(super) deep: Vec<(usize, Projections)>,
    /// Bytes of weights on the device.
    pub bytes: u64,
}

/// Learned positions.
pub(super) enum Positions {
    /// One for each patch of a frame: [positions, d_model].
    OfPatches(Weight),
    /// A square of them, [side * side, d_model], to be interpolated.
    Square(Vec<f32>),
    /// Rows for columns and then as many for rows, which are added: [2 * places, d_model].
    OfAxes(Vec<f32>),
    None,
}

/// Projections of merged rows, with a norm before them and a function before the last of several.
pub(super) struct Projections {
    /// Map of the columns before the norm, see [`Ops::affine`].
    pub(super) standard: Option<Tensor<2>>,
    pub(super) norm: Option<Norm>,
    /// Weights and biases: [width of the result, columns], [1, width of the result].
    pub(super) weights: Vec<(Weight, Option<Tensor<2>>)>,
    pub(super) activation: Activation,
}

/// Attention of a learned query to the rows of all patches.
pub(super) struct Head {
    /// [1, d_model]
    pub(super) query: Tensor<2>,
    pub(super) attention: AttentionMixer,
    /// [1, d_model]
    pub(super) bias: Tensor<2>,
}

impl Head {
    /// Returns what the query attends to among `n` rows of `x`: [1, d_model].
    fn attend(&self, ops: &Ops, x: &Tensor<2>, n: usize, look: &mut Look) -> Tensor<2> {
        let (step, LayerState::Kv(cache)) = (&mut look.step, &mut look.cache) else {
            return self.query.clone();
        };
        // The query stands in the last place, whose key and value are then those of the last row.
        let (query, attention) = (&self.query, &self.attention);
        step.seek(ops, n - 1, 1);
        let asked = attention.project(ops, query, None, step);
        let q = ops.rope_append(asked.clone(), &attention.attention, step, cache);
        step.seek(ops, 0, n);
        let rows = attention.project(ops, x, None, step);
        ops.rope_append(rows, &attention.attention, step, cache);
        step.seek(ops, n - 1, 1);
        let (q, residual) = (Queries::Ready(q), query.clone());
        let y = attention.attend_with(ops, q, &asked, residual, step, cache, false);
        ops.bias(y, &self.bias, step, None)
    }
}

/// The rows of a frame in the text model.
pub struct FrameRows {
    /// In the place of embeddings: [>= rows, width].
    pub rows: Tensor<2>,
    /// Added behind each of the text model's first layers: [>= rows, width] each.
    pub added: Vec<Tensor<2>>,
}

/// A frame on its way through a tower.
pub struct Look {
    /// [>= n, d_model]
    x: InPlace<Tensor<2>>,
    /// Keys and values of the layer that runs.
    cache: LayerState,
    step: StepState,
    /// Layers that it has been through.
    layer: usize,
    /// Rows of each square of patches that are merged: [squares, merge * merge].
    squares: Vec<u32>,
    /// Rows of layers in between.
    added: Vec<Tensor<2>>,
}

impl Tower {
    /// Begins to look at a frame: `pixels`: [patches, 3, patch, patch], 0 to 255.
    pub fn begin(&self, ops: &Ops, pixels: &[u8], grid: [usize; 2]) -> Look {
        let c = &self.vision.layers;
        let before = self.vision.projector.rows_before();
        let n = before + grid[0] * grid[1];
        let rows = n.next_multiple_of(TILE_TOKENS as usize);
        let mut values = normalised(pixels, &self.vision.processor);
        let mut step = StepState::new(ops, 0);
        step.seek(ops, 0, n);
        let order = self.order(ops, grid, rows, &mut step);
        if let Some(order) = &order {
            values = in_order(&values, self.vision.patch_values, order);
        }
        self.rotate(ops, grid, order.as_deref(), &mut step);
        // (what stands before the patches is with the positions)
        values.splice(..0, vec![0.0; before * self.vision.patch_values]);
        values.resize(rows * self.vision.patch_values, 0.0);
        let pixels = ops.upload_f32(&values, [rows, self.vision.patch_values]);
        let mut x = ops.linear(&pixels, &self.patches, &step);
        if let Some(bias) = &self.patch_bias {
            x = ops.bias(x, bias, &step, None);
        }
        x = match &self.positions {
            Positions::OfPatches(table) => ops.add_positions(table, &step, x),
            Positions::Square(table) => {
                let (side, merge) = (self.vision.position_side, self.vision.processor.merge);
                let values = match self.vision.projector.positions() {
                    PatchPositions::Corners => interpolated(table, side, c.d_model, grid, merge),
                    _ => resized(table, side, c.d_model, grid),
                };
                let place = Place { from: 0, to: 0, n };
                ops.inject(x, &ops.upload_f32(&values, [n, c.d_model]), place, true)
            }
            Positions::OfAxes(table) => {
                let places = table.len() / (2 * c.d_model);
                let values = of_axes(table, places, c.d_model, grid);
                let place = Place { from: 0, to: 0, n };
                ops.inject(x, &ops.upload_f32(&values, [n, c.d_model]), place, true)
            }
            Positions::None => x,
        };
        if let Some(norm) = &self.norm {
            x = ops.norm(&x, norm, &step, false);
        }
        let mixer = self.layers.first().map(|layer| &layer.mixer);
        Look {
            x: InPlace::new(x),
            cache: mixer.map_or(LayerState::Shared, |mixer| {
                mixer.new_state(ops, self.vision.most_patches(), KvType::F32)
            }),
            step,
            layer: 0,
            squares: match (self.vision.projector.merge(), order) {
                _ if self.vision.projector.embeds() => vec![0],
                (Merge::InTurn, None) => (0..n as u32).collect(),
                (Merge::InTurn, Some(order)) => inverse(&order),
                _ => squares(grid, self.vision.processor.merge),
            },
            added: Vec::new(),
        }
    }

    /// Returns the order in which patches go through layers, if it is not that in which they come, and sets what each then sees in
    /// layers with windows. `rows`: those of the tower's tensors.
    fn order(
        &self,
        ops: &Ops,
        grid: [usize; 2],
        rows: usize,
        step: &mut StepState,
    ) -> Option<Vec<usize>> {
        let Vision {
            window, processor, ..
        } = &self.vision;
        if *window == 0 {
            return None;
        }
        let (order, mut ranges) = windows(grid, processor.merge, *window);
        ranges.resize(rows, ranges.last().copied().unwrap_or_default());
        let ranges: Vec<f32> = ranges.iter().flatten().map(|at| *at as f32).collect();
        step.set_ranges(ops.upload_f32(&ranges, [rows, 2]));
        Some(order)
    }

    /// Sets by how much each patch is rotated, in towers that rotate.
    fn rotate(&self, ops: &Ops, grid: [usize; 2], order: Option<&[usize]>, step: &mut StepState) {
        let (positions, merge) = (
            self.vision.projector.positions(),
            self.vision.projector.merge(),
        );
        if matches!(positions, PatchPositions::Learned | PatchPositions::Edges) {
            return;
        }
        let square = match merge {
            Merge::InTurn => self.vision.processor.merge,
            _ => 1,
        };
        let mut places = patch_places(grid, square);
        if let Some(order) = order {
            places = order.iter().map(|at| places[*at]).collect();
        }
        let head_dim = self.vision.layers.head_dim;
        let table = match positions {
            PatchPositions::OfAxes => rotations_in_halves(&places, head_dim),
            _ => patch_rotations(&places, head_dim, positions == PatchPositions::RotatedApart),
        };
        step.set_rope(ops.upload_row(&table));
    }

    /// Returns the number of layers that a frame has still to go through.
    pub fn left(&self, look: &Look) -> usize {
        self.layers.len() - look.layer
    }

    /// Takes a frame through the next `n` layers, or those that are left.
    pub fn run(&self, ops: &Ops, look: &mut Look, n: usize) {
        let end = (look.layer + n).min(self.layers.len());
        let spec = self.vision.layers.spec;
        for i in look.layer..end {
            let (step, cache) = (&look.step, &mut look.cache);
            (look.x).update(|x| self.layers[i].forward(ops, spec, x, None, step, cache));
            if let Some((_, projector)) = self.deep.iter().find(|(layer, _)| *layer == i) {
                let x = look.x.get();
                let rows = self.projected(ops, x, projector, &look.squares, &mut look.step);
                look.added.push(rows);
            }
        }
        look.layer = end;
    }

    /// Returns the rows of a frame that has been through all layers.
    pub fn project(&self, ops: &Ops, mut look: Look) -> FrameRows {
        let mut x = match &self.output_norm {
            Some(norm) => ops.norm(look.x.get(), norm, &look.step, false),
            None => look.x.get().clone(),
        };
        if let Some(head) = &self.head {
            let n = self.vision.most_patches();
            x = head.attend(ops, &x, n, &mut look);
        }
        let mut rows = self.projected(ops, &x, &self.projector, &look.squares, &mut look.step);
        if self.head.is_some() {
            let place = Place {
                from: 0,
                to: 0,
                n: 1,
            };
            rows = ops.inject(rows, &x, place, true);
        }
        FrameRows {
            rows,
            added: look.added,
        }
    }

    /// Merges the rows of a frame and projects them: [>= rows, width].
    fn projected(
        &self,
        ops: &Ops,
        x: &Tensor<2>,
        projector: &Projections,
        squares: &[u32],
        step: &mut StepState,
    ) -> Tensor<2> {
        let of = self.vision.processor.merge * self.vision.processor.merge;
        let spec = MergeSpec {
            rows: squares.len() / of,
            of,
            merged: match self.vision.projector.merge() {
                Merge::SideBySide | Merge::InTurn => Merged::SideBySide,
                Merge::ByColumn => Merged::ByColumn,
                Merge::Mean => Merged::Mean,
            },
        };
        let mut x = ops.merge_rows(x, squares.to_vec(), spec);
        step.seek(ops, 0, spec.rows);
        if let Some(columns) = &projector.standard {
            x = ops.affine(&x, columns);
        }
        if let Some(norm) = &projector.norm {
            x = ops.norm(&x, norm, step, false);
        }
        let n = projector.weights.len();
        for (i, (weight, bias)) in projector.weights.iter().enumerate() {
            x = ops.linear(&x, weight, step);
            let activation = (i + 2 == n).then_some(projector.activation);
            if let Some(bias) = bias {
                x = ops.bias(x, bias, step, activation);
            }
        }
        step.seek(ops, 0, squares.len());
        x
    }
}

/// Returns groups of `n` values in another order.
fn in_order(values: &[f32], n: usize, order: &[usize]) -> Vec<f32> {
    let groups = order.iter().flat_map(|at| &values[at * n..(at + 1) * n]);
    groups.copied().collect()
}

/// Returns the place of each number in `order`.
fn inverse(order: &[usize]) -> Vec<u32> {
    let mut places = vec![0; order.len()];
    for (place, at) in order.iter().enumerate() {
        places[*at] = place as u32;
    }
    places
}

/// Returns the patches of each square of `merge` by `merge`, both row by row: [squares, merge * merge].
fn squares(grid: [usize; 2], merge: usize) -> Vec<u32> {
    let places = patch_places(grid, merge).into_iter();
    places
        .map(|[row, column]| (row * grid[1] + column) as u32)
        .collect()
}

/// Returns the values of pixels as the tower was trained on them.
fn normalised(pixels: &[u8], processor: &Processor) -> Vec<f32> {
    let plane = processor.patch * processor.patch;
    let of_plane = |(i, plane): (usize, &[u8])| -> Vec<f32> {
        let (mean, std) = (processor.mean[i % 3], processor.std[i % 3]);
        let value = |v: &u8| (f32::from(*v) * (1.0 / 255.0) - mean) / std;
        plane.iter().map(value).collect()
    };
    pixels
        .chunks(plane)
        .enumerate()
        .flat_map(of_plane)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_have_their_patches_row_by_row() {
        assert_eq!(squares([2, 6], 2), [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
        assert_eq!(squares([3, 3], 3), (0..9).collect::<Vec<u32>>());
        assert_eq!(squares([2, 2], 1), [0, 1, 2, 3]);
    }

    #[test]
    fn an_order_can_be_undone() {
        let order = [2, 0, 3, 1];
        let values = in_order(&[0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5], 2, &order);
        assert_eq!(values, [2.0, 2.5, 0.0, 0.5, 3.0, 3.5, 1.0, 1.5]);
        let back: Vec<usize> = inverse(&order).iter().map(|at| *at as usize).collect();
        let undone = in_order(&values, 2, &back);
        assert_eq!(undone, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]);
    }
}
