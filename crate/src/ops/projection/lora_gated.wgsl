// y[t, c] = gated(gate_up'[t, c], gate_up'[t, ROWS / 2 + c]), where gate_up' is gate_up with what an adapter changes of it.
//
// grid: (ceil(ROWS / 2 / WG), T)
//
// Modules: state, gate, lora_change.
// Constants from the header: those of lora_change and gate.
@group(0) @binding(0) var<storage, read_write> a: array<vec4<f32>>; // [T, SEGMENTS * RANK4]
@group(0) @binding(1) var<storage, read_write> b: array<vec4<f32>>; // [ROWS, RANK4]
@group(0) @binding(2) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(3) var<storage, read_write> gate_up: array<f32>; // [T, ROWS]
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [T, ROWS / 2]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let half = ROWS / 2u;
    if (id.x >= half || id.y >= state[N_TOKENS]) {
        return;
    }
    let at = id.y * ROWS + id.x;
    let gate = gate_up[at] + change(id.y, id.x);
    let up = gate_up[at + half] + change(id.y, id.x + half);
    y[id.y * half + id.x] = gated(vec4<f32>(gate), vec4<f32>(up)).x;
}
