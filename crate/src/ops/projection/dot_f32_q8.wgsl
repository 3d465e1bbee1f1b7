// Multiplies block i of the weight by a block of input. The scale is a factor of the whole block, so it is applied
// once.
fn dot_input(i: u32, x: Input) -> f32 {
    let at = padded(i);
    let q0 = quants[2u * at];
    let q1 = quants[2u * at + 1u];
    let sum = dot(bytes(q0.x), x.a) + dot(bytes(q0.y), x.b) + dot(bytes(q0.z), x.c) + dot(bytes(q0.w), x.d) +
        dot(bytes(q1.x), x.e) + dot(bytes(q1.y), x.f) + dot(bytes(q1.z), x.g) + dot(bytes(q1.w), x.h);
    return scale_at(at) * sum;
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = vec4<f32>(ONE);
