// y[t, OFFSET + r] = sum_c W[r, c] * x[t, c]        (added to what is there where ADD)
//
// grid: (ceil(ROWS * LANES / WG) split over x and z, ceil(T / TOKENS)). LANES threads share a row; a thread
// keeps TOKENS sums, so a block of weights is unpacked once for TOKENS tokens. `reduce` adds up the lanes of a
// row: through workgroup memory (reduce_shared.wgsl) or within a subgroup (reduce_subgroup.wgsl).
@group(0) @binding({{ B2 }}) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

const TOKENS: u32 = {{ TOKENS }}u;
const LANES: u32 = {{ LANES }}u;

@compute @workgroup_size({{ WG }})
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
    {{ SUBGROUP_ARG }}
) {
    let row = (wg.z * grid.x + wg.x) * (WG / LANES) + lid / LANES;
    let lane = lid % LANES;
    let t0 = wg.y * TOKENS;
    let live = row < ROWS && t0 < state[1];

    var acc: array<f32, {{ TOKENS }}>;
    if (live) {
        for (var b = lane; b < BLOCKS; b += LANES) {
            let w = unpack_block(row * BLOCKS + b);
            let at = t0 * COLS4 + b * BLOCK_VECS;
            for (var t = 0u; t < TOKENS; t++) {
                acc[t] += dot_block(w, at + t * COLS4);
            }
        }
    }
    if (LANES > 1u) {
        reduce(lid, lane, {{ SUBGROUP_SIZE }}, &acc);
    }
    if (live && lane == 0u) {
        for (var t = 0u; t < TOKENS; t++) {
            put(t0 + t, row, acc[t]);
        }
    }
}
