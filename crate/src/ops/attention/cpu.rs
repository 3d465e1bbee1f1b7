//! The CPU twin of attention: a few tokens at once, so that keys and values are loaded once for all of them.

use std::ops::Range;

use hearth_cpu::attention::{largest, scores, weighted_sums};
use hearth_cpu::job::together as together_of;
use hearth_cpu::math::exp_all;

use crate::ops::attention::slope_heads;
use crate::ops::attention::spec::AttentionSpec;

/// Computes attention, the CPU twin: `q`: [n, n_heads * head_dim], `extra`: the sinks, [n_heads], or the ranges, [>= n, 2], if enabled,
/// `out`: [>= n, n_heads * head_dim].
pub(super) fn attention_cpu(
    q: &[f32],
    k_cache: &[f32],
    v_cache: &[f32],
    pos: usize,
    extra: &[f32],
    out: &mut [f32],
    spec: AttentionSpec,
) {
    let (n_heads, hd) = (spec.n_heads as usize, spec.head_dim as usize);
    let (group, n_ctx) = (n_heads / spec.n_kv_heads as usize, spec.n_ctx as usize);
    let n = q.len() / (n_heads * hd);
    let seen: Vec<_> = (0..n).map(|t| seen_by(t, n, pos, extra, spec)).collect();
    let (mut queries, mut weights, mut result) = (Vec::new(), Vec::new(), Vec::new());
    for g in 0..spec.n_kv_heads as usize {
        for tokens in together(&seen, group) {
            let of_token =
                |t: usize| (t * n_heads + g * group) * hd..(t * n_heads + (g + 1) * group) * hd;
            queries.clear();
            queries.extend(tokens.clone().flat_map(|t| &q[of_token(t)]));
            // No range begins or ends before that of the token before.
            let union = seen[tokens.start].start..seen[tokens.end - 1].end;
            let cached = (g * n_ctx + union.start) * hd..(g * n_ctx + union.end) * hd;
            let len = union.len();
            weights.resize(tokens.len() * group * len, 0.0);
            scores(
                &queries,
                &k_cache[cached.clone()],
                hd,
                spec.scale,
                &mut weights,
            );
            let mut sums = Vec::with_capacity(tokens.len() * group);
            for (row, scores) in weights.chunks_exact_mut(len).enumerate() {
                let (t, head) = (tokens.start + row / group, g * group + row % group);
                let own = seen[t].start - union.start..seen[t].end - union.start;
                scores[..own.start].fill(0.0);
                scores[own.end..].fill(0.0);
                let scores = &mut scores[own];
                bend(scores, seen[t].start, pos + t, head, spec);
                let sink = spec.sinks.then(|| extra[head]);
                let top = largest(scores, sink.unwrap_or(f32::MIN));
                let of_sink = sink.map_or(0.0, |sink| (sink - top).exp());
                sums.push(of_sink + exp_all(scores, top));
            }
            result.resize(queries.len(), 0.0);
            weighted_sums(&weights, &v_cache[cached], hd, &mut result);
            let rows = result
                .chunks_exact(group * hd)
                .zip(sums.chunks_exact(group));
            for (t, (row, sums)) in tokens.zip(rows) {
                let heads = row
                    .chunks_exact(hd)
                    .zip(out[of_token(t)].chunks_exact_mut(hd));
                for ((row, out), sum) in heads.zip(sums) {
                    out.iter_mut().zip(row).for_each(|(out, v)| *out = v / sum);
                }
            }
        }
    }
}

/// Returns the positions that token `t` of `n` sees, the first of which is at `pos`.
pub(super) fn seen_by(
    t: usize,
    n: usize,
    pos: usize,
    extra: &[f32],
    spec: AttentionSpec,
) -> Range<usize> {
    let n_ctx = spec.n_ctx as usize;
    let last = match (spec.causal, spec.window as usize) {
        (true, _) => t + 1,
        (false, window) if window > 0 && !spec.block => n.min(t + window),
        (false, _) => n,
    };
    let (first, end) = match spec.ranged {
        true => (extra[2 * t] as usize, extra[2 * t + 1] as usize),
        false => (spec.first((pos + t).min(n_ctx - 1)), pos + last),
    };
    first..end.min(n_ctx)
}

