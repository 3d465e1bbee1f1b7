// Q8: 32 weights = 8 words of int8; two blocks have their scales in a word. weight = d * q. A row is padded to two blocks.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, 2 ROW_BLOCKS]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, ROW_BLOCKS / 2], f16 d | f16 d

const ROW_BLOCKS: u32 = (BLOCKS + 1u) / 2u * 2u;

// Returns the place of block i among the padded rows'.
fn padded(i: u32) -> u32 {
    if (ROW_BLOCKS == BLOCKS) {
        return i;
    }
    return i / BLOCKS * ROW_BLOCKS + i % BLOCKS;
}

// Returns the scale of the block at `at`.
fn scale_at(at: u32) -> f32 {
    return unpack2x16float(scales[at / 2u] >> (at % 2u * 16u)).x;
}

// Returns a word's bytes as signed integers times 2^24, which ONE scales down as part of another factor: shifting
// each lane by a different amount is slow on software adapters.
fn bytes(w: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(i32(w << 24u), i32(w << 16u), i32(w << 8u), i32(w)) & vec4<i32>(-16777216));
}

const ONE: f32 = 5.9604644775390625e-8; // 2^-24

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let at = padded(i);
    let d = scale_at(at) * ONE;
    let q0 = quants[2u * at];
    let q1 = quants[2u * at + 1u];
    return Block(
        bytes(q0.x) * d, bytes(q0.y) * d, bytes(q0.z) * d, bytes(q0.w) * d,
        bytes(q1.x) * d, bytes(q1.y) * d, bytes(q1.z) * d, bytes(q1.w) * d,
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
