// Gate of attention's output, one for each value: its logits follow each head's query in qkv.
//
// Constants from the header:
//   HEAD_DIM4: u32
//   COLS4: u32, columns of qkv in fours
//   QKV: u32, its binding
@group(0) @binding(QKV) var<storage, read_write> qkv: array<vec4<f32>>; // [T, COLS4]

// Returns what four values of attention's output are divided by, of the token whose row of qkv begins at `row`.
fn divisor_of(row: u32, at: u32) -> vec4<f32> {
    return 1.0 + exp(-qkv[row + (2u * (at / HEAD_DIM4) + 1u) * HEAD_DIM4 + at % HEAD_DIM4]);
}
