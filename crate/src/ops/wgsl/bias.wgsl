// y[t, c] = activation(y[t, c] + bias[row, c]), in place; row is 0, or the expert to which row t was routed.
//
// grid: (ceil(COLS4 / WG), T)
//
// Modules: state, gate or xielu, bias_one or bias_routed.
// Constants from the header:
//   COLS4: u32
//   PER_TOKEN: u32, rows of y that belong to one token
//   ACTIVE: bool
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>; // [T, COLS4]
@group(0) @binding(1) var<storage, read_write> bias: array<vec4<f32>>; // [rows, COLS4], and parameters of the activation
@group(0) @binding(2) var<storage, read_write> state: array<u32>; // [STATE_WORDS]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= COLS4 || id.y >= PER_TOKEN * state[N_TOKENS]) {
        return;
    }
    let at = id.y * COLS4 + id.x;
    let v = y[at] + bias[bias_row(id.y) * COLS4 + id.x];
    if (ACTIVE) {
        y[at] = activation(v);
    } else {
        y[at] = v;
    }
}
