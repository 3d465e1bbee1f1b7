// Output of projections of several tokens, shared by all tilings.
//
// Modules: linear_floats or linear_blocks, which has the input.
// Constants from the header:
//   ROWS: u32
//   COLS4: u32
//   OFFSET: u32
//   STRIDE: u32
//   ADD: bool, add to y
@group(0) @binding(WEIGHT_BUFFERS + 1u) var<storage, read_write> y: array<f32>; // [T, STRIDE]

const BLOCKS: u32 = COLS4 / BLOCK_VECS; // blocks in a row

// Writes the output of row `row` for token `t`.
fn write(t: u32, row: u32, sum: f32) {
    let at = t * STRIDE + OFFSET + row;
    if (ADD) {
        y[at] += scaled(sum);
    } else {
        y[at] = scaled(sum);
    }
}
