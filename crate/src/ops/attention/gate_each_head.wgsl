// Gate of attention's output, one for each head: its logits are the last columns of qkv.
//
// Constants from the header:
//   N_HEADS: u32, a multiple of 4
//   HEAD_DIM4: u32
//   COLS4: u32, columns of qkv in fours
//   QKV: u32, its binding
@group(0) @binding(QKV) var<storage, read_write> qkv: array<vec4<f32>>; // [T, COLS4]

// Returns what four values of attention's output are divided by, of the token whose row of qkv begins at `row`.
fn divisor_of(row: u32, at: u32) -> vec4<f32> {
    let head = at / HEAD_DIM4;
    return vec4<f32>(1.0 + exp(-qkv[row + COLS4 - N_HEADS / 4u + head / 4u][head % 4u]));
}
