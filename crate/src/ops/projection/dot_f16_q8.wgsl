// Multiplies block i of the weight by a block of input, converting the bytes via f16: offset by 128 and placed in the
// mantissa of 1024, two at a time, they are exact. Otherwise like dot_f32_q8.wgsl.
fn pair(w: u32) -> vec2<f32> {
    return unpack2x16float((w & 0x00ff00ffu) | 0x64006400u) - vec2<f32>(1152.0);
}

fn signed_bytes(w: u32) -> vec4<f32> {
    let even = pair(w ^ 0x80808080u);
    let odd = pair((w ^ 0x80808080u) >> 8u);
    return vec4<f32>(even.x, odd.x, even.y, odd.y);
}

fn dot_input(i: u32, x: Input) -> f32 {
    let at = padded(i);
    let q0 = quants[2u * at];
    let q1 = quants[2u * at + 1u];
    let sum = dot(signed_bytes(q0.x), x.a) + dot(signed_bytes(q0.y), x.b) +
        dot(signed_bytes(q0.z), x.c) + dot(signed_bytes(q0.w), x.d) +
        dot(signed_bytes(q1.x), x.e) + dot(signed_bytes(q1.y), x.f) +
        dot(signed_bytes(q1.z), x.g) + dot(signed_bytes(q1.w), x.h);
    return scale_at(at) * sum;
}

const INPUT_FACTOR: vec4<f32> = vec4<f32>(1.0);
