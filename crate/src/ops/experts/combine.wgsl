// y[t, c] += sum_k routes[t, k].weight * slots[t, k, c]
//
// grid: (ceil(COLS4 / WG), T)
//
// Modules: state.
// Constants from the header:
//   COLS4: u32
//   N_USED: u32
//   ADDS: bool, to y; otherwise y is overwritten
@group(0) @binding(0) var<storage, read_write> slots: array<vec4<f32>>; // [T, N_USED, COLS4]
@group(0) @binding(1) var<storage, read_write> routes: array<vec2<f32>>; // [T, N_USED]: expert, weight
@group(0) @binding(2) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [T, COLS4]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= COLS4 || id.y >= state[N_TOKENS]) {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var k = 0u; k < N_USED; k++) {
        let slot = id.y * N_USED + k;
        sum += routes[slot].y * slots[slot * COLS4 + id.x];
    }
    let at = id.y * COLS4 + id.x;
    if (ADDS) {
        sum += y[at];
    }
    y[at] = sum;
}
