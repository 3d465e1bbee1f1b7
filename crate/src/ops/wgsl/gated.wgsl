// y[t, c] = gated(gate_up[t, c], gate_up[t, D_FF + c])
//
// grid: (ceil(D_FF4 / WG), T)
//
// Modules: gate.
// Constants from the header:
//   D_FF4: u32
@group(0) @binding(0) var<storage, read_write> gate_up: array<vec4<f32>>; // [T, 2 * D_FF4]
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>; // [T, D_FF4]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < D_FF4) {
        let gate = gate_up[id.y * 2u * D_FF4 + id.x];
        let up = gate_up[id.y * 2u * D_FF4 + D_FF4 + id.x];
        y[id.y * D_FF4 + id.x] = gated(gate, up);
    }
}
