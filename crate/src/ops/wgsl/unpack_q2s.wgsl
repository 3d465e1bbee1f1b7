// Q2S: 32 weights = 2 words, one plane of two-bit values per half; two blocks share a scale, two of which are in a word.
// weight = d * (q - 1). A row is padded to four blocks.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec2<u32>>; // [rows, ROW_BLOCKS]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, ROW_BLOCKS / 4], f16 d | f16 d

const ROW_BLOCKS: u32 = (BLOCKS + 3u) / 4u * 4u;

// Returns the place of block i among the padded rows'.
fn padded(i: u32) -> u32 {
    if (ROW_BLOCKS == BLOCKS) {
        return i;
    }
    return i / BLOCKS * ROW_BLOCKS + i % BLOCKS;
}

// Returns four weights' quants: the lowest two bits of a word's bytes, left in place as in Q4.
fn numbers(w: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(i32(w)) & vec4<i32>(0x3, 0x300, 0x30000, 0x3000000));
}

// 2^0, 2^-8, 2^-16, 2^-24
const PLACE: vec4<f32> = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 5.9604644775390625e-8);

// Returns the scale of the block at `at`.
fn scale_at(at: u32) -> f32 {
    return unpack2x16float(scales[at / 4u] >> (at / 2u % 2u * 16u)).x;
}

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let at = padded(i);
    let q = quants[at];
    let s = scale_at(at);
    let d = PLACE * s;
    let m = vec4<f32>(-s);
    return Block(
        fma(numbers(q.x), d, m),
        fma(numbers(q.x >> 2u), d, m),
        fma(numbers(q.x >> 4u), d, m),
        fma(numbers(q.x >> 6u), d, m),
        fma(numbers(q.y), d, m),
        fma(numbers(q.y >> 2u), d, m),
        fma(numbers(q.y >> 4u), d, m),
        fma(numbers(q.y >> 6u), d, m),
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
