// Multiplies block i of the weight by a block of input; each half's scale is applied once, to its sum.
fn dot_input(i: u32, x: Input) -> f32 {
    let h = halves(i);
    let a = h.a;
    let b = h.b;
    let q = quants[i];
    let p = q >> vec4<u32>(4u);
    let first = dot(numbers(q.x, a), x.a) + dot(numbers(q.y, a >> 2u), x.b) +
        dot(numbers(q.z, a >> 4u), x.c) + dot(numbers(q.w, a >> 6u), x.d);
    let second = dot(numbers(p.x, b), x.e) + dot(numbers(p.y, b >> 2u), x.f) +
        dot(numbers(p.z, b >> 4u), x.g) + dot(numbers(p.w, b >> 6u), x.h);
    return h.scales.x * first + h.scales.y * second;
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = PLACE;
