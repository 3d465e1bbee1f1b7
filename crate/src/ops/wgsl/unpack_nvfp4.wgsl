// Nvfp4: 32 weights = 4 words of nibbles + 1 word, the scales of the halves. weight = d * table[q].
//
// Module: table.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 32]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, cols / 32]

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let d = unpack2x16float(scales[i]);
    let q = quants[i];
    let p = q >> vec4<u32>(4u);
    return Block(
        numbers(q.x) * d.x, numbers(q.y) * d.x, numbers(q.z) * d.x, numbers(q.w) * d.x,
        numbers(p.x) * d.y, numbers(p.y) * d.y, numbers(p.z) * d.y, numbers(p.w) * d.y,
    );
}
