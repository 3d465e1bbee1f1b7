// Converts the input of a projection of many tokens to integers, once for all of its tiles.
//
// grid: (ceil(rows of x / PER_TOKEN * BLOCKS / WG) split over x and z). A thread converts a block of 32 columns.
//
// Modules: state, block_i15.
// Constants from the header:
//   BLOCKS: u32, in a row
//   PER_TOKEN: u32, rows of x for each token
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>; // [T * PER_TOKEN, BLOCKS, 8]
// [T * PER_TOKEN, BLOCKS, 5]: high, high, low, low, and the bits of scale and sum
@group(0) @binding(1) var<storage, read_write> blocks: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let b = (wg.z * grid.x + wg.x) * WG + lid;
    if (b >= state[N_TOKENS] * PER_TOKEN * BLOCKS) {
        return;
    }
    var v = array<vec4<f32>, 8>();
    for (var i = 0u; i < 8u; i++) {
        v[i] = x[8u * b + i];
    }
    let q = quantised(&v);
    blocks[5u * b] = q.high0;
    blocks[5u * b + 1u] = q.high1;
    blocks[5u * b + 2u] = q.low0;
    blocks[5u * b + 3u] = q.low1;
    blocks[5u * b + 4u] = vec4<u32>(bitcast<u32>(q.scale), bitcast<u32>(q.sum), 0u, 0u);
}
