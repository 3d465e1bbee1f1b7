// Q6: 32 weights = 4 words of nibbles + 3 words: the halves' scales, and their planes of the upper two bits.
// weight = d of its half * (q - 32).
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 32]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, cols / 32, 3], f16 d | f16 d, two planes

// Returns four weights' quants minus 32: the low nibbles of a word's bytes, with the lowest two bits of the plane's
// bytes above them, left in place as in Q4.
fn numbers(w: u32, plane: u32) -> vec4<f32> {
    let q = (w & 0x0f0f0f0fu) | ((plane & 0x03030303u) << 4u);
    let bytes = vec4<i32>(i32(q)) & vec4<i32>(0x3f, 0x3f00, 0x3f0000, 0x3f000000);
    return vec4<f32>(bytes - vec4<i32>(0x20, 0x2000, 0x200000, 0x20000000));
}

// 2^0, 2^-8, 2^-16, 2^-24
const PLACE: vec4<f32> = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 5.9604644775390625e-8);

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let halves = unpack2x16float(scales[3u * i]);
    let a = scales[3u * i + 1u];
    let b = scales[3u * i + 2u];
    let q = quants[i];
    let p = q >> vec4<u32>(4u);
    let d = PLACE * halves.x;
    let e = PLACE * halves.y;
    return Block(
        numbers(q.x, a) * d,
        numbers(q.y, a >> 2u) * d,
        numbers(q.z, a >> 4u) * d,
        numbers(q.w, a >> 6u) * d,
        numbers(p.x, b) * e,
        numbers(p.y, b >> 2u) * e,
        numbers(p.z, b >> 4u) * e,
        numbers(p.w, b >> 6u) * e,
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
