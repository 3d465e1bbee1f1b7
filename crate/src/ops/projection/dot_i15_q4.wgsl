// Multiplies block i of the weight by a block of input.
fn dot_input(i: u32, x: Input) -> f32 {
    let at = padded(i);
    let dm = scale_and_minimum(at);
    let q = quants[at];
    let lo = q & vec4<u32>(0x0f0f0f0fu);
    let hi = (q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
    return dm.x * dot32(lo, hi, x) + dm.y * x.sum;
}
