// Scores whose ratios are those of a softmax, for weights that are normalised: the best expert's is 1. Experts are
// chosen by logits.

struct Whole { unused: u32 }

fn whole_of_token() -> Whole {
    return Whole(0u);
}

fn score(expert: u32, whole: Whole) -> f32 {
    return exp(of_token[expert] - of_token[best[0]]);
}