/// Divides tokens, each of which sees such positions, into runs whose heads read keys and values together: as many as make whole pairs and
/// triples of heads, and never those of two texts.
fn together(seen: &[Range<usize>], group: usize) -> Vec<Range<usize>> {
    let most = together_of(group);
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (t, range) in seen.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.len() < most && range.start <= seen[run.start].start + run.len() => {
                run.end += 1;
            }
            _ => runs.push(t..t + 1),
        }
    }
    runs
}

/// Squashes the scores of the token at `at` with the positions from `first` on, and takes off what their distance costs.
fn bend(scores: &mut [f32], first: usize, at: usize, head: usize, spec: AttentionSpec) {
    if spec.softcap > 0.0 {
        for score in &mut *scores {
            *score = spec.softcap * (*score / spec.softcap).tanh();
        }
    }
    if spec.alibi > 0.0 {
        let slope = slope(spec, head);
        for (i, score) in scores.iter_mut().enumerate() {
            *score -= slope * (first + i).abs_diff(at) as f32;
        }
    }
}

/// Returns by how much a head's score falls from one position to the next.
fn slope(spec: AttentionSpec, head: usize) -> f32 {
    let (head, heads) = (head as f32, slope_heads(spec.n_heads) as f32);
    match head < heads {
        true => (-spec.alibi * (head + 1.0) / heads).exp2(),
        false => (-spec.alibi * (2.0 * (head - heads) + 1.0) / (2.0 * heads)).exp2(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thirds, which sums in another order would round otherwise.
    fn numbers(n: usize, step: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i * step + i / 7) % 17) as f32 / 3.0 - 2.0)
            .collect()
    }

    /// Each token of a step gets what it would get alone, to the last bit.
    #[test]
    fn tokens_do_not_depend_on_those_beside_them() {
        let causal = AttentionSpec {
            n_ctx: 40,
            ..AttentionSpec::EXAMPLE
        };
        let all = AttentionSpec {
            causal: false,
            ..causal
        };
        let ranged = AttentionSpec {
            ranged: true,
            ..all
        };
        let specs = [
            causal,
            all,
            ranged,
            AttentionSpec {
                window: 5,
                ..causal
            },
            AttentionSpec { window: 5, ..all },
            AttentionSpec {
                window: 5,
                ..causal
            }
            .for_block(),
            AttentionSpec {
                sinks: true,
                ..causal
            },
            AttentionSpec {
                softcap: 3.0,
                ..causal
            },
            AttentionSpec { alibi: 8.0, ..all },
        ];
        for (spec, heads) in specs.into_iter().flat_map(|spec| {
            [(1, 1), (2, 2), (4, 2), (3, 1), (8, 2), (5, 1)].map(|heads| (spec, heads))
        }) {
            let spec = AttentionSpec {
                n_heads: heads.0,
                n_kv_heads: heads.1,
                ..spec
            };
            let width = (spec.n_heads * spec.head_dim) as usize;
            let len = (spec.n_kv_heads * spec.n_ctx * spec.head_dim) as usize;
            let (keys, values) = (numbers(len, 5), numbers(len, 3));
            for (pos, n) in [(0, 11), (13, 8), (30, 1)] {
                let q = numbers(n * width, 7);
                // Three texts.
                let ranges = (0..n).flat_map(|t| match t {
                    0..3 => [0, 3.min(n)],
                    3..7 => [3, 7.min(n)],
                    _ => [7, n],
                });
                let extra: Vec<f32> = match spec.ranged {
                    true => ranges.map(|at| (pos + at) as f32).collect(),
                    false => numbers(heads.0 as usize, 11),
                };
                let mut found = vec![f32::NAN; n * width];
                attention_cpu(&q, &keys, &values, pos, &extra, &mut found, spec);
                for (t, found) in found.chunks_exact(width).enumerate() {
                    let seen = seen_by(t, n, pos, &extra, spec);
                    let range = [seen.start as f32, seen.end as f32];
                    let ranged = AttentionSpec {
                        ranged: true,
                        ..spec
                    };
                    // (a token with sinks cannot be told its range)
                    let (spec, extra) = match spec.sinks {
                        true => (spec, &extra[..]),
                        false => (ranged, &range[..]),
                    };
                    let mut alone = vec![f32::NAN; width];
                    let q = &q[t * width..][..width];
                    attention_cpu(q, &keys, &values, pos + t, extra, &mut alone, spec);
                    assert_eq!(alone, found, "token {t} of {n} at {pos}: {spec:?}");
                }
            }
        }
    }
}
