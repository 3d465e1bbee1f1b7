// Input and output of projections of several tokens, shared by all tilings.
@group(0) @binding({{ B0 }}) var<storage, read_write> x: array<vec4<f32>>; // [T, COLS4]
@group(0) @binding({{ B1 }}) var<storage, read_write> y: array<f32>; // [T, STRIDE]

const ROWS: u32 = {{ ROWS }}u;
const COLS4: u32 = {{ COLS4 }}u;
const OFFSET: u32 = {{ OFFSET }}u;
const STRIDE: u32 = {{ STRIDE }}u;
const ADD: bool = {{ ADD }} == 1; // add to y
const WG: u32 = {{ WG }}u;
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
