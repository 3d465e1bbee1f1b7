// y[t, c] = min(max(x[t, c] * columns[0, c] + columns[1, c], columns[2, c]), columns[3, c])
//
// grid: (ceil(COLS4 / WG), T)
//
// Constants from the header:
//   COLS4: u32
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>; // [T, COLS4]
@group(0) @binding(1) var<storage, read_write> columns: array<vec4<f32>>; // [4, COLS4]
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>; // [T, COLS4]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= COLS4) {
        return;
    }
    let at = id.y * COLS4 + id.x;
    let mapped = x[at] * columns[id.x] + columns[COLS4 + id.x];
    y[at] = min(max(mapped, columns[2u * COLS4 + id.x]), columns[3u * COLS4 + id.x]);
}
