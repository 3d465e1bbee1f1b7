// y[t, c] = x[t, c] / sqrt(mean_c(x[t, c]^2) + EPS) * weight[c]   (added to y if ADD)
// CENTRED: subtracts the mean from x first, and adds a bias at the end.
//
// SCALED: the sum is multiplied by a factor. Rows may be several GROUPS of COLS4, with a weight each if APART.
//
// grid: (T, GROUPS). LAST: normalises only the step's last token, into row 0, as the lm_head needs no other.
//
// Modules: state.
// Constants from the header:
//   COLS4: u32
//   GROUPS: u32
//   EPS: f32
//   CENTRED: bool
//   LAST: bool
//   ADD: bool
//   SCALED: bool, only with ADD and without CENTRED
//   APART: bool, without CENTRED and SCALED
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>; // [T, GROUPS, COLS4]
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>; // [COLS4]; APART: [GROUPS, COLS4]; CENTRED: followed by the bias [COLS4]; SCALED: by the factor [1]
@group(0) @binding(2) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [T, GROUPS, COLS4], or [1, GROUPS, COLS4] for LAST

var<workgroup> sums: array<f32, WG>;

// Returns the mean over COLS4 vec4s, given each thread's partial sum.
fn mean(lid: u32, own: f32) -> f32 {
    sums[lid] = own;
    for (var width = WG / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lid < width) {
            sums[lid] += sums[lid + width];
        }
    }
    workgroupBarrier();
    return sums[0] / f32(COLS4 * 4u);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let row_in = COLS4 * (select(wg.x, max(state[N_TOKENS], 1u) - 1u, LAST) * GROUPS + wg.y);
    let of_weight = COLS4 * select(0u, wg.y, APART);
    let row_out = COLS4 * (select(wg.x, 0u, LAST) * GROUPS + wg.y);
    var centre = 0.0;
    if (CENTRED) {
        var total = 0.0;
        for (var c = lid; c < COLS4; c += WG) {
            total += dot(x[row_in + c], vec4<f32>(1.0));
        }
        centre = mean(lid, total);
        workgroupBarrier();
    }
    var sum = 0.0;
    for (var c = lid; c < COLS4; c += WG) {
        let v = x[row_in + c] - centre;
        sum += dot(v, v);
    }
    let scale = inverseSqrt(mean(lid, sum) + EPS);
    for (var c = lid; c < COLS4; c += WG) {
        var v = (x[row_in + c] - centre) * scale * weight[of_weight + c];
        if (CENTRED) {
            v += weight[COLS4 + c];
        }
        if (SCALED) {
            y[row_out + c] = (y[row_out + c] + v) * weight[COLS4].x;
        } else if (ADD) {
            y[row_out + c] += v;
        } else {
            y[row_out + c] = v;
        }
    }
}
