// Multiplies block i of the weight by a block of input.
fn dot_input(i: u32, x: Input) -> f32 {
    let at = padded(i);
    return scale_at(at) * dot32(quants[2u * at], quants[2u * at + 1u], x);
}
