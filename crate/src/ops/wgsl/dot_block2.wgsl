// The dot product of a block with the vec4s of x from `at` on.
fn dot_block(w: Block, at: u32) -> f32 {
    return dot(w.a, x[at]) + dot(w.b, x[at + 1u]);
}
