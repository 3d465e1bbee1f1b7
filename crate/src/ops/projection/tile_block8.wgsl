// Adds four rows' blocks `i` times the input from `at` on. Software adapters keep a block in memory anyway and compile slowly,
// so the rows and the pieces are loops; tile_piece8.wgsl has them unrolled.
fn add_block(sums: ptr<function, Sums>, i: vec4<u32>, at: u32) {
    var pieces: array<mat4x4<f32>, 8>;
    for (var row = 0u; row < 4u; row++) {
        let block = unpack_block(i[row]);
        pieces[0][row] = block.a;
        pieces[1][row] = block.b;
        pieces[2][row] = block.c;
        pieces[3][row] = block.d;
        pieces[4][row] = block.e;
        pieces[5][row] = block.f;
        pieces[6][row] = block.g;
        pieces[7][row] = block.h;
    }
    for (var piece = 0u; piece < 8u; piece++) {
        add_piece(sums, pieces[piece], at + piece);
    }
}
