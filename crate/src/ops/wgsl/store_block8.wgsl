// Writes a block times FACTOR to the vec4s of y from `at` on.
fn store_block(w: Block, at: u32) {
    y[at] = FACTOR * w.a;
    y[at + 1u] = FACTOR * w.b;
    y[at + 2u] = FACTOR * w.c;
    y[at + 3u] = FACTOR * w.d;
    y[at + 4u] = FACTOR * w.e;
    y[at + 5u] = FACTOR * w.f;
    y[at + 6u] = FACTOR * w.g;
    y[at + 7u] = FACTOR * w.h;
}
