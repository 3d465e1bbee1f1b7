// The gate of attention's output, one for each head, in the last columns of qkv.
//
// Constants from the header:
//   N_HEADS: u32, a multiple of 4
//   COLS4: u32, columns of qkv in fours
@group(0) @binding(3) var<storage, read_write> qkv: array<vec4<f32>>; // [1, COLS4]

fn gate_of(at: u32) -> vec4<f32> {
    let head = at / HEAD_DIM4;
    return vec4<f32>(1.0 / (1.0 + exp(-qkv[COLS4 - N_HEADS / 4u + head / 4u][head % 4u])));
}
