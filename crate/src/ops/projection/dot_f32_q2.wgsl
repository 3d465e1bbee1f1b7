// Multiplies block i of the weight by a block of input; scales and minima are applied once, to the sums of the
// halves.
fn dot_input(i: u32, x: Input) -> f32 {
    let f = factors(i);
    let q = quants[i];
    let first = dot(numbers(q.x), x.a) + dot(numbers(q.x >> 2u), x.b) +
        dot(numbers(q.x >> 4u), x.c) + dot(numbers(q.x >> 6u), x.d);
    let second = dot(numbers(q.y), x.e) + dot(numbers(q.y >> 2u), x.f) +
        dot(numbers(q.y >> 4u), x.g) + dot(numbers(q.y >> 6u), x.h);
    return dot(f, vec4<f32>(first, second, x.first, x.sum - x.first));
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = PLACE;
