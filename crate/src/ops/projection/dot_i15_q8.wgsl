// Multiplies block i of the weight by a block of input.
fn dot_input(i: u32, x: Input) -> f32 {
    return unpack2x16float(scales[i]).x * dot32(quants[2u * i], quants[2u * i + 1u], x);
}
