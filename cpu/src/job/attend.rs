//! Attention of a step's tokens over keys and values in the threads' memory.
//!
//! Results are those of one thread, to the last bit: no sum is divided among threads. They take runs of tokens with a head of keys
//! each; or where one token sees many positions, scores by positions, then the softmax by heads, then the sums of values by columns.

use core::ops::Range;

use super::{Shared, Taken};
use crate::attention::{largest, scores_of_heads, sums_of_heads};
use crate::math::exp_all;

/// Positions whose scores a thread computes at once, for one token.
const POSITIONS: usize = 64;
/// Columns of values that a thread sums at once, for one token.
const COLUMNS: usize = 16;
/// Positions from which on threads share one token's heads in phases, which cost more than they save below.
const LONG: usize = 128;

/// y[t, h] = softmax(scale * q[t, h] . k[g]) v[g] over the positions that token t sees, where g is the head of keys and values that
/// query head h has. Places count floats from the job's first.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Attend {
    pub n_heads: u32,
    /// Divides `n_heads`.
    pub n_kv_heads: u32,
    /// A multiple of 4.
    pub head_dim: u32,
    /// Addresses of keys and of values, [n_kv_heads, n_ctx, head_dim] each.
    pub k: u32,
    pub v: u32,
    pub n_ctx: u32,
    /// Place of the tokens' rows, [tokens, stride]: queries and, where they are appended, keys and values.
    pub rows: u32,
    pub stride: u32,
    /// Position at which the first token's key and value are appended, or [`APPENDED`].
    pub position: u32,
    pub scale: f32,
    /// Place of the positions that tokens see, [tokens, 2]: the first, and the one behind the last. Neither falls from token to token.
    pub seen: u32,
    /// Place of the results, [tokens, n_heads * head_dim].
    pub y: u32,
    /// Place of [`Attend::scratch`] floats.
    pub scratch: u32,
    pub unused: u32,
}

/// Stands for a position where keys and values are in the cache already.
pub const APPENDED: u32 = u32::MAX;

impl Attend {
    /// Returns the floats of scratch, where the last token sees nothing from `end` on: scores and their sums.
    pub fn scratch(&self, tokens: usize, threads: usize, end: usize) -> usize {
        let shared = self.n_heads as usize * (end + 1);
        match is_long(tokens, end) {
            true => shared,
            false => shared.max(threads * self.of_thread(end)),
        }
    }

    /// Returns the floats of scratch that a thread has for itself.
    fn of_thread(&self, end: usize) -> usize {
        together(self.group()) * self.group() * (end + 1)
    }

    fn group(&self) -> usize {
        (self.n_heads / self.n_kv_heads.max(1)) as usize
    }

    /// Works on the attention; `thread` is this thread's number. See [`Shared::phase`].
    pub(super) unsafe fn run(&self, shared: Shared<'_>, thread: usize) -> bool {
        let kv_heads = self.n_kv_heads as usize;
        if self.position != APPENDED {
            // SAFETY: the caller guarantees it.
            let append = |heads| unsafe { self.append(shared, heads) };
            if !shared.phase(0, kv_heads, Taken::Each, append) {
                return false;
            }
        }
        // SAFETY: the caller guarantees it.
        unsafe {
            let end = self.seen(shared, shared.tokens.saturating_sub(1)).end;
            match is_long(shared.tokens, end) {
                true => self.in_phases(shared),
                false => self.in_runs(shared, thread * self.of_thread(end)),
            }
        }
    }

    /// Returns the positions that token `t` sees.
    unsafe fn seen(&self, shared: Shared<'_>, t: usize) -> Range<usize> {
        // SAFETY: the caller guarantees it.
        let range = unsafe { shared.floats(self.seen as usize + 2 * t, 2) };
        range[0] as usize..range[1] as usize
    }

