// Multiplies block i of the weight by a block of input, converting the nibbles via f16: placed in the mantissa of
// 1024, two at a time, they are exact. A GPU widens f16 faster than it converts integers; no feature is needed.
// Otherwise like dot_f32_q4.wgsl.
fn pair(w: u32) -> vec2<f32> {
    return unpack2x16float((w & 0x000f000fu) | 0x64006400u) - vec2<f32>(1024.0);
}

fn low_nibbles(w: u32) -> vec4<f32> {
    let even = pair(w);
    let odd = pair(w >> 8u);
    return vec4<f32>(even.x, odd.x, even.y, odd.y);
}

fn dot_input(i: u32, x: Input) -> f32 {
    let at = padded(i);
    let dm = scale_and_minimum(at);
    let q = quants[at];
    let p = q >> vec4<u32>(4u);
    let sum = dot(low_nibbles(q.x), x.a) + dot(low_nibbles(q.y), x.b) +
        dot(low_nibbles(q.z), x.c) + dot(low_nibbles(q.w), x.d) +
        dot(low_nibbles(p.x), x.e) + dot(low_nibbles(p.y), x.f) +
        dot(low_nibbles(p.z), x.g) + dot(low_nibbles(p.w), x.h);
    return dm.x * sum + dm.y * x.sum;
}

const INPUT_FACTOR: vec4<f32> = vec4<f32>(1.0);
