// Q3: 32 weights = 2 words, one plane of two-bit values per half, + 2 words: the halves' scales, and the plane of the
// third bits. weight = d of its half * (q - 4).
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec2<u32>>; // [rows, cols / 32]
@group(0) @binding(1) var<storage, read_write> scales: array<vec2<u32>>; // [rows, cols / 32], f16 d | f16 d; plane

// Returns four weights' quants minus 4: the lowest two bits of a word's bytes, with the lowest bit of the plane's
// bytes above them, left in place as in Q4.
fn numbers(w: u32, plane: u32) -> vec4<f32> {
    let q = (w & 0x03030303u) | ((plane & 0x01010101u) << 2u);
    let bytes = vec4<i32>(i32(q)) & vec4<i32>(0x7, 0x700, 0x70000, 0x7000000);
    return vec4<f32>(bytes - vec4<i32>(0x4, 0x400, 0x40000, 0x4000000));
}

// 2^0, 2^-8, 2^-16, 2^-24
const PLACE: vec4<f32> = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 5.9604644775390625e-8);

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let s = scales[i];
    let halves = unpack2x16float(s.x);
    let q = quants[i];
    let d = PLACE * halves.x;
    let e = PLACE * halves.y;
    return Block(
        numbers(q.x, s.y) * d,
        numbers(q.x >> 2u, s.y >> 1u) * d,
        numbers(q.x >> 4u, s.y >> 2u) * d,
        numbers(q.x >> 6u, s.y >> 3u) * d,
        numbers(q.y, s.y >> 4u) * e,
        numbers(q.y >> 2u, s.y >> 5u) * e,
        numbers(q.y >> 4u, s.y >> 6u) * e,
        numbers(q.y >> 6u, s.y >> 7u) * e,
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
