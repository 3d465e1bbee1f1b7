// Q1: 32 weights = 1 word, a bit each; four blocks share a scale, two of which are in a word. weight = d or -d.
// A row is padded to eight blocks.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 2u;
@group(0) @binding(0) var<storage, read_write> quants: array<u32>; // [rows, ROW_BLOCKS]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, ROW_BLOCKS / 8], f16 d | f16 d

const ROW_BLOCKS: u32 = (BLOCKS + 7u) / 8u * 8u;

// Returns the place of block i among the padded rows'.
fn padded(i: u32) -> u32 {
    if (ROW_BLOCKS == BLOCKS) {
        return i;
    }
    return i / BLOCKS * ROW_BLOCKS + i % BLOCKS;
}

// Returns the lowest four bits, left in place, see PLACE.
fn numbers(w: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(i32(w)) & vec4<i32>(0x1, 0x2, 0x4, 0x8));
}

const PLACE: vec4<f32> = vec4<f32>(1.0, 0.5, 0.25, 0.125);

// Returns the scale of the block at `at`.
fn scale_at(at: u32) -> f32 {
    return unpack2x16float(scales[at / 8u] >> (at / 4u % 2u * 16u)).x;
}

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let at = padded(i);
    let w = quants[at];
    let s = scale_at(at);
    let d = PLACE * (2.0 * s);
    let m = vec4<f32>(-s);
    return Block(
        fma(numbers(w), d, m),
        fma(numbers(w >> 4u), d, m),
        fma(numbers(w >> 8u), d, m),
        fma(numbers(w >> 12u), d, m),
        fma(numbers(w >> 16u), d, m),
        fma(numbers(w >> 20u), d, m),
        fma(numbers(w >> 24u), d, m),
        fma(numbers(w >> 28u), d, m),
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
