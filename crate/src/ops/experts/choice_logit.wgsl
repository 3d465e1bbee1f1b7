// Experts are chosen by logits, whose order is that of the scores.

fn choice(expert: u32, whole: Whole) -> f32 {
    return of_token[expert];
}
