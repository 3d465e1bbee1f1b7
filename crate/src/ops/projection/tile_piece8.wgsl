// Adds four rows' blocks `i` times the input from `at` on, piece by piece. Unpacked at once, four blocks are 128 floats,
// and a GPU's compiler spills registers; here the packed words stay in registers and are unpacked where they are
// multiplied. Compilers read them once.
fn add_block(sums: ptr<function, Sums>, i: vec4<u32>, at: u32) {
    add_piece(
        sums,
        mat4x4<f32>(unpack_block(i.x).a, unpack_block(i.y).a, unpack_block(i.z).a, unpack_block(i.w).a),
        at,
    );
    add_piece(
        sums,
        mat4x4<f32>(unpack_block(i.x).b, unpack_block(i.y).b, unpack_block(i.z).b, unpack_block(i.w).b),
        at + 1u,
    );
    add_piece(
        sums,
        mat4x4<f32>(unpack_block(i.x).c, unpack_block(i.y).c, unpack_block(i.z).c, unpack_block(i.w).c),
        at + 2u,
    );
    add_piece(
        sums,
        mat4x4<f32>(unpack_block(i.x).d, unpack_block(i.y).d, unpack_block(i.z).d, unpack_block(i.w).d),
        at + 3u,
    );
    add_piece(
        sums,
        mat4x4<f32>(unpack_block(i.x).e, unpack_block(i.y).e, unpack_block(i.z).e, unpack_block(i.w).e),
        at + 4u,
    );
    add_piece(
        sums,
        mat4x4<f32>(unpack_block(i.x).f, unpack_block(i.y).f, unpack_block(i.z).f, unpack_block(i.w).f),
        at + 5u,
    );
    add_piece(
        sums,
        mat4x4<f32>(unpack_block(i.x).g, unpack_block(i.y).g, unpack_block(i.z).g, unpack_block(i.w).g),
        at + 6u,
    );
    add_piece(
        sums,
        mat4x4<f32>(unpack_block(i.x).h, unpack_block(i.y).h, unpack_block(i.z).h, unpack_block(i.w).h),
        at + 7u,
    );
}
