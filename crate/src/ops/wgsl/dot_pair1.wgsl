// The dot products of two rows' blocks with the vec4s of the input from `at` on, which is loaded once for both.
fn dot_pair(w: Block, v: Block, at: u32) -> vec2<f32> {
    let x0 = input(at);
    return vec2<f32>(dot(w.a, x0), dot(v.a, x0));
}
