// Scores that do not depend on the distance of two tokens.

fn distanced(score: f32, head: u32, t: u32, j: u32) -> f32 {
    return score;
}
