// y[t, OFFSET + r] = sum_c W[r, c] * x[t, c] for prefill   (added to what is there where ADD)
//
// grid: (ceil(ROWS / (2 * WG)) split over x and z, ceil(T / 8)). A thread computes a tile of two rows and eight
// tokens: a block of weights is unpacked once for eight tokens, and a piece of x is loaded once for two rows.
// The sums are eight variables, because an array may end up in memory.
@group(0) @binding({{ B0 }}) var<storage, read_write> x: array<vec4<f32>>; // [T, COLS4], T a multiple of 8
@group(0) @binding({{ B1 }}) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs
@group(0) @binding({{ B2 }}) var<storage, read_write> y: array<f32>; // [T, STRIDE]

const ROWS: u32 = {{ ROWS }}u;
const COLS4: u32 = {{ COLS4 }}u;
const OFFSET: u32 = {{ OFFSET }}u;
const STRIDE: u32 = {{ STRIDE }}u;
const ADD: bool = {{ ADD }} == 1;
const BLOCKS: u32 = COLS4 / BLOCK_VECS; // blocks in a row

// Writes the sums of rows `row` and `row + 1` for token `t`.
fn store(t: u32, row: u32, sums: vec2<f32>) {
    let at = t * STRIDE + OFFSET + row;
    y[at] = select(0.0, y[at], ADD) + sums.x;
    if (row + 1u < ROWS) {
        y[at + 1u] = select(0.0, y[at + 1u], ADD) + sums.y;
    }
}

@compute @workgroup_size({{ WG }})
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let row = 2u * ((wg.z * grid.x + wg.x) * {{ WG }}u + lid);
    let t = wg.y * 8u;
    if (row >= ROWS || t >= state[1]) {
        return;
    }
    // The last row of an odd number stands in for its missing neighbour.
    let next = min(row + 1u, ROWS - 1u);
    var s0 = vec2<f32>(0.0);
    var s1 = vec2<f32>(0.0);
    var s2 = vec2<f32>(0.0);
    var s3 = vec2<f32>(0.0);
    var s4 = vec2<f32>(0.0);
    var s5 = vec2<f32>(0.0);
    var s6 = vec2<f32>(0.0);
    var s7 = vec2<f32>(0.0);
    for (var b = 0u; b < BLOCKS; b++) {
        let w = unpack_block(row * BLOCKS + b);
        let v = unpack_block(next * BLOCKS + b);
        let at = t * COLS4 + b * BLOCK_VECS;
        s0 += dot_pair(w, v, at);
        s1 += dot_pair(w, v, at + COLS4);
        s2 += dot_pair(w, v, at + 2u * COLS4);
        s3 += dot_pair(w, v, at + 3u * COLS4);
        s4 += dot_pair(w, v, at + 4u * COLS4);
        s5 += dot_pair(w, v, at + 5u * COLS4);
        s6 += dot_pair(w, v, at + 6u * COLS4);
        s7 += dot_pair(w, v, at + 7u * COLS4);
    }
    store(t, row, s0);
    store(t + 1u, row, s1);
    store(t + 2u, row, s2);
    store(t + 3u, row, s3);
    store(t + 4u, row, s4);
    store(t + 5u, row, s5);
    store(t + 6u, row, s6);
    store(t + 7u, row, s7);
}
