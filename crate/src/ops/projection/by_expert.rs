//! Projections by expert: of a token's slots one by one, or of slots that were sorted by expert.
//!
//! A weight of experts is [n_experts * rows, cols], one expert after another. `routes` and `groups` are made by
//! [`crate::ops::experts`]; here are what a projection has to know about them and the CPU twins.

use crate::ops::pool::Pooled;
use crate::ops::projection::cpu::linear_cpu;
use crate::ops::projection::gemv::GemvSpec;
use crate::ops::projection::tile::LinearSpec;

/// A projection by experts, for all experts or those in one part of the weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Routed {
    /// Experts per token.
    pub n_used: u32,
    /// Slots of a token that read the same input row: all of them, or 1.
    pub share: u32,
    /// The first expert in this part of the weight, and the number of experts in it.
    pub first: u32,
    pub count: u32,
    /// Columns of the result.
    pub stride: u32,
}

impl Routed {
    /// Returns the constants of `projection/gemv_routed.wgsl`.
    pub(in crate::ops) fn consts(&self) -> [(&'static str, u32); 5] {
        [
            ("N_USED", self.n_used),
            ("SHARE", self.share),
            ("FIRST_EXPERT", self.first),
            ("N_EXPERTS", self.count),
            ("STRIDE", self.stride),
        ]
    }
}

/// A projection by groups, for all experts or those in one part of the weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grouped {
    pub tiles: u32,
    /// Slots that share one row of the input: all of a token, or 1.
    pub share: u32,
    /// The first expert in this part of the weight, and the number of experts in it.
    pub first: u32,
    pub count: u32,
}

impl Grouped {
    /// Returns the constants of `projection/shared_by_expert.wgsl`.
    pub(in crate::ops) fn consts(&self) -> [(&'static str, u32); 4] {
        [
            ("TILES", self.tiles),
            ("SHARE", self.share),
            ("FIRST_EXPERT", self.first),
            ("N_EXPERTS", self.count),
        ]
    }
}

/// Projects routed slots, the CPU twin: `x`: [slots / share, cols], `weight`: quants and scales of all experts of the
/// part, `routes`: [slots, 2], `y`: [>= slots, stride].
pub(in crate::ops) fn routed_cpu(
    x: &[f32],
    weight: (&[u32], &[u32]),
    routes: &[f32],
    y: &mut [f32],
    spec: GemvSpec,
    routed: Routed,
) {
    let (cols, stride) = (spec.cols as usize, routed.stride as usize);
    let all = LinearSpec::of_one(spec, spec.offset);
    for (slot, route) in routes.chunks_exact(2).enumerate() {
        let expert = (route[0] as u32).checked_sub(routed.first);
        let Some(expert) = expert.filter(|expert| *expert < routed.count) else {
            continue;
        };
        let x = &x[slot / routed.share as usize * cols..][..cols];
        let y = &mut y[slot * stride..][..stride];
        let ((quants, scales), spec) = of_expert(weight, all, expert as usize);
        linear_cpu(x, quants, scales, y, 1, spec);
    }
}

/// Returns the weight of expert `expert` among those in `weight`, and its spec.
fn of_expert<'a>(
    (quants, scales): (&'a [u32], &'a [u32]),
    all: LinearSpec,
    expert: usize,
) -> ((&'a [u32], &'a [u32]), LinearSpec) {
    let blocks = all.packing.blocks_per_row(all.cols as usize) * all.rows as usize;
    let words = blocks * all.packing.quant_words_per_block();
    let scale_words = blocks * all.packing.scale_words_per_block();
    // Weights in the pool have no local data.
    let of = |all: &'a [u32], n: usize| all.get(expert * n..(expert + 1) * n).unwrap_or(&[]);
    let spec = LinearSpec {
        pooled: all.pooled.map(|pooled| Pooled {
            quants: pooled.quants + (4 * expert * words) as u32,
            scales: pooled.scales + (4 * expert * scale_words) as u32,
        }),
        ..all
    };
    ((of(quants, words), of(scales, scale_words)), spec)
}

/// Projects by groups, the CPU twin: `x`: [slots / share, cols], `weight`: quants and scales of all experts of the
/// part, `y`: [>= slots, stride].
pub(in crate::ops) fn grouped_cpu(
    x: &[f32],
    weight: (&[u32], &[u32]),
    groups: &[u32],
    y: &mut [f32],
    spec: LinearSpec,
    grouped: Grouped,
) {
    let (rows, cols) = (spec.rows as usize, spec.cols as usize);
    let (tiles, slots) = groups.split_at(3 * grouped.tiles as usize);
    for tile in tiles.chunks_exact(3) {
        let (expert, slots) = (tile[0], &slots[tile[1] as usize..tile[2] as usize]);
        let expert = expert.checked_sub(grouped.first);
        let Some(expert) = expert.filter(|expert| *expert < grouped.count) else {
            continue;
        };
        let rows_of_x = slots
            .iter()
            .map(|slot| (slot / grouped.share) as usize * cols);
        let input: Vec<f32> = rows_of_x
            .flat_map(|at| &x[at..at + cols])
            .copied()
            .collect();
        let mut output = vec![0.0; slots.len() * rows];
        let one = LinearSpec {
            offset: 0,
            stride: spec.rows,
            grouped: None,
            ..spec
        };
        let ((quants, scales), one) = of_expert(weight, one, expert as usize);
        linear_cpu(&input, quants, scales, &mut output, slots.len(), one);
        for (slot, row) in slots.iter().zip(output.chunks_exact(rows)) {
            let at = (slot * spec.stride + spec.offset) as usize;
            y[at..at + rows].copy_from_slice(row);
        }
    }
}
