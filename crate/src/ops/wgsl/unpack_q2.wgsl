// Q2: 32 weights = 2 words, one plane of two-bit values per half; two blocks share 2 words of scales.
// weight = d * sc * q - dmin * mn, with sc and mn of the weight's half.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec2<u32>>; // [rows, cols / 32]
@group(0) @binding(1) var<storage, read_write> scales: array<vec2<u32>>; // [rows, cols / 64]: bytes mn << 4 | sc; f16 d | f16 dmin

// Returns four weights' quants: the lowest two bits of a word's bytes, left in place as in Q4.
fn numbers(w: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(i32(w)) & vec4<i32>(0x3, 0x300, 0x30000, 0x3000000));
}

// Returns the scales of the halves of block i, and their negated minima.
fn factors(i: u32) -> vec4<f32> {
    let word = scales[i / 2u];
    let bytes = word.x >> (16u * (i % 2u));
    let dm = unpack2x16float(word.y);
    let scale = vec2<f32>(f32(bytes & 15u), f32((bytes >> 8u) & 15u));
    let least = vec2<f32>(f32((bytes >> 4u) & 15u), f32((bytes >> 12u) & 15u));
    return vec4<f32>(dm.x * scale, -dm.y * least);
}

// 2^0, 2^-8, 2^-16, 2^-24
const PLACE: vec4<f32> = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 5.9604644775390625e-8);

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let f = factors(i);
    let q = quants[i];
    let d = PLACE * f.x;
    let e = PLACE * f.y;
    let m = vec4<f32>(f.z);
    let n = vec4<f32>(f.w);
    return Block(
        fma(numbers(q.x), d, m),
        fma(numbers(q.x >> 2u), d, m),
        fma(numbers(q.x >> 4u), d, m),
        fma(numbers(q.x >> 6u), d, m),
        fma(numbers(q.y), e, n),
        fma(numbers(q.y >> 2u), e, n),
        fma(numbers(q.y >> 4u), e, n),
        fma(numbers(q.y >> 6u), e, n),
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
