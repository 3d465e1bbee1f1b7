// Input: the RMSNorm of the step's last token in x: [T, COLS4]. Every workgroup computes it itself, which costs less
// than a dispatch. The inverse root is a factor of the whole product, so it is applied to the product.
//
// Constants from the header:
//   EPS: f32
@group(0) @binding(WEIGHT_BUFFERS + 2u) var<storage, read_write> norm: array<vec4<f32>>; // [COLS4]
@group(0) @binding(WEIGHT_BUFFERS + 3u) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

const HAS_SUM: bool = true; // the prologue sums something over the columns

var<workgroup> squares: array<f32, WG>;
var<workgroup> eighths: array<f32, 8>;
var<private> square_sum: f32; // over the columns that this thread read
var<private> x_at: u32;

fn begin_input() {
    x_at = (max(state[N_TOKENS], 1u) - 1u) * COLS4;
}

fn raw_input(at: u32) -> vec4<f32> {
    let v = x[x_at + at];
    square_sum += dot(v, v);
    return v * norm[at];
}

// Returns this thread's part of the sum that the factor of the whole product is computed from.
fn input_sum() -> f32 {
    return square_sum;
}

fn scale_from(sum: f32) -> f32 {
    return inverseSqrt(sum / f32(4u * COLS4) + EPS);
}

// Returns the factor of the whole product, after the workgroup read every column once.
fn input_scale(lid: u32) -> f32 {
    // Two steps of eight: on a software adapter a barrier costs more than a few loads.
    squares[lid] = square_sum;
    workgroupBarrier();
    if (lid < 8u) {
        var sum = 0.0;
        for (var i = lid; i < WG; i += 8u) {
            sum += squares[i];
        }
        eighths[lid] = sum;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) {
        sum += eighths[i];
    }
    return scale_from(sum);
}
