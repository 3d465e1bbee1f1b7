//! Attention in f64, computed from the projection's queries, keys and values.

use hearth::ops::{AttentionSpec, KvSource, KvType, QkNorm};

/// All tokens of a context, and the tensors that go with them.
pub struct Context<'a> {
    /// [tokens, (n_heads + 2 n_kv_heads) * head_dim], whatever the layer projects itself
    pub qkv: &'a [f32],
    /// [n_ctx, rope_pairs, 2]: cos and sin
    pub rope: &'a [f32],
    /// See [`AttentionSpec::attn_params`].
    pub attn_params: &'a [f32],
    /// End of each step in which the tokens arrive; an encoder sees all of a step.
    pub steps: &'a [usize],
    pub spec: AttentionSpec,
}

impl Context<'_> {
    /// Returns the attention's output, [tokens, n_heads * head_dim].
    pub fn attended(&self) -> Vec<f64> {
        let spec = self.spec;
        let (hd, nh) = (spec.head_dim as usize, spec.n_heads as usize);
        let nkv = spec.n_kv_heads as usize;
        let cols = (nh + 2 * nkv) * hd;
        let rows = self.prepared();
        let head = |t: usize, h: usize| &rows[t * cols + h * hd..][..hd];
        let mut out = Vec::new();
        let mut scores = Vec::new();
        for t in 0..rows.len() / cols {
            let seen = match spec.window as usize {
                0 => 0,
                window => (t + 1).saturating_sub(window),
            };
            let step = self.steps.iter().find(|end| t < **end);
            let step = *step.expect("tokens belong to a step");
            let end = match (spec.causal, spec.window as usize) {
                (true, _) => t + 1,
                (false, window) if window > 0 && !spec.block => step.min(t + window),
                (false, _) => step,
            };
            for h in 0..nh {
                let group = nh + h / (nh / nkv);
                let values = match spec.kv_source {
                    KvSource::KeysAlone => group,
                    _ => group + nkv,
                };
                scores.clear();
                scores.extend((seen..end).map(|j| self.score(head(t, h), head(j, group))));
                let sink = spec
                    .sinks
                    .then(|| f64::from(self.attn_params[self.attn_params.len() - nh + h]));
                let top = scores.iter().copied().chain(sink).fold(f64::MIN, f64::max);
                let weights = scores.iter().copied().chain(sink).map(|s| (s - top).exp());
                let sum: f64 = weights.sum();
                let mut o = vec![0.0; hd];
                for (j, score) in (seen..).zip(&scores) {
                    let weight = (score - top).exp() / sum;
                    for (o, v) in o.iter_mut().zip(head(j, values)) {
                        *o += weight * v;
                    }
                }
                out.extend(o);
            }
        }
        out
    }

    fn score(&self, q: &[f64], k: &[f64]) -> f64 {
        let dot: f64 = q.iter().zip(k).map(|(a, b)| a * b).sum();
        let (score, cap) = (
            dot * f64::from(self.spec.scale),
            f64::from(self.spec.softcap),
        );
        match cap > 0.0 {
            true => cap * (score / cap).tanh(),
            false => score,
        }
    }

    /// Returns the rows of `qkv` with their bias: queries and keys normed and rotated, queries scaled by their
    /// position, keys and values as the cache stores them.
    fn prepared(&self) -> Vec<f64> {
        let spec = self.spec;
        let hd = spec.head_dim as usize;
        let (q, k) = (spec.n_heads as usize * hd, spec.n_kv_heads as usize * hd);
        let cols = q + 2 * k;
        let (bias, weights) = self.attn_params.split_at(if spec.bias { cols } else { 0 });
        let norms = match spec.qk_norm {
            QkNorm::None => None,
            QkNorm::Head | QkNorm::RotatedHead => {
                Some([(hd, &weights[..hd]), (hd, &weights[hd..2 * hd])])
            }
            QkNorm::Row | QkNorm::CentredHead => {
                Some([(q, &weights[..q]), (k, &weights[q..q + k])])
            }
        };
        let mut out = Vec::with_capacity(self.qkv.len());
        for (t, row) in self.qkv.chunks_exact(cols).enumerate() {
            let mut row: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
            for (v, b) in row.iter_mut().zip(bias) {
                *v += f64::from(*b);
            }
            let (queries, rest) = row.split_at_mut(q);
            let (keys, values) = rest.split_at_mut(k);
            if spec.v_norm {
                norm(values, (hd, &vec![1.0; hd]), spec.eps);
            }
            let after = spec.qk_norm == QkNorm::RotatedHead;
            if spec.qk_norm == QkNorm::CentredHead {
                centred(queries, hd, &weights[..q], spec.eps);
                centred(keys, hd, &weights[q..q + k], spec.eps);
            } else if let Some([of_queries, of_keys]) = norms.filter(|_| !after) {
                norm(queries, of_queries, spec.eps);
                norm(keys, of_keys, spec.eps);
            }
            for head in queries
                .chunks_exact_mut(hd)
                .chain(keys.chunks_exact_mut(hd))
            {
                self.rotate(t, head);
            }
            if let Some([of_queries, of_keys]) = norms.filter(|_| after) {
                norm(queries, of_queries, spec.eps);
                norm(keys, of_keys, spec.eps);
            }
            let times = t / spec.temperature_ctx as usize;
            let grown = 1.0 + f64::from(spec.temperature) * (1.0 + times as f64).ln();
            queries.iter_mut().for_each(|v| *v *= grown);
            for head in keys.chunks_exact_mut(hd).chain(values.chunks_exact_mut(hd)) {
                keep(head, spec.kv);
            }
            out.extend(row);
        }
        out
    }

    fn rotate(&self, t: usize, head: &mut [f64]) {
        let pairs = self.spec.rope_pairs as usize;
        let angles = &self.rope[2 * t * pairs..2 * (t + 1) * pairs];
        let half = pairs / 2;
        for (i, angle) in angles.chunks_exact(2).enumerate() {
            let (a, b) = match (self.spec.neox, self.spec.in_halves) {
                (true, true) if i >= half => (i + half, i + 2 * half),
                (true, true) => (i, i + half),
                (true, false) => (i, i + pairs),
                (false, _) => (2 * i, 2 * i + 1),
            };
            let (cos, sin) = (f64::from(angle[0]), f64::from(angle[1]));
            let (x, y) = (head[a], head[b]);
            head[a] = x * cos - y * sin;
            head[b] = x * sin + y * cos;
        }
    }
}

