// The dot products of two rows' blocks with the vec4s of the input from `at` on, which is loaded once for both.
fn dot_pair(w: Block, v: Block, at: u32) -> vec2<f32> {
    let x0 = input(at);
    let x1 = input(at + 1u);
    let x2 = input(at + 2u);
    let x3 = input(at + 3u);
    let x4 = input(at + 4u);
    let x5 = input(at + 5u);
    let x6 = input(at + 6u);
    let x7 = input(at + 7u);
    return vec2<f32>(dot(w.a, x0), dot(v.a, x0)) +
        vec2<f32>(dot(w.b, x1), dot(v.b, x1)) +
        vec2<f32>(dot(w.c, x2), dot(v.c, x2)) +
        vec2<f32>(dot(w.d, x3), dot(v.d, x3)) +
        vec2<f32>(dot(w.e, x4), dot(v.e, x4)) +
        vec2<f32>(dot(w.f, x5), dot(v.f, x5)) +
        vec2<f32>(dot(w.g, x6), dot(v.g, x6)) +
        vec2<f32>(dot(w.h, x7), dot(v.h, x7));
}
