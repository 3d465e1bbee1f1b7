// Input: x: [1, COLS4].
fn raw_input(at: u32) -> vec4<f32> {
    return x[at];
}
