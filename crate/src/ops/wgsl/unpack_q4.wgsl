// Q4, Q4S and Q4K: 32 weights = 4 words of nibbles. weight = d * q + m.
//
// Module: scales_q4, scales_q4s or scales_q4k.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 32, padded]

// Returns the low nibbles of a word's bytes, left in place: shifting each lane by a different amount is slow on
// software adapters, and PLACE scales them down as part of another factor.
fn nibbles(w: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(i32(w)) & vec4<i32>(0xf, 0xf00, 0xf0000, 0xf000000));
}

// 2^0, 2^-8, 2^-16, 2^-24
const PLACE: vec4<f32> = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 5.9604644775390625e-8);

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let at = padded(i);
    let dm = scale_and_minimum(at);
    let q = quants[at];
    let p = q >> vec4<u32>(4u);
    let d = PLACE * dm.x;
    let m = vec4<f32>(dm.y);
    return Block(
        fma(nibbles(q.x), d, m),
        fma(nibbles(q.y), d, m),
        fma(nibbles(q.z), d, m),
        fma(nibbles(q.w), d, m),
        fma(nibbles(p.x), d, m),
        fma(nibbles(p.y), d, m),
        fma(nibbles(p.z), d, m),
        fma(nibbles(p.w), d, m),
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
