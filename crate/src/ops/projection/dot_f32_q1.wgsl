// Multiplies block i of the weight by a block of input: the sum over bits of 1, doubled, less the sum over all.
fn dot_input(i: u32, x: Input) -> f32 {
    let at = padded(i);
    let w = quants[at];
    let sum = dot(numbers(w), x.a) + dot(numbers(w >> 4u), x.b) + dot(numbers(w >> 8u), x.c) +
        dot(numbers(w >> 12u), x.d) + dot(numbers(w >> 16u), x.e) + dot(numbers(w >> 20u), x.f) +
        dot(numbers(w >> 24u), x.g) + dot(numbers(w >> 28u), x.h);
    return scale_at(at) * (2.0 * sum - x.sum);
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = PLACE;
