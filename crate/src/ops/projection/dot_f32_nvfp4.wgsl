// Multiplies block i of the weight by a block of input; each half's scale is applied once, to its sum.
fn dot_input(i: u32, x: Input) -> f32 {
    let d = unpack2x16float(scales[i]);
    let q = quants[i];
    let p = q >> vec4<u32>(4u);
    let first = dot(numbers(q.x), x.a) + dot(numbers(q.y), x.b) + dot(numbers(q.z), x.c) + dot(numbers(q.w), x.d);
    let second = dot(numbers(p.x), x.e) + dot(numbers(p.y), x.f) + dot(numbers(p.z), x.g) + dot(numbers(p.w), x.h);
    return d.x * first + d.y * second;
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = vec4<f32>(1.0);
