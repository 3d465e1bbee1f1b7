// The selective scan over the step's tokens: for each head j with group i, in each row of its state
//   dt = softplus(a + bias);  S = exp(A dt) S + (dt x) B^T;  y = (S C + D x) silu(z)
//
// grid: (HEAD_DIM4 / 4, HEADS). A workgroup has 16 rows of S (values of x); 4 threads share a row, each DIM4 / 4 vec4s of it in
// registers.
//
// `convolved` and `remember` are state_conv.wgsl or state_taps.wgsl.
//
// Modules: state, state_conv or state_taps.
// Constants from the header:
//   HEADS, GROUPS: u32
//   TOKENS: u32, tokens whose B and C are in workgroup memory at once
//   HEAD_DIM4: u32, width of a head in fours
//   DIM4: u32, columns of S in fours
//   CHANNELS4: u32, HEADS HEAD_DIM4 + 2 GROUPS DIM4
//   COLUMNS4: u32, columns of u in fours
//   STATE4, UPDATES4, META4: u32, first vec4 of S, of the two lists of updates, of the words of each workgroup
//   ROWS: u32, updates in a list
//   CONVOLVES: bool, the history is written here
//   DEFERS: bool, S stays as it is before the step, and the updates go to the other list
@group(0) @binding(1) var<storage, read_write> u: array<vec4<f32>>; // [T, COLUMNS4]: z, the channels (x, B, C), a
@group(0) @binding(2) var<storage, read_write> params: array<f32>; // A, bias and D [HEADS] each, factors of z and a
@group(0) @binding(3) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(4) var<storage, read_write> values: array<vec4<f32>>; // history, S, updates, words
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [T, HEADS * HEAD_DIM]

const OWN: u32 = DIM4 / 4u; // vec4s of a thread
const INNER4: u32 = HEADS * HEAD_DIM4;
const UPDATE4: u32 = INNER4 + GROUPS * DIM4 + HEADS / 4u;

var<workgroup> tokens_here: vec4<u32>; // tokens, position, updates to apply, list that they are in
var<workgroup> rows_b: array<vec4<f32>, TOKENS * DIM4>;
var<workgroup> rows_c: array<vec4<f32>, TOKENS * DIM4>;
var<workgroup> rows_x: array<vec4<f32>, TOKENS * 4u>; // x of the workgroup's rows
var<workgroup> steps: array<vec2<f32>, TOKENS>; // exp(A dt) and dt
var<workgroup> products: array<f32, 2u * WG>; // parts of S C, of a token and of the next one

fn softplus(v: f32) -> f32 {
    return select(log(1.0 + exp(min(v, 20.0))), v, v > 20.0);
}

