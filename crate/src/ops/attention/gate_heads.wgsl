// a[t, h, :] /= 1 + e^-gate, that is a * sigmoid(gate)
//
// grid: (ceil(N_HEADS * HEAD_DIM4 / WG), T)
//
// Modules: gate_values or gate_each_head, which have qkv.
// Constants from the header: theirs.
@group(0) @binding(0) var<storage, read_write> a: array<vec4<f32>>; // [T, N_HEADS, HEAD_DIM4]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= N_HEADS * HEAD_DIM4) {
        return;
    }
    a[id.y * N_HEADS * HEAD_DIM4 + id.x] /= divisor_of(id.y * COLS4, id.x);
}