/// Normalises each head by itself, less its mean, with weights of its own.
fn centred(heads: &mut [f64], hd: usize, weights: &[f32], eps: f32) {
    for (head, weights) in heads.chunks_exact_mut(hd).zip(weights.chunks_exact(hd)) {
        let mean = head.iter().sum::<f64>() / hd as f64;
        let variance = head.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / hd as f64;
        for (v, weight) in head.iter_mut().zip(weights) {
            *v = (*v - mean) / (variance + f64::from(eps)).sqrt() * f64::from(*weight);
        }
    }
}

/// Applies RMSNorm to `width` columns at a time.
fn norm(x: &mut [f64], (width, weights): (usize, &[f32]), eps: f32) {
    for group in x.chunks_exact_mut(width) {
        let mean = group.iter().map(|v| v * v).sum::<f64>() / width as f64;
        let scale = 1.0 / (mean + f64::from(eps)).sqrt();
        for (v, w) in group.iter_mut().zip(weights) {
            *v *= scale * f64::from(*w);
        }
    }
}

/// Rounds a row as the cache does when it stores one.
fn keep(row: &mut [f64], kv: KvType) {
    match kv {
        KvType::F32 => {}
        KvType::F16 => {
            for v in row {
                *v = half::f16::from_f64(*v).to_f64();
            }
        }
        KvType::Q8 => {
            let peak = row.iter().fold(0.0f64, |peak, v| peak.max(v.abs()));
            for v in row.iter_mut().filter(|_| peak > 0.0) {
                *v = (*v / peak * 127.0).round() / 127.0 * peak;
            }
        }
    }
}
