// The channels of a layer with a matrix state, convolved here, where a step is so short that it writes no row of the history that it
// reads.
//
// Constants from the header:
//   TAPS: u32
//   FIRST4: u32, first column that is convolved in fours
//   BIAS: bool, a bias follows the taps
//   HISTORY: u32, rows of the history; the input of position p is row p % HISTORY
@group(0) @binding(0) var<storage, read_write> taps: array<vec4<f32>>; // [TAPS, CHANNELS4], BIAS: [TAPS + 1, CHANNELS4]

// Returns channels 4e .. of token t: silu(bias + sum_i taps[i] u[t - TAPS + 1 + i])
fn convolved(t: u32, e: u32, pos: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    if (BIAS) {
        sum = taps[TAPS * CHANNELS4 + e];
    }
    for (var back = 0u; back < TAPS; back++) {
        let w = taps[(TAPS - 1u - back) * CHANNELS4 + e];
        if (back <= t) {
            sum += w * u[(t - back) * COLUMNS4 + FIRST4 + e];
        } else if (back <= pos + t) {
            sum += w * values[(pos + t - back) % HISTORY * CHANNELS4 + e];
        }
    }
    return sum / (1.0 + exp(-sum));
}

// Writes channels 4e .. of token t to the history.
fn remember(t: u32, e: u32, pos: u32) {
    values[(pos + t) % HISTORY * CHANNELS4 + e] = u[t * COLUMNS4 + FIRST4 + e];
}
