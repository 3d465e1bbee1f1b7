// The gated delta rule over the step's tokens: for each value head j with key head i
//   S = g S;  d = beta (v - S k);  S = S + d k^T;  o = S q
//
// grid: (D / 16, VALUE_HEADS). A workgroup has 16 rows of S (values); 4 threads share a row, each DIM4 / 4 vec4s of it in registers.
//
// Both products with S are taken before it changes, so that the threads of a row add up once a token:
//   S' q = g (S q) + d (k . q)
//
// `convolved` and `remember` are state_conv.wgsl or state_taps.wgsl.
//
// Modules: state, state_conv or state_taps.
// Constants from the header:
//   KEY_HEADS, VALUE_HEADS: u32
//   TOKENS: u32, tokens whose queries and keys are in workgroup memory at once; divides WG
//   DIM4: u32, D / 4
//   CHANNELS4: u32, (2 KEY_HEADS + VALUE_HEADS) DIM4
//   COLUMNS4: u32, columns of u in fours
//   STATE4, UPDATES4, META4: u32, first vec4 of S, of the two lists of updates, of the words of each workgroup
//   ROWS: u32, updates in a list
//   GROUPED: bool, the value heads of a key head are neighbours
//   CONVOLVES: bool, the history is written here
//   SUMS: bool, o is multiplied by the weight of the norm after it, and each workgroup's sum of squares follows the step's only token
//   DEFERS: bool, S stays as it is before the step, and the updates go to the other list
@group(0) @binding(1) var<storage, read_write> u: array<vec4<f32>>; // [T, COLUMNS4], the last 2 VALUE_HEADS columns are b and a
@group(0) @binding(2) var<storage, read_write> params: array<f32>; // decay [VALUE_HEADS], bias [VALUE_HEADS], weight of the norm [D]
@group(0) @binding(3) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(4) var<storage, read_write> values: array<vec4<f32>>; // history, S, updates, words
@group(0) @binding(5) var<storage, read_write> o: array<f32>; // [T, VALUE_HEADS * D], with SUMS [VALUE_HEADS, D / 16] more

const DIM: u32 = 4u * DIM4;
const OWN: u32 = DIM4 / 4u; // vec4s of a thread
const SHARE: u32 = WG / TOKENS; // threads that norm a token
const UPDATE4: u32 = (KEY_HEADS + VALUE_HEADS) * DIM4 + VALUE_HEADS / 4u + 1u;

var<workgroup> tokens_here: vec4<u32>; // tokens, position, updates to apply, list that they are in
var<workgroup> queries: array<vec4<f32>, TOKENS * DIM4>;
var<workgroup> keys: array<vec4<f32>, TOKENS * DIM4>;
var<workgroup> targets: array<vec4<f32>, TOKENS * 4u>; // the values of the workgroup's rows
var<workgroup> squares: array<vec3<f32>, WG>; // parts of q . q, k . k and q . k
var<workgroup> norms: array<vec3<f32>, TOKENS>; // factors of q and of k, and the product of the normed
var<workgroup> gates: array<vec2<f32>, TOKENS>; // g and beta
var<workgroup> products: array<vec2<f32>, 2u * WG>; // parts of S k and S q, of a token and of the next one