// Returns where the update of a row begins.
fn update_at(list: u32, row: u32) -> u32 {
    return UPDATES4 + (list * ROWS + row) * UPDATE4;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let j = wg.y;
    let i = j / (HEADS / GROUPS);
    let lane = lid % 4u;
    let row = lid / 4u;
    let x_at = j * HEAD_DIM4 + wg.x * 4u + row / 4u; // the vec4 of x that has this row
    let words = META4 + j * (HEAD_DIM4 / 4u) + wg.x;
    if (lid == 0u) {
        let pos = state[POS];
        let at = vec3<u32>(values[words].xyz);
        let after = select(0u, pos - at.x, pos > at.x);
        tokens_here = vec4<u32>(state[N_TOKENS], pos, select(min(after, at.y), 0u, pos == 0u), at.z);
    }
    let here = workgroupUniformLoad(&tokens_here);
    let own = STATE4 + (j * 4u * HEAD_DIM4 + wg.x * 16u + row) * DIM4 + lane;

    var s: array<vec4<f32>, OWN>;
    for (var e = 0u; e < OWN; e++) {
        s[e] = vec4<f32>(0.0);
        if (here.y > 0u) {
            s[e] = values[own + 4u * e];
        }
    }
    for (var r = 0u; r < here.z; r++) {
        let at = update_at(here.w, r);
        let by = values[at + x_at][row % 4u];
        let decay = values[at + INNER4 + GROUPS * DIM4 + j / 4u][j % 4u];
        for (var e = 0u; e < OWN; e++) {
            s[e] = decay * s[e] + by * values[at + INNER4 + i * DIM4 + lane + 4u * e];
        }
    }
    if (DEFERS) {
        for (var e = 0u; e < OWN; e++) {
            values[own + 4u * e] = s[e];
        }
    }

    for (var first = 0u; first < here.x; first += TOKENS) {
        let n = min(TOKENS, here.x - first);
        for (var e = lid; e < n * DIM4; e += WG) {
            let channel = INNER4 + i * DIM4 + e % DIM4;
            rows_b[e] = convolved(first + e / DIM4, channel, here.y);
            rows_c[e] = convolved(first + e / DIM4, channel + GROUPS * DIM4, here.y);
        }
        for (var e = lid; e < n * 4u; e += WG) {
            rows_x[e] = convolved(first + e / 4u, j * HEAD_DIM4 + wg.x * 4u + e % 4u, here.y);
        }
        if (lid < n) {
            // (HEADS is a multiple of 4)
            let a = u[(first + lid + 1u) * COLUMNS4 - HEADS / 4u + j / 4u][j % 4u];
            let dt = softplus(params[3u * HEADS + 1u] * a + params[HEADS + j]);
            steps[lid] = vec2<f32>(exp(params[j] * dt), dt);
        }
        workgroupBarrier();
        for (var t = 0u; t < n; t++) {
            let step = steps[t];
            let x = rows_x[t * 4u + row / 4u][row % 4u];
            let by = step.y * x;
            var own_product = 0.0;
            for (var e = 0u; e < OWN; e++) {
                let at = t * DIM4 + lane + 4u * e;
                s[e] = step.x * s[e] + by * rows_b[at];
                own_product += dot(s[e], rows_c[at]);
            }
            let part = t % 2u * WG;
            products[part + lid] = own_product;
            workgroupBarrier();
            if (lane == 0u) {
                let at = part + lid;
                let product = products[at] + products[at + 1u] + products[at + 2u] + products[at + 3u];
                let z = params[3u * HEADS] * u[(first + t) * COLUMNS4 + x_at][row % 4u];
                y[4u * ((first + t) * INNER4 + x_at) + row % 4u] = (product + params[2u * HEADS + j] * x) * z / (1.0 + exp(-z));
            }
            if (DEFERS) {
                let at = update_at(1u - here.w, first + t);
                if (lane == 0u) {
                    values[at + x_at][row % 4u] = by;
                }
                // (the heads and rows of a group write the same)
                for (var e = lid; e < DIM4; e += WG) {
                    values[at + INNER4 + i * DIM4 + e] = rows_b[t * DIM4 + e];
                }
                if (lid == 0u) {
                    values[at + INNER4 + GROUPS * DIM4 + j / 4u][j % 4u] = step.x;
                }
            }
        }
        workgroupBarrier();
    }

    // The history, once each: a group's by the first of its heads.
    let is_first = j % (HEADS / GROUPS) == 0u && wg.x == 0u;
    for (var t = 0u; CONVOLVES && t < here.x; t++) {
        for (var e = lid; e < DIM4 && is_first; e += WG) {
            remember(t, INNER4 + i * DIM4 + e, here.y);
            remember(t, INNER4 + (GROUPS + i) * DIM4 + e, here.y);
        }
        if (lid < 4u) {
            remember(t, j * HEAD_DIM4 + wg.x * 4u + lid, here.y);
        }
    }
    if (DEFERS) {
        if (lid == 0u) {
            values[words] = vec4<f32>(f32(here.y), f32(here.x), f32(1u - here.w), 0.0);
        }
    } else {
        for (var e = 0u; e < OWN; e++) {
            values[own + 4u * e] = s[e];
        }
        if (lid == 0u) {
            values[words] = vec4<f32>(f32(here.y + here.x), 0.0, f32(here.w), 0.0);
        }
    }
}
