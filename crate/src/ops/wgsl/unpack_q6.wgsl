// Q6: 32 weights = 4 words of nibbles and 2 words, the halves' planes of the upper two bits. Eight blocks share 5 words of
// scales, which are before their planes: f16 d, and a byte for each half. weight = d * sc * (q - 32).
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 32]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, cols / 256, 21]

// The halves of a block: their scales, and their planes.
struct Halves { scales: vec2<f32>, a: u32, b: u32 }

fn halves(i: u32) -> Halves {
    let unit = i / 8u * 21u;
    let plane = unit + 5u + i % 8u * 2u;
    let d = unpack2x16float(scales[unit]).x;
    // The bytes are moved to the top, so that they keep their sign: 2^24 times as much.
    let bytes = scales[unit + 1u + i % 8u / 2u] >> (i % 2u * 16u);
    let sc = vec2<f32>(vec2<i32>(i32(bytes << 24u), i32(bytes << 16u)) & vec2<i32>(-16777216));
    return Halves(d * 5.9604644775390625e-8 * sc, scales[plane], scales[plane + 1u]);
}

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
    let h = halves(i);
    let q = quants[i];
    let p = q >> vec4<u32>(4u);
    let d = PLACE * h.scales.x;
    let e = PLACE * h.scales.y;
    return Block(
        numbers(q.x, h.a) * d,
        numbers(q.y, h.a >> 2u) * d,
        numbers(q.z, h.a >> 4u) * d,
        numbers(q.w, h.a >> 6u) * d,
        numbers(p.x, h.b) * e,
        numbers(p.y, h.b >> 2u) * e,
        numbers(p.z, h.b >> 4u) * e,
        numbers(p.w, h.b >> 6u) * e,
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
