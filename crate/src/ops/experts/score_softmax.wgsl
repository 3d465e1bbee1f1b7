// Scores: a softmax over all experts.

struct Whole { top: f32, sum: f32 }

fn whole_of_token() -> Whole {
    var top = of_token[0];
    for (var e = 1u; e < N_EXPERTS; e++) {
        top = max(top, of_token[e]);
    }
    var sum = 0.0;
    for (var e = 0u; e < N_EXPERTS; e++) {
        sum += exp(of_token[e] - top);
    }
    return Whole(top, sum);
}

fn score(expert: u32, whole: Whole) -> f32 {
    return exp(of_token[expert] - whole.top) / whole.sum;
}
