// Scores: the sigmoid of each logit.

struct Whole { unused: u32 }

fn whole_of_token() -> Whole {
    return Whole(0u);
}

fn score(expert: u32, whole: Whole) -> f32 {
    return 1.0 / (1.0 + exp(-of_token[expert]));
}
