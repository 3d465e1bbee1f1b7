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
    var peak = vec4<f32>(0.0);
    var sum = vec4<f32>(0.0);
    for (var i = 0u; i < 8u; i++) {
        v[i] = x[8u * b + i];
        peak = max(peak, abs(v[i]));
        sum += v[i];
    }
    let largest = max(max(peak.x, peak.y), max(peak.z, peak.w));
    let inverse = select(0.0, 16256.0 / largest, largest > 0.0); // 127 * 128
    var words = array<vec2<u32>, 8>();
    for (var i = 0u; i < 8u; i++) {
        words[i] = split4(v[i] * inverse);
    }
    blocks[5u * b] = vec4<u32>(words[0].x, words[1].x, words[2].x, words[3].x);
    blocks[5u * b + 1u] = vec4<u32>(words[4].x, words[5].x, words[6].x, words[7].x);
    blocks[5u * b + 2u] = vec4<u32>(words[0].y, words[1].y, words[2].y, words[3].y);
    blocks[5u * b + 3u] = vec4<u32>(words[4].y, words[5].y, words[6].y, words[7].y);
    let total = dot(sum, vec4<f32>(1.0));
    blocks[5u * b + 4u] = vec4<u32>(bitcast<u32>(largest / 16256.0), bitcast<u32>(total), 0u, 0u);
}
