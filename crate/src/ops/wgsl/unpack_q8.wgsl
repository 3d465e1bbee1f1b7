// Q8: 32 weights = 8 words of int8 + 1 word of scales. weight = d * q.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 16]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, cols / 32], f16 d | f16 0

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let d = unpack2x16float(scales[i]).x;
    let q0 = quants[2u * i];
    let q1 = quants[2u * i + 1u];
    return Block(
        vec4<f32>(unpack4xI8(q0.x)) * d,
        vec4<f32>(unpack4xI8(q0.y)) * d,
        vec4<f32>(unpack4xI8(q0.z)) * d,
        vec4<f32>(unpack4xI8(q0.w)) * d,
        vec4<f32>(unpack4xI8(q1.x)) * d,
        vec4<f32>(unpack4xI8(q1.y)) * d,
        vec4<f32>(unpack4xI8(q1.z)) * d,
        vec4<f32>(unpack4xI8(q1.w)) * d,
    );
}
