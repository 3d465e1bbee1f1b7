//! Relative position biases of T5 (Raffel et al. 2020, arXiv:1910.10683), by the distance of a key from its query.

/// Numbers that are added to scores, by head and distance: beyond a reach they are constant.
pub struct RelativeBias {
    /// [buckets, heads]
    weights: Vec<f32>,
    heads: usize,
    /// The bucket of each distance, from -reach to reach.
    buckets: Vec<u16>,
}

/// Returns the bucket of the distance `relative`, that of the key minus that of the query.
pub fn bucket(relative: i64, is_causal: bool, buckets: usize, max_distance: usize) -> usize {
    let half = if is_causal { buckets } else { buckets / 2 };
    let side = if !is_causal && relative > 0 { half } else { 0 };
    let distance = match is_causal {
        // (keys behind the query are never seen)
        true => (-relative).max(0),
        false => relative.abs(),
    } as usize;
    let exact = half / 2;
    if distance < exact {
        return side + distance;
    }
    // The reference computes in f32.
    let ratio = (distance as f32 / exact.max(1) as f32).ln()
        / (f64::from(max_distance as u32) / exact.max(1) as f64).ln() as f32;
    let more = (ratio * (half - exact) as f32) as usize;
    side + (exact + more).min(half.saturating_sub(1))
}

impl RelativeBias {
    /// Makes the biases of `weights` [buckets, heads].
    pub fn new(
        weights: Vec<f32>,
        heads: usize,
        is_causal: bool,
        buckets: usize,
        max_distance: usize,
    ) -> Self {
        let reach = max_distance as i64;
        let of = |at: i64| bucket(at, is_causal, buckets, max_distance) as u16;
        Self {
            weights,
            heads,
            buckets: (-reach..=reach).map(of).collect(),
        }
    }

    /// Adds the biases of head `h` to the scores of the query at a position, one for each key from the first.
    pub fn add(&self, h: usize, position: usize, scores: &mut [f32]) {
        let reach = self.buckets.len() / 2;
        for (key, score) in scores.iter_mut().enumerate() {
            let at = (key + reach).saturating_sub(position);
            let bucket = self.buckets[at.min(2 * reach)];
            *score += self.weights[usize::from(bucket) * self.heads + h];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_beyond_the_reach_are_constant() {
        let (heads, buckets) = (2, 32);
        let weights: Vec<f32> = (0..buckets * heads).map(|i| i as f32).collect();
        for is_causal in [false, true] {
            let bias = RelativeBias::new(weights.clone(), heads, is_causal, buckets, 128);
            let mut scores = vec![0.0; 700];
            bias.add(1, 350, &mut scores);
            for (key, score) in scores.iter().enumerate() {
                let relative = key as i64 - 350;
                let wanted = weights[bucket(relative, is_causal, buckets, 128) * heads + 1];
                assert_eq!(*score, wanted, "{relative}");
            }
        }
    }
}
