// to = from
//
// grid: (min(ACROSS, N), ceil(N / ACROSS)) with N = ceil(VALUES4 / WG)
//
// Constants from the header:
//   VALUES4: u32, values in fours
//   ACROSS: u32, workgroups along x
@group(0) @binding(0) var<storage, read_write> from_values: array<vec4<f32>>; // [VALUES4]
@group(0) @binding(1) var<storage, read_write> to_values: array<vec4<f32>>; // [VALUES4]

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wg.y * ACROSS + wg.x) * WG + lid;
    if (i < VALUES4) {
        to_values[i] = from_values[i];
    }
}
