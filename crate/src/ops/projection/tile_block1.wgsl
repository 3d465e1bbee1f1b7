// Adds four rows' blocks `i` times the input from `at` on.
fn add_block(sums: ptr<function, Sums>, i: vec4<u32>, at: u32) {
    let w = unpack_block(i.x);
    let v = unpack_block(i.y);
    let u = unpack_block(i.z);
    let t = unpack_block(i.w);
    add_piece(sums, mat4x4<f32>(w.a, v.a, u.a, t.a), at);
}
