// Input: one token's output of a gated delta net, normed by head and gated.
// x: [COLS4], already multiplied by the norm's weight, then the sum of squares of each 16 values before that.
//
// Constants from the header:
//   HEAD_DIM4: u32
//   FIRST4: u32, first column of the gate in u, in fours
//   EPS: f32
@group(0) @binding(WEIGHT_BUFFERS + 2u) var<storage, read_write> u: array<vec4<f32>>; // [columns / 4]

fn raw_input(at: u32) -> vec4<f32> {
    let parts = HEAD_DIM4 / 4u;
    let first = at / HEAD_DIM4 * parts;
    var sum = 0.0;
    for (var part = first; part < first + parts; part++) {
        sum += x[COLS4 + part / 4u][part % 4u];
    }
    let z = u[FIRST4 + at];
    return x[at] * inverseSqrt(sum / f32(4u * HEAD_DIM4) + EPS) * z / (1.0 + exp(-z));
}
