// Puts a block to the vec4s of y from `at` on.
fn store_block(w: Block, at: u32) {
    put(at, w.a);
}
