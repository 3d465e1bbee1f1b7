// Stores a block to consecutive vec4s from `at` on.
fn store_block(w: Block, at: u32) {
    put(at, w.a);
}
