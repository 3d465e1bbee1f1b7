// Output of projections of several tokens that have a bias, shared by all tilings.
//
// Modules: linear_floats or linear_blocks, which has the input; gate.
// Constants from the header:
//   ROWS: u32
//   COLS4: u32
//   OFFSET: u32
//   STRIDE: u32
//   ADD: bool, add to y
//   ACTIVE: bool, apply the activation, if not ADD
@group(0) @binding(WEIGHT_BUFFERS + 1u) var<storage, read_write> y: array<f32>; // [T, STRIDE]
@group(0) @binding(WEIGHT_BUFFERS + 3u) var<storage, read_write> bias: array<f32>; // [1, STRIDE]

const BLOCKS: u32 = COLS4 / BLOCK_VECS; // blocks in a row

// Writes the output of row `row` for token `t`.
fn write(t: u32, row: u32, sum: f32) {
    let at = t * STRIDE + OFFSET + row;
    let v = scaled(sum) + bias[OFFSET + row];
    if (ADD) {
        y[at] += v;
    } else if (ACTIVE) {
        y[at] = activation(vec4<f32>(v)).x;
    } else {
        y[at] = v;
    }
}
