// Scores that fall with the distance of two tokens, each head's by a slope of its own.
//
// Modules: state.
// Constants from the header:
//   SLOPES: f32, base 2 logarithm of the last slope's inverse, where the heads are a power of two
//   SLOPE_HEADS: u32, the largest power of two that is not above the heads

fn slope(head: u32) -> f32 {
    if (head < SLOPE_HEADS) {
        return exp2(-SLOPES * f32(head + 1u) / f32(SLOPE_HEADS));
    }
    return exp2(-SLOPES * f32(2u * (head - SLOPE_HEADS) + 1u) / f32(2u * SLOPE_HEADS));
}

// Returns a head's score of position j for token t of the step.
fn distanced(score: f32, head: u32, t: u32, j: u32) -> f32 {
    return score - slope(head) * abs(f32(state[POS] + t) - f32(j));
}
