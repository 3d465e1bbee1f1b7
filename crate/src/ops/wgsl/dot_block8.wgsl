// The dot product of a block with the vec4s of the input from `at` on.
fn dot_block(w: Block, at: u32) -> f32 {
    return dot(w.a, input(at)) + dot(w.b, input(at + 1u)) + dot(w.c, input(at + 2u)) +
        dot(w.d, input(at + 3u)) + dot(w.e, input(at + 4u)) + dot(w.f, input(at + 5u)) +
        dot(w.g, input(at + 6u)) + dot(w.h, input(at + 7u));
}