fn key_head(j: u32) -> u32 {
    return select(j % KEY_HEADS, j / (VALUE_HEADS / KEY_HEADS), GROUPED);
}

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
    let i = key_head(j);
    let lane = lid % 4u;
    let row = wg.x * 16u + lid / 4u;
    let words = META4 + j * (DIM / 16u) + wg.x;
    if (lid == 0u) {
        let pos = state[POS];
        let at = vec3<u32>(values[words].xyz);
        let after = select(0u, pos - at.x, pos > at.x);
        tokens_here = vec4<u32>(state[N_TOKENS], pos, select(min(after, at.y), 0u, pos == 0u), at.z);
    }
    let here = workgroupUniformLoad(&tokens_here);
    let own = STATE4 + (j * DIM + row) * DIM4 + lane;

    var s: array<vec4<f32>, OWN>;
    for (var e = 0u; e < OWN; e++) {
        s[e] = vec4<f32>(0.0);
        if (here.y > 0u) {
            s[e] = values[own + 4u * e];
        }
    }
    for (var r = 0u; r < here.z; r++) {
        let at = update_at(here.w, r);
        let d_at = at + (KEY_HEADS + j) * DIM4 + row / 4u;
        let d = values[d_at][row % 4u];
        let g = values[at + (KEY_HEADS + VALUE_HEADS) * DIM4 + j / 4u][j % 4u];
        for (var e = 0u; e < OWN; e++) {
            s[e] = g * s[e] + d * values[at + i * DIM4 + lane + 4u * e];
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
            let channel = i * DIM4 + e % DIM4;
            queries[e] = convolved(first + e / DIM4, channel, here.y);
            keys[e] = convolved(first + e / DIM4, channel + KEY_HEADS * DIM4, here.y);
        }
        for (var e = lid; e < n * 4u; e += WG) {
            let channel = (2u * KEY_HEADS + j) * DIM4 + wg.x * 4u + e % 4u;
            targets[e] = convolved(first + e / 4u, channel, here.y);
        }
        workgroupBarrier();
        var sum = vec3<f32>(0.0);
        let of_token = lid / SHARE;
        if (of_token < n) {
            for (var e = lid % SHARE; e < DIM4; e += SHARE) {
                let q = queries[of_token * DIM4 + e];
                let k = keys[of_token * DIM4 + e];
                sum += vec3<f32>(dot(q, q), dot(k, k), dot(q, k));
            }
        }
        squares[lid] = sum;
        workgroupBarrier();
        if (lid < n) {
            var all = vec3<f32>(0.0);
            for (var p = lid * SHARE; p < (lid + 1u) * SHARE; p++) {
                all += squares[p];
            }
            let q = inverseSqrt(all.x + 1e-6) * inverseSqrt(f32(DIM));
            let k = inverseSqrt(all.y + 1e-6);
            norms[lid] = vec3<f32>(q, k, all.z * q * k);
            // (VALUE_HEADS is a multiple of 4)
            let end = (first + lid + 1u) * COLUMNS4 - VALUE_HEADS / 2u + j / 4u;
            let b = u[end][j % 4u];
            let dt = softplus(u[end + VALUE_HEADS / 4u][j % 4u] + params[VALUE_HEADS + j]);
            gates[lid] = vec2<f32>(exp(params[j] * dt), 1.0 / (1.0 + exp(-b)));
        }
        workgroupBarrier();
        for (var t = 0u; t < n; t++) {
            var own_products = vec2<f32>(0.0);
            for (var e = 0u; e < OWN; e++) {
                let at = t * DIM4 + lane + 4u * e;
                own_products += vec2<f32>(dot(s[e], keys[at]), dot(s[e], queries[at]));
            }
            let part = t % 2u * WG;
            products[part + lid] = own_products;
            workgroupBarrier();
            let of_row = part + lid - lane;
            let product = products[of_row] + products[of_row + 1u] + products[of_row + 2u] + products[of_row + 3u];
            let norm = norms[t];
            let gate = gates[t];
            let v = targets[t * 4u + lid / 16u][row % 4u];
            let d = gate.y * (v - gate.x * norm.y * product.x);
            var y = gate.x * norm.x * product.y + d * norm.z;
            if (SUMS) {
                squares[lid] = vec3<f32>(y * y);
                y *= params[2u * VALUE_HEADS + row];
            }
            if (lane == 0u) {
                o[((first + t) * VALUE_HEADS + j) * DIM + row] = y;
            }
            for (var e = 0u; e < OWN; e++) {
                s[e] = gate.x * s[e] + d * norm.y * keys[t * DIM4 + lane + 4u * e];
            }
            if (DEFERS) {
                let at = update_at(1u - here.w, first + t);
                if (lane == 0u) {
                    values[at + (KEY_HEADS + j) * DIM4 + row / 4u][row % 4u] = d;
                }
                // (the heads and rows that share a key write the same)
                for (var e = lid; e < DIM4; e += WG) {
                    values[at + i * DIM4 + e] = norm.y * keys[t * DIM4 + e];
                }
                if (lid == 0u) {
                    values[at + (KEY_HEADS + VALUE_HEADS) * DIM4 + j / 4u][j % 4u] = gate.x;
                }
            }
        }
        workgroupBarrier();
    }

    // The history, once each: a key head's by the first of its value heads.
    let heads = VALUE_HEADS / KEY_HEADS;
    let is_first = select(j < KEY_HEADS, j % heads == 0u, GROUPED) && wg.x == 0u;
    for (var t = 0u; CONVOLVES && t < here.x; t++) {
        for (var e = lid; e < DIM4 && is_first; e += WG) {
            remember(t, i * DIM4 + e, here.y);
            remember(t, (KEY_HEADS + i) * DIM4 + e, here.y);
        }
        if (lid < 4u) {
            remember(t, (2u * KEY_HEADS + j) * DIM4 + wg.x * 4u + lid, here.y);
        }
    }
    if (SUMS && lid == 0u) {
        var sum = 0.0;
        for (var r = 0u; r < 16u; r++) {
            sum += squares[4u * r].x;
        }
        o[VALUE_HEADS * DIM + j * (DIM / 16u) + wg.x] = sum;
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
