// y[t * HEADS + h, :] = x[t, h, FIRST ..]
//
// grid: (ceil(HEADS * COLS4 / WG), T); a thread copies four columns.
//
// Constants from the header:
//   HEADS: u32
//   WIDTH4: u32, columns of a head of x, in fours
//   FIRST4: u32
//   COLS4: u32
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>; // [T, HEADS, WIDTH4]
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>; // [T, HEADS, COLS4]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= HEADS * COLS4) {
        return;
    }
    let head = id.y * HEADS + id.x / COLS4;
    let column = id.x % COLS4;
    y[head * COLS4 + column] = x[head * WIDTH4 + FIRST4 + column];
}
