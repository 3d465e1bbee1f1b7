// Attention's output without a gate.
fn divisor_of(row: u32, at: u32) -> vec4<f32> {
    return vec4<f32>(1.0);
}
