// F16: two weights per word, the even column in the low half. A block is 8 columns.
const BLOCK_VECS: u32 = 2u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 1u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 8]

// 8 weights in column order.
struct Block { a: vec4<f32>, b: vec4<f32> }

fn unpack_block(i: u32) -> Block {
    let q = quants[i];
    return Block(
        vec4<f32>(unpack2x16float(q.x), unpack2x16float(q.y)),
        vec4<f32>(unpack2x16float(q.z), unpack2x16float(q.w)),
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
