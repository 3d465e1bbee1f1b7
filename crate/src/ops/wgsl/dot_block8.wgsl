// The dot product of a block with the vec4s of x from `at` on.
fn dot_block(w: Block, at: u32) -> f32 {
    return dot(w.a, x[at]) + dot(w.b, x[at + 1u]) + dot(w.c, x[at + 2u]) +
        dot(w.d, x[at + 3u]) + dot(w.e, x[at + 4u]) + dot(w.f, x[at + 5u]) +
        dot(w.g, x[at + 6u]) + dot(w.h, x[at + 7u]);
}
