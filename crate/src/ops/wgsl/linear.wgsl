// y[t, OFFSET + r] = sum_c W[r, c] * x[t, c] for several tokens   (added to what is there where ADD)
//
// grid: (ceil(ROWS / 2 * LANES / WG) split over x and z, ceil(T / 8)). LANES threads compute a tile of two rows and
// eight tokens: a block of weights is unpacked once for eight tokens, and a piece of x is loaded once for two rows.
// `reduce` adds up the lanes: through workgroup memory (reduce_shared.wgsl) or within a subgroup
// (reduce_subgroup.wgsl). The sums are eight variables, because an array may end up in memory.
@group(0) @binding({{ B0 }}) var<storage, read_write> x: array<vec4<f32>>; // [T, COLS4]
@group(0) @binding({{ B1 }}) var<storage, read_write> y: array<f32>; // [T, STRIDE]
@group(0) @binding({{ B2 }}) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

const ROWS: u32 = {{ ROWS }}u;
const COLS4: u32 = {{ COLS4 }}u;
const OFFSET: u32 = {{ OFFSET }}u;
const STRIDE: u32 = {{ STRIDE }}u;
const ADD: bool = {{ ADD }} == 1; // add to what is in y
const LANES: u32 = {{ LANES }}u;
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

@compute @workgroup_size({{ WG }})
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
    {{ SUBGROUP_ARG }}
) {
    let row = 2u * ((wg.z * grid.x + wg.x) * (WG / LANES) + lid / LANES);
    let lane = lid % LANES;
    let t = wg.y * 8u;
    let live = row < ROWS && t < state[1];
    // The last row of an odd number stands in for its missing neighbour.
    let first = row * BLOCKS;
    let second = min(row + 1u, ROWS - 1u) * BLOCKS;
    var s0 = vec2<f32>(0.0);
    var s1 = vec2<f32>(0.0);
    var s2 = vec2<f32>(0.0);
    var s3 = vec2<f32>(0.0);
    var s4 = vec2<f32>(0.0);
    var s5 = vec2<f32>(0.0);
    var s6 = vec2<f32>(0.0);
    var s7 = vec2<f32>(0.0);
    if (live) {
        for (var b = lane; b < BLOCKS; b += LANES) {
            let w = unpack_block(first + b);
            let v = unpack_block(second + b);
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
    }
    if (LANES > 1u) {
        var acc = array<f32, 16>(
            s0.x, s0.y, s1.x, s1.y, s2.x, s2.y, s3.x, s3.y,
            s4.x, s4.y, s5.x, s5.y, s6.x, s6.y, s7.x, s7.y,
        );
        reduce(lid, lane, {{ SUBGROUP_SIZE }}, &acc);
        s0 = vec2<f32>(acc[0], acc[1]);
        s1 = vec2<f32>(acc[2], acc[3]);
        s2 = vec2<f32>(acc[4], acc[5]);
        s3 = vec2<f32>(acc[6], acc[7]);
        s4 = vec2<f32>(acc[8], acc[9]);
        s5 = vec2<f32>(acc[10], acc[11]);
        s6 = vec2<f32>(acc[12], acc[13]);
        s7 = vec2<f32>(acc[14], acc[15]);
    }
    if (!live || lane != 0u) {
        return;
    }
    put_pair(t, row, s0);
    put_pair(t + 1u, row, s1);
    put_pair(t + 2u, row, s2);
    put_pair(t + 3u, row, s3);
    put_pair(t + 4u, row, s4);
    put_pair(t + 5u, row, s5);
    put_pair(t + 6u, row, s6);
    put_pair(t + 7u, row, s7);
}
