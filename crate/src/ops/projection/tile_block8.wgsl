// Adds four rows' blocks `i` times the input from `at` on.
fn add_block(sums: ptr<function, Sums>, i: vec4<u32>, at: u32) {
    let w = unpack_block(i.x);
    let v = unpack_block(i.y);
    let u = unpack_block(i.z);
    let t = unpack_block(i.w);
    add_piece(sums, mat4x4<f32>(w.a, v.a, u.a, t.a), at);
    add_piece(sums, mat4x4<f32>(w.b, v.b, u.b, t.b), at + 1u);
    add_piece(sums, mat4x4<f32>(w.c, v.c, u.c, t.c), at + 2u);
    add_piece(sums, mat4x4<f32>(w.d, v.d, u.d, t.d), at + 3u);
    add_piece(sums, mat4x4<f32>(w.e, v.e, u.e, t.e), at + 4u);
    add_piece(sums, mat4x4<f32>(w.f, v.f, u.f, t.f), at + 5u);
    add_piece(sums, mat4x4<f32>(w.g, v.g, u.g, t.g), at + 6u);
    add_piece(sums, mat4x4<f32>(w.h, v.h, u.h, t.h), at + 7u);
}
