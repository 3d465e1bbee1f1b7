// Multiplies block i of the weight by a block of input; the 1 that is subtracted takes the sum of the input.
fn dot_input(i: u32, x: Input) -> f32 {
    let at = padded(i);
    let q = quants[at];
    let sum = dot(numbers(q.x), x.a) + dot(numbers(q.x >> 2u), x.b) +
        dot(numbers(q.x >> 4u), x.c) + dot(numbers(q.x >> 6u), x.d) +
        dot(numbers(q.y), x.e) + dot(numbers(q.y >> 2u), x.f) +
        dot(numbers(q.y >> 4u), x.g) + dot(numbers(q.y >> 6u), x.h);
    return scale_at(at) * (sum - x.sum);
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = PLACE;
