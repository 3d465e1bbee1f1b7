// F32: one weight per word. A block is 4 columns.
const BLOCK_VECS: u32 = 1u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 1u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 4]

// 4 weights.
struct Block { a: vec4<f32> }

fn unpack_block(i: u32) -> Block {
    return Block(bitcast<vec4<f32>>(quants[i]));
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
