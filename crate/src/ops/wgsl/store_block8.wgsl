// Stores a block to consecutive vec4s from `at` on.
fn store_block(w: Block, at: u32) {
    put(at, w.a);
    put(at + 1u, w.b);
    put(at + 2u, w.c);
    put(at + 3u, w.d);
    put(at + 4u, w.e);
    put(at + 5u, w.f);
    put(at + 6u, w.g);
    put(at + 7u, w.h);
}
