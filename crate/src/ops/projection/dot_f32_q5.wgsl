// Multiplies block i of the weight by a block of input; scale and minimum are applied once, to the sums, as in Q4.
fn dot_input(i: u32, x: Input) -> f32 {
    let dm = unpack2x16float(scales[2u * i]);
    let h = scales[2u * i + 1u];
    let q = quants[i];
    let p = q >> vec4<u32>(4u);
    let sum = dot(numbers(q.x, h), x.a) + dot(numbers(q.y, h >> 1u), x.b) +
        dot(numbers(q.z, h >> 2u), x.c) + dot(numbers(q.w, h >> 3u), x.d) +
        dot(numbers(p.x, h >> 4u), x.e) + dot(numbers(p.y, h >> 5u), x.f) +
        dot(numbers(p.z, h >> 6u), x.g) + dot(numbers(p.w, h >> 7u), x.h);
    return dm.x * sum + dm.y * x.sum;
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = PLACE;
