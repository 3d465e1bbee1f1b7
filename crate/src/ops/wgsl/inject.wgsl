// x[place[1] + r, c] = rows[place[0] + r, c], or with ADD that plus x; for r < place[2].
//
// grid: (ceil(COLS4 / WG), place[2])
//
// Constants from the header:
//   COLS4: u32
//   ADD: bool
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>; // [T, COLS4]
@group(0) @binding(1) var<storage, read_write> rows: array<vec4<f32>>; // [>= place[0] + place[2], COLS4]
@group(0) @binding(2) var<storage, read_write> place: array<u32>; // [4]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= COLS4 || id.y >= place[2]) {
        return;
    }
    let to = (place[1] + id.y) * COLS4 + id.x;
    let v = rows[(place[0] + id.y) * COLS4 + id.x];
    if (ADD) {
        x[to] += v;
    } else {
        x[to] = v;
    }
}
