// Writes a block times FACTOR to the vec4s of y from `at` on.
fn store_block(w: Block, at: u32) {
    y[at] = FACTOR * w.a;
    y[at + 1u] = FACTOR * w.b;
}
