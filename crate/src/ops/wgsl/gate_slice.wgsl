// y[t, c] = gated(gate[t, c], up[t, 4 * COLS4 * at + c])
//
// grid: (ceil(COLS4 / WG), T)
//
// Modules: gate.
// Constants from the header:
//   COLS4: u32
//   UP_COLS4: u32
@group(0) @binding(0) var<storage, read_write> gate: array<vec4<f32>>; // [T, COLS4]
@group(0) @binding(1) var<storage, read_write> up: array<vec4<f32>>; // [T, UP_COLS4]
@group(0) @binding(2) var<storage, read_write> at: array<f32>; // [>= 1], the slice's number
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [T, COLS4]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < COLS4) {
        let first = id.y * UP_COLS4 + u32(at[0]) * COLS4 + id.x;
        y[id.y * COLS4 + id.x] = gated(gate[id.y * COLS4 + id.x], up[first]);
    }
}
