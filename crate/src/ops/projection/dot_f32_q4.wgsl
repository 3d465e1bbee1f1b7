// Multiplies block i of the weight by a block of input. Scale and minimum are factors of the whole block, so they are
// applied once, to the sums of the unscaled nibbles.
fn dot_input(i: u32, x: Input) -> f32 {
    let at = padded(i);
    let dm = scale_and_minimum(at);
    let q = quants[at];
    let p = q >> vec4<u32>(4u);
    let sum = dot(nibbles(q.x), x.a) + dot(nibbles(q.y), x.b) + dot(nibbles(q.z), x.c) + dot(nibbles(q.w), x.d) +
        dot(nibbles(p.x), x.e) + dot(nibbles(p.y), x.f) + dot(nibbles(p.z), x.g) + dot(nibbles(p.w), x.h);
    return dm.x * sum + dm.y * x.sum;
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = PLACE;
