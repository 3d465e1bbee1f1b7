// Experts are chosen by score + bias.
@group(0) @binding(3) var<storage, read_write> bias: array<f32>; // [N_EXPERTS]

fn choice(expert: u32, whole: Whole) -> f32 {
    return score(expert, whole) + bias[expert];
}
