// Q5: 32 weights = 4 words of nibbles + 2 words: scales, and the plane of the fifth bits. weight = d * q + m.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 32]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, cols / 32, 2], f16 d | f16 m, plane

// Returns four weights' quants: the low nibbles of a word's bytes, with the lowest bit of the plane's bytes above
// them, left in place as in Q4.
fn numbers(w: u32, plane: u32) -> vec4<f32> {
    let q = (w & 0x0f0f0f0fu) | ((plane & 0x01010101u) << 4u);
    return vec4<f32>(vec4<i32>(i32(q)) & vec4<i32>(0x1f, 0x1f00, 0x1f0000, 0x1f000000));
}

// 2^0, 2^-8, 2^-16, 2^-24
const PLACE: vec4<f32> = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 5.9604644775390625e-8);

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let dm = unpack2x16float(scales[2u * i]);
    let plane = scales[2u * i + 1u];
    let q = quants[i];
    let p = q >> vec4<u32>(4u);
    let d = PLACE * dm.x;
    let m = vec4<f32>(dm.y);
    return Block(
        fma(numbers(q.x, plane), d, m),
        fma(numbers(q.y, plane >> 1u), d, m),
        fma(numbers(q.z, plane >> 2u), d, m),
        fma(numbers(q.w, plane >> 3u), d, m),
        fma(numbers(p.x, plane >> 4u), d, m),
        fma(numbers(p.y, plane >> 5u), d, m),
        fma(numbers(p.z, plane >> 6u), d, m),
        fma(numbers(p.w, plane >> 7u), d, m),
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
