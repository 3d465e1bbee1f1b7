// Q4: 32 weights = 4 words of nibbles + 1 word of scales. weight = d * q + m.
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 32]
@group(0) @binding(1) var<storage, read_write> scales: array<u32>; // [rows, cols / 32], f16 d | f16 m

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let dm = unpack2x16float(scales[i]);
    let q = quants[i];
    let d = vec4<f32>(dm.x);
    let m = vec4<f32>(dm.y);
    let lo = q & vec4<u32>(0x0f0f0f0fu);
    let hi = (q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
    return Block(
        fma(vec4<f32>(unpack4xU8(lo.x)), d, m),
        fma(vec4<f32>(unpack4xU8(lo.y)), d, m),
        fma(vec4<f32>(unpack4xU8(lo.z)), d, m),
        fma(vec4<f32>(unpack4xU8(lo.w)), d, m),
        fma(vec4<f32>(unpack4xU8(hi.x)), d, m),
        fma(vec4<f32>(unpack4xU8(hi.y)), d, m),
        fma(vec4<f32>(unpack4xU8(hi.z)), d, m),
        fma(vec4<f32>(unpack4xU8(hi.w)), d, m),
    );
}
