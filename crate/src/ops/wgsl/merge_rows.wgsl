// y[r, k * COLS4 + c] = x[rows[r * K + k], c]; with BY_COLUMN, of single columns, y[r, c * K + k]; or with MEAN y[r, c], the mean of these
// K rows.
//
// grid: (ceil(COLS4 / WG), number of rows of y, 1 or K)
//
// Constants from the header:
//   COLS4: u32
//   K: u32
//   MEAN: bool
//   BY_COLUMN: bool
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>; // [T, COLS4]
@group(0) @binding(1) var<storage, read_write> rows: array<u32>; // [R, K]
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>; // [R, K * COLS4], or with MEAN [R, COLS4]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= COLS4) {
        return;
    }
    if (MEAN) {
        var sum = vec4<f32>();
        for (var k = 0u; k < K; k++) {
            sum += x[rows[id.y * K + k] * COLS4 + id.x];
        }
        y[id.y * COLS4 + id.x] = sum / f32(K);
    } else if (BY_COLUMN) {
        let column = id.z * COLS4 + id.x;
        var merged = vec4<f32>();
        for (var i = 0u; i < 4u; i++) {
            let c = (4u * column + i) / K;
            let k = (4u * column + i) % K;
            merged[i] = x[rows[id.y * K + k] * COLS4 + c / 4u][c % 4u];
        }
        y[id.y * K * COLS4 + column] = merged;
    } else {
        let at = id.y * K + id.z;
        y[at * COLS4 + id.x] = x[rows[at] * COLS4 + id.x];
    }
}
