// BF16: two weights per word, the even column in the low half. A block is 8 columns.
// A bf16 is the upper half of an f32, so a single shift or mask converts it.
const BLOCK_VECS: u32 = 2u; // vec4s of weights in a block
const WEIGHT_BUFFERS: u32 = 1u;
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 8]

// 8 weights in column order.
struct Block { a: vec4<f32>, b: vec4<f32> }

fn unpack_block(i: u32) -> Block {
    let q = quants[i];
    let lo = bitcast<vec4<f32>>(q << vec4<u32>(16u));
    let hi = bitcast<vec4<f32>>(q & vec4<u32>(0xffff0000u));
    return Block(
        vec4<f32>(lo.x, hi.x, lo.y, hi.y),
        vec4<f32>(lo.z, hi.z, lo.w, hi.w),
    );
}

// Prepares workgroup memory; this packing needs none.
fn prepare_weights(lid: u32) {}