    /// Returns the rows of a head's keys or values at some positions.
    unsafe fn cached<'a>(
        &self,
        shared: Shared<'a>,
        cache: u32,
        head: usize,
        positions: Range<usize>,
    ) -> &'a [f32] {
        let dim = self.head_dim as usize;
        let at = (head * self.n_ctx as usize + positions.start) * dim;
        // SAFETY: the caller guarantees it.
        unsafe { shared.floats_at(cache + 4 * at as u32, positions.len() * dim) }
    }

    /// Copies keys and values of some heads from the tokens' rows to the caches.
    unsafe fn append(&self, shared: Shared<'_>, heads: Range<usize>) {
        let (dim, kv_heads) = (self.head_dim as usize, self.n_kv_heads as usize);
        for (head, t) in heads.flat_map(|head| (0..shared.tokens).map(move |t| (head, t))) {
            for (part, cache) in [self.k, self.v].into_iter().enumerate() {
                let from = self.n_heads as usize + part * kv_heads + head;
                let from = self.rows as usize + t * self.stride as usize + from * dim;
                let to = head * self.n_ctx as usize + self.position as usize + t;
                // SAFETY: the caller guarantees it, and that no other thread has this head.
                unsafe {
                    let row = shared.floats(from, dim);
                    let kept = shared.floats_at_mut(cache + 4 * (to * dim) as u32, dim);
                    kept.copy_from_slice(row);
                }
            }
        }
    }

    /// Returns a head's query.
    unsafe fn query<'a>(&self, shared: Shared<'a>, t: usize, head: usize) -> &'a [f32] {
        let dim = self.head_dim as usize;
        let at = self.rows as usize + t * self.stride as usize + head * dim;
        // SAFETY: the caller guarantees it.
        unsafe { shared.floats(at, dim) }
    }

    /// Returns some columns of a head's result.
    unsafe fn result<'a>(
        &self,
        shared: Shared<'a>,
        t: usize,
        head: usize,
        columns: Range<usize>,
    ) -> &'a mut [f32] {
        let dim = self.head_dim as usize;
        let at = self.y as usize + (t * self.n_heads as usize + head) * dim;
        // SAFETY: the caller guarantees it, and that no other thread has these columns.
        unsafe { shared.floats_mut(at + columns.start, columns.len()) }
    }

    /// Computes one token's attention in phases.
    unsafe fn in_phases(&self, shared: Shared<'_>) -> bool {
        let (dim, group) = (self.head_dim as usize, self.group());
        let (heads, kv_heads) = (self.n_heads as usize, self.n_kv_heads as usize);
        // SAFETY: the caller guarantees it, as in all of these closures.
        let seen = unsafe { self.seen(shared, 0) };
        let len = seen.len();
        let weights = |head: usize| self.scratch as usize + head * len;
        let sums = self.scratch as usize + heads * len;
        let of_group = |g: usize| g * group..(g + 1) * group;
        let pieces = len.div_ceil(POSITIONS);
        let scores = |parts: Range<usize>| unsafe {
            for part in parts {
                let (g, from) = (part / pieces, part % pieces * POSITIONS);
                let to = (from + POSITIONS).min(len);
                let keys = self.cached(shared, self.k, g, seen.start + from..seen.start + to);
                let heads = of_group(g).map(|head| {
                    let scores = shared.floats_mut(weights(head) + from, to - from);
                    (self.query(shared, 0, head), scores)
                });
                scores_of_heads(heads, keys, dim, self.scale);
            }
        };
        let softmax = |heads: Range<usize>| unsafe {
            for head in heads {
                let scores = shared.floats_mut(weights(head), len);
                let top = largest(scores, f32::MIN);
                shared.floats_mut(sums + head, 1)[0] = exp_all(scores, top);
            }
        };
        let pieces_of_values = dim.div_ceil(COLUMNS);
        let values = |parts: Range<usize>| unsafe {
            for part in parts {
                let (g, from) = (part / pieces_of_values, part % pieces_of_values * COLUMNS);
                let some = from..(from + COLUMNS).min(dim);
                let values = self.cached(shared, self.v, g, seen.clone());
                let heads = of_group(g).map(|head| {
                    let result = self.result(shared, 0, head, some.clone());
                    (shared.floats(weights(head), len), result)
                });
                sums_of_heads(heads, values, dim, from);
                for head in of_group(g) {
                    let sum = shared.floats(sums + head, 1)[0];
                    let result = self.result(shared, 0, head, some.clone());
                    result.iter_mut().for_each(|v| *v /= sum);
                }
            }
        };
        shared.phase(1, kv_heads * pieces, Taken::Each, scores)
            && shared.phase(2, heads, Taken::Each, softmax)
            && shared.last_phase(3, kv_heads * pieces_of_values, Taken::Each, values)
    }

    /// Computes the attention of runs of tokens, with scratch from a place on that this thread has for itself.
    unsafe fn in_runs(&self, shared: Shared<'_>, own: usize) -> bool {
        let (dim, group) = (self.head_dim as usize, self.group());
        let (tokens, most) = (shared.tokens, together(group));
        let runs = tokens.div_ceil(most);
        let attend = |parts: Range<usize>| unsafe {
            for part in parts {
                let (g, first) = (part / runs, part % runs * most);
                let run = first..(first + most).min(tokens);
                // SAFETY: the caller guarantees it, as in all of this.
                let last = self.seen(shared, run.end - 1);
                let union = self.seen(shared, run.start).start..last.end;
                let (len, rows) = (union.len(), run.len() * group);
                let scratch = self.scratch as usize + own;
                let row = |r: usize| (run.start + r / group, g * group + r % group);
                let weights = |r: usize| scratch + r * len;
                let sums = scratch + rows * len;
                let heads = (0..rows).map(|r| {
                    let (t, head) = row(r);
                    (
                        self.query(shared, t, head),
                        shared.floats_mut(weights(r), len),
                    )
                });
                let keys = self.cached(shared, self.k, g, union.clone());
                scores_of_heads(heads, keys, dim, self.scale);
                for r in 0..rows {
                    let seen = self.seen(shared, row(r).0);
                    let scores = shared.floats_mut(weights(r), len);
                    scores[..seen.start - union.start].fill(0.0);
                    scores[seen.end - union.start..].fill(0.0);
                    let own = &mut scores[seen.start - union.start..seen.end - union.start];
                    let top = largest(own, f32::MIN);
                    shared.floats_mut(sums + r, 1)[0] = exp_all(own, top);
                }
                let heads = (0..rows).map(|r| {
                    let (t, head) = row(r);
                    let result = self.result(shared, t, head, 0..dim);
                    (shared.floats(weights(r), len), result)
                });
                let values = self.cached(shared, self.v, g, union);
                sums_of_heads(heads, values, dim, 0);
                for r in 0..rows {
                    let (t, head) = row(r);
                    let sum = shared.floats(sums + r, 1)[0];
                    let result = self.result(shared, t, head, 0..dim);
                    result.iter_mut().for_each(|v| *v /= sum);
                }
            }
        };
        shared.last_phase(1, self.n_kv_heads as usize * runs, Taken::Each, attend)
    }
}

/// Returns whether threads share the heads of a token.
const fn is_long(tokens: usize, end: usize) -> bool {
    tokens == 1 && end >= LONG
}

/// Returns how many tokens' heads read keys and values together: as many as make whole pairs and triples of heads.
pub const fn together(group: usize) -> usize {
    match group {
        1 => 6,
        2 | 4 => 3,
        3 => 2,
        _ => 1,
    }
}
