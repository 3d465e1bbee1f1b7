// y[t, h, :] = o[t, h, :] / sqrt(mean(o[t, h, :]^2) + EPS) * weight * silu(z[t, h, :])
//
// grid: (HEADS, T)
//
// Modules: state.
// Constants from the header:
//   DIM4: u32, width of a head in fours, at most WG
//   HEADS: u32
//   COLUMNS4: u32, columns of u in fours
//   FIRST4: u32, first column of z in fours
//   EPS: f32
@group(0) @binding(0) var<storage, read_write> o: array<vec4<f32>>; // [T, HEADS, DIM4]
@group(0) @binding(1) var<storage, read_write> u: array<vec4<f32>>; // [T, COLUMNS4]
@group(0) @binding(2) var<storage, read_write> weight: array<vec4<f32>>; // [DIM4]
@group(0) @binding(3) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // [T, HEADS, DIM4]

var<workgroup> sums: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let at = (wg.y * HEADS + wg.x) * DIM4 + lid;
    let live = lid < DIM4 && wg.y < state[N_TOKENS];
    var v = vec4<f32>(0.0);
    if (live) {
        v = o[at];
    }
    sums[lid] = dot(v, v);
    for (var width = WG / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lid < width) {
            sums[lid] += sums[lid + width];
        }
    }
    workgroupBarrier();
    if (!live) {
        return;
    }
    let z = u[wg.y * COLUMNS4 + FIRST4 + wg.x * DIM4 + lid];
    y[at] = v * inverseSqrt(sums[0] / f32(4u * DIM4) + EPS) * weight[lid] * z / (1.0 + exp(-z));
}
