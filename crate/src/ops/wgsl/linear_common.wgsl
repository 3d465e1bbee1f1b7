// What the linear kernels share: the tensors beside the weight, the shapes, how a sum gets into y.
@group(0) @binding({{ B0 }}) var<storage, read_write> x: array<vec4<f32>>; // [T, COLS4]
@group(0) @binding({{ B1 }}) var<storage, read_write> y: array<f32>; // [T, STRIDE]

const ROWS: u32 = {{ ROWS }}u;
const COLS4: u32 = {{ COLS4 }}u;
const OFFSET: u32 = {{ OFFSET }}u;
const STRIDE: u32 = {{ STRIDE }}u;
const ADD: bool = {{ ADD }} == 1; // add to what is in y
const WG: u32 = {{ WG }}u;
const BLOCKS: u32 = COLS4 / BLOCK_VECS; // blocks in a row

fn input(at: u32) -> vec4<f32> {
    return x[at];
}

// The output of row `row` for token `t`.
fn put(t: u32, row: u32, sum: f32) {
    let at = t * STRIDE + OFFSET + row;
    if (ADD) {
        y[at] += sum;
    } else {
        y[at] = sum;
    }
}

// The outputs of rows `row` and `row + 1`; the second may not exist.
fn put_pair(t: u32, row: u32, sums: vec2<f32>) {
    put(t, row, sums.x);
    if (row + 1u < ROWS) {
        put(t, row + 1u, sums.y);
    }
}

// The first row of a thread that computes two.
fn pair_row(wg: vec3<u32>, grid: vec3<u32>, lid: u32) -> u32 {
    return 2u * ((wg.z * grid.x + wg.x) * WG + lid);
}

// Its second row; the last row of an odd number stands in for its missing neighbour.
fn neighbour(row: u32) -> u32 {
    return min(row + 1u, ROWS - 1u);
}
