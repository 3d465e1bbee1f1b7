// y[t, OFFSET + r] = sum_c W[r, c] * x[t, c] for prefill   (added to what is there where ADD)
//
// grid: (ceil(ROWS / (2 * WG)) split over x and z, ceil(T / 8)). A thread computes a tile of two rows and eight
// tokens: a block of weights is unpacked once for eight tokens, and a piece of x is loaded once for two rows.
// The sums are eight variables, because an array may end up in memory.
@group(0) @binding({{ B2 }}) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

@compute @workgroup_size({{ WG }})
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let row = pair_row(wg, grid, lid);
    let t = wg.y * 8u;
    if (row >= ROWS || t >= state[1]) {
        return;
    }
    let next = neighbour(row);
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
    put_pair(t, row, s0);
    put_pair(t + 1u, row, s1);
    put_pair(t + 2u, row, s2);
    put_pair(t + 3u, row, s3);
    put_pair(t + 4u, row, s4);
    put_pair(t + 5u, row, s5);
    put_pair(t + 6u, row, s6);
    put_pair(t + 7u, row, s7);
}
