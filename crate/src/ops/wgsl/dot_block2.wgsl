// The dot product of a block with the vec4s of the input from `at` on.
fn dot_block(w: Block, at: u32) -> f32 {
    return dot(w.a, input(at)) + dot(w.b, input(at + 1u));
}
