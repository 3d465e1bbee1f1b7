// Iq4 and Fp4: 32 weights = 4 words of nibbles + 1 word, the scale. weight = d * table[q].
//
// Module: table.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 32]
@group(0) @binding(1) var<storage, read_write> scales: array<f32>; // [rows, cols / 32]

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let d = scales[i];
    let q = quants[i];
    let p = q >> vec4<u32>(4u);
    return Block(
        numbers(q.x) * d, numbers(q.y) * d, numbers(q.z) * d, numbers(q.w) * d,
        numbers(p.x) * d, numbers(p.y) * d, numbers(p.z) * d, numbers(p.w) * d,
    );
}
