// Writes a block to the vec4s of y from `at` on.
fn store_block(w: Block, at: u32) {
    y[at] = w.a;
    y[at + 1u] = w.b;
    y[at + 2u] = w.c;
    y[at + 3u] = w.d;
    y[at + 4u] = w.e;
    y[at + 5u] = w.f;
    y[at + 6u] = w.g;
    y[at + 7u] = w.h;
}
