// y[t, c] = silu(sum_i weight[i, c] u[t - TAPS + 1 + i, c]), or GATED: out[t, c] sum_i weight[i, c] (b x)[t - TAPS + 1 + i, c]
//
// COMPUTES: grid (ceil(CHANNELS4 / WG), T), a thread for each four channels of a token.
// WRITES: the inputs of the step's last HISTORY tokens to their rows of the history; alone: grid (.., HISTORY).
//
// Modules: state.
// Constants from the header:
//   CHANNELS4: u32
//   STRIDE4: u32, columns of a row of u in fours
//   FIRST4: u32, first column that is convolved in fours
//   TAPS: u32
//   HISTORY: u32, rows of the history; the input of position p is row p % HISTORY
//   GATED: bool, rows of u are b, out and x
//   BIAS: bool, a bias follows the taps
//   COMPUTES: bool
//   WRITES: bool
@group(0) @binding(0) var<storage, read_write> u: array<vec4<f32>>; // [T, STRIDE4]
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>; // [TAPS, CHANNELS4], BIAS: [TAPS + 1, CHANNELS4]
@group(0) @binding(2) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(3) var<storage, read_write> history: array<vec4<f32>>; // [HISTORY, CHANNELS4], and more
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // [T, CHANNELS4]

// Returns the input of the step's token t in channels 4c ..
fn input(t: u32, c: u32) -> vec4<f32> {
    let at = t * STRIDE4 + FIRST4 + c;
    if (GATED) {
        return u[at] * u[at + 2u * CHANNELS4];
    }
    return u[at];
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x;
    let n = state[N_TOKENS];
    if (c >= CHANNELS4 || id.y >= n) {
        return;
    }
    let pos = state[POS];
    let t = select(n - 1u - id.y, id.y, COMPUTES);
    if (COMPUTES) {
        var sum = vec4<f32>(0.0);
        if (BIAS) {
            sum = weight[TAPS * CHANNELS4 + c];
        }
        for (var back = 0u; back < TAPS; back++) {
            let w = weight[(TAPS - 1u - back) * CHANNELS4 + c];
            if (back <= t) {
                sum += w * input(t - back, c);
            } else if (back <= pos + t) {
                sum += w * history[(pos + t - back) % HISTORY * CHANNELS4 + c];
            }
        }
        if (GATED) {
            sum *= u[t * STRIDE4 + CHANNELS4 + c];
        } else {
            sum /= 1.0 + exp(-sum);
        }
        y[t * CHANNELS4 + c] = sum;
    }
    if (WRITES) {
        history[(pos + t) % HISTORY * CHANNELS4 + c] = input(t, c);
    }
}
