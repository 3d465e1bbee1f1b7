// Each expert has a factor of its own.
@group(0) @binding(3) var<storage, read_write> factors: array<f32>; // [N_EXPERTS]

fn own_factor(expert: u32) -> f32 {
    return factors[expert];
}
