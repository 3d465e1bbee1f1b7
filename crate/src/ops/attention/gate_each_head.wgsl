// a[t, h, :] *= sigmoid(gate[t, h]), where the gates are the last columns of qkv
//
// grid: (ceil(N_HEADS * HEAD_DIM4 / WG), T)
//
// Constants from the header:
//   N_HEADS: u32, a multiple of 4
//   HEAD_DIM4: u32
//   COLS4: u32, columns of qkv in fours
@group(0) @binding(0) var<storage, read_write> a: array<vec4<f32>>; // [T, N_HEADS, HEAD_DIM4]
@group(0) @binding(1) var<storage, read_write> qkv: array<vec4<f32>>; // [T, COLS4]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= N_HEADS * HEAD_DIM4) {
        return;
    }
    let head = id.x / HEAD_DIM4;
    let gate = qkv[(id.y + 1u) * COLS4 - N_HEADS / 4u + head / 4u][head % 4u];
    a[id.y * N_HEADS * HEAD_DIM4 + id.x] /= 1.0 + exp(-gate);
}
