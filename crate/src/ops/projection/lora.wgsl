// y[t, r] += sum over i of b[r, i] * a[t, segment of r, i], in place: what an adapter changes of a projection.
//
// grid: (ceil(ROWS / WG), T)
//
// Modules: state, lora_change.
// Constants from the header: those of lora_change.
@group(0) @binding(0) var<storage, read_write> a: array<vec4<f32>>; // [T, SEGMENTS * RANK4]
@group(0) @binding(1) var<storage, read_write> b: array<vec4<f32>>; // [ROWS, RANK4]
@group(0) @binding(2) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [T, ROWS]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= ROWS || id.y >= state[N_TOKENS]) {
        return;
    }
    let at = id.y * ROWS + id.x;
    y[at] = y[at] + change(id.y, id.x);
}
