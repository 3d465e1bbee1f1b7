// Multiplies block i of the weight by a block of input; each half's scale is applied once, to its sum.
fn dot_input(i: u32, x: Input) -> f32 {
    let s = scales[i];
    let halves = unpack2x16float(s.x);
    let q = quants[i];
    let first = dot(numbers(q.x, s.y), x.a) + dot(numbers(q.x >> 2u, s.y >> 1u), x.b) +
        dot(numbers(q.x >> 4u, s.y >> 2u), x.c) + dot(numbers(q.x >> 6u, s.y >> 3u), x.d);
    let second = dot(numbers(q.y, s.y >> 4u), x.e) + dot(numbers(q.y >> 2u, s.y >> 5u), x.f) +
        dot(numbers(q.y >> 4u, s.y >> 6u), x.g) + dot(numbers(q.y >> 6u, s.y >> 7u), x.h);
    return halves.x * first + halves.y * second;
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = PLACE;
