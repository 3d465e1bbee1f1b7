// Samples the next tokens from the logits and makes the state ready for the next step.
//
// grid: (1). Every filter is a threshold on the logit, or on its typicality, so nothing is sorted: top-k, top-p and
// typical-p are found by radix selection over the order-preserving integer image of the float, 8 bits per pass;
// probabilities are 30-bit integers, whose sums are exact in any order. Then a random number picks a point of the
// kept mass.
// With ROWS > 1 the step's ids after the first are drafts: row after row is sampled as if it were the only one, as
// long as the draft equals the sampled token. Drafts thus change how fast tokens are produced, but not which ones.
//
// Modules: state, draft.
// Constants from the header:
//   ROWS: u32
//   VOCAB: u32
//   N_CTX: u32
@group(0) @binding(0) var<storage, read_write> logits: array<f32>; // [ROWS, VOCAB], adjusted in place
@group(0) @binding(1) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(2) var<storage, read_write> history: array<u32>; // [VOCAB], 2 * times generated + was in the prompt
@group(0) @binding(3) var<storage, read_write> bias: array<f32>; // [VOCAB]
@group(0) @binding(4) var<storage, read_write> tokens: array<u32>; // [N_CTX], ids of the prompt and the answer, by position
@group(0) @binding(5) var<storage, read_write> allowed: array<u32>; // [ceil(VOCAB / 32)], one bit per token

const FORBIDDEN: f32 = -1e30; // below any logit, and far from overflow when divided by a temperature
// Logarithms of up to 21 in f32 may differ by this much between two places where a compiler rounds differently;
// without the slack the last kept token, which may be the only one, would be lost.
const TYPICAL_SLACK: f32 = 1e-5;
const CHUNK: u32 = (VOCAB + WG - 1u) / WG; // tokens per thread in the last pass

var<workgroup> best_value: array<f32, WG>;
var<workgroup> best_id: array<u32, WG>;
var<workgroup> bins: array<atomic<u32>, WG>;
var<workgroup> masses: array<u32, WG>;
var<workgroup> shared_key: u32;
var<workgroup> shared_left: u32;
var<workgroup> shared_greedy: u32;
var<workgroup> shared_more: u32;
var<workgroup> chosen: atomic<u32>;
var<workgroup> broken: atomic<u32>;

var<private> first_logit: u32; // of the row being sampled
var<private> draw: u32; // number of the random draw

fn logit(i: u32) -> f32 {
    return logits[first_logit + i];
}

// Returns an integer that orders like the float.
fn key_of(v: f32) -> u32 {
    let bits = bitcast<u32>(v);
    return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

// Returns the probability of a logit as a fraction of 2^30; at most 1, so that the sum fits in 32 bits.
fn mass_of(v: f32, top: f32, inv_t: f32, inv_z: f32) -> u32 {
    return u32(min(exp((v - top) * inv_t) * inv_z, 1.0) * 1073741824.0);
}

// Returns the logit of token i after bias and penalties: transformers' repetition penalty, then OpenAI's two.
fn adjusted(i: u32) -> f32 {
    let before = logit(i) + bias[i];
    let seen = history[i];
    let repetition = bitcast<f32>(state[REPETITION]);
    let repeated = select(before * repetition, before / repetition, before > 0.0);
    let written = f32(seen >> 1u);
    return select(before, repeated, seen > 0u) - bitcast<f32>(state[FREQUENCY]) * written -
        bitcast<f32>(state[PRESENCE]) * min(written, 1.0);
}

// Returns the closeness of a token to the expected surprise `entropy`, as an integer that is larger the closer it is.
fn typical_key(mass: u32, log_total: f32, entropy: f32) -> u32 {
    return ~key_of(abs(log_total - log(f32(mass)) - entropy));
}

// Returns whether the token is within the limit; a token without mass never is.
fn is_typical(mass: u32, log_total: f32, entropy: f32, limit: f32) -> bool {
    return mass > 0u && abs(log_total - log(f32(mass)) - entropy) <= limit;
}

// PCG: Jarzynski & Olano 2020, "Hash functions for GPU rendering".
fn pcg(v: u32) -> u32 {
    let s = v * 747796405u + 2891336453u;
    let w = ((s >> ((s >> 28u) + 4u)) ^ s) * 277803737u;
    return (w >> 22u) ^ w;
}

const BY_COUNT: u32 = 0u; // a token has weight 1, keys are logits
const BY_MASS: u32 = 1u; // a token's weight is its probability, keys are logits
const BY_TYPICAL: u32 = 2u; // a token's weight is its probability, keys are typicality

// Returns the largest key such that the weight of all tokens with at least that key reaches `goal` (at least 1);
// tokens whose logit is under `floor_key` have no weight.
fn select_key(
    lid: u32, goal: u32, mode: u32, floor_key: u32, top: f32, inv_t: f32, inv_z: f32, log_total: f32, entropy: f32,
) -> u32 {
    var prefix = 0u;
    var left = max(goal, 1u);
    for (var shift = 24i; shift >= 0i; shift -= 8i) {
        atomicStore(&bins[lid], 0u);
        workgroupBarrier();
        for (var i = lid; i < VOCAB; i += WG) {
            let v = logit(i);
            let mass = mass_of(v, top, inv_t, inv_z);
            var key = key_of(v);
            let counts = key >= floor_key && (mode != BY_TYPICAL || mass > 0u);
            if (mode == BY_TYPICAL) {
                key = typical_key(mass, log_total, entropy);
            }
            // (a shift by 32 is undefined, hence two shifts)
            if (counts && ((key >> u32(shift)) >> 8u) == ((prefix >> u32(shift)) >> 8u)) {
                let weight = select(1u, mass, mode != BY_COUNT);
                atomicAdd(&bins[(key >> u32(shift)) & 255u], weight);
            }
        }
        workgroupBarrier();
        if (lid == 0u) {
            var rest = left;
            var bin = 255u;
            loop {
                let here = atomicLoad(&bins[bin]);
                if (here >= rest || bin == 0u) {
                    break;
                }
                rest -= here;
                bin -= 1u;
            }
            shared_key = prefix | (bin << u32(shift));
            shared_left = rest;
        }
        workgroupBarrier();
        prefix = shared_key;
        left = shared_left;
        workgroupBarrier();
    }
    return prefix;
}

// Returns the mass of all tokens whose logit is not under `floor_key`.
fn kept_mass(lid: u32, floor_key: u32, top: f32, inv_t: f32, inv_z: f32) -> u32 {
    var kept = 0u;
    for (var i = lid; i < VOCAB; i += WG) {
        let v = logit(i);
        kept += select(0u, mass_of(v, top, inv_t, inv_z), key_of(v) >= floor_key);
    }
    masses[lid] = kept;
    for (var width = WG / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lid < width) {
            masses[lid] += masses[lid + width];
        }
    }
    workgroupBarrier();
    let total = masses[0];
    workgroupBarrier();
    return total;
}

// Returns the token sampled from the current row.
fn choose(lid: u32) -> u32 {
    if (lid == 0u) {
        atomicStore(&broken, 0u);
    }
    workgroupBarrier();
    // Finds the largest logit, and the lowest id among equals.
    var value = -3.4e38;
    var id = 0u;
    for (var i = lid; i < VOCAB; i += WG) {
        // Tested by its bits, because a compiler may assume that there is no NaN.
        if ((bitcast<u32>(logit(i)) & 0x7f800000u) == 0x7f800000u) {
            atomicStore(&broken, BROKEN);
        }
        if ((state[ADJUST] & PENALISED) != 0u) {
            logits[first_logit + i] = adjusted(i);
        }
        if ((state[ADJUST] & MASKED) != 0u && (allowed[i >> 5u] & (1u << (i & 31u))) == 0u) {
            logits[first_logit + i] = FORBIDDEN;
        }
        let v = logit(i);
        if (v > value) {
            value = v;
            id = i;
        }
    }
    best_value[lid] = value;
    best_id[lid] = id;
    for (var width = WG / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lid < width) {
            let v = best_value[lid + width];
            let i = best_id[lid + width];
            if (v > best_value[lid] || (v == best_value[lid] && i < best_id[lid])) {
                best_value[lid] = v;
                best_id[lid] = i;
            }
        }
    }
    if (lid == 0u) {
        atomicStore(&chosen, best_id[0]);
        shared_greedy = select(0u, 1u, bitcast<f32>(state[TEMPERATURE]) <= 0.0);
    }
    let greedy = workgroupUniformLoad(&shared_greedy);
    let top = best_value[0];
    // Threads read logits adjusted by others from here on.
    storageBarrier();
    workgroupBarrier();

    if (greedy == 0u) {
        let inv_t = 1.0 / bitcast<f32>(state[TEMPERATURE]);
        var z = 0.0;
        for (var i = lid; i < VOCAB; i += WG) {
            z += exp((logit(i) - top) * inv_t);
        }
        best_value[lid] = z;
        for (var width = WG / 2u; width > 0u; width /= 2u) {
            workgroupBarrier();
            if (lid < width) {
                best_value[lid] += best_value[lid + width];
            }
        }
        workgroupBarrier();
        let inv_z = 1.0 / best_value[0];

        // Applies the filters in the order temperature, top-k, top-p, min-p, typical-p.
        var floor_key = 0u;
        if (lid == 0u) {
            shared_left = select(0u, 1u, state[TOP_K] > 0u && state[TOP_K] < VOCAB);
        }
        if (workgroupUniformLoad(&shared_left) == 1u) {
            floor_key = select_key(lid, state[TOP_K], BY_COUNT, 0u, top, inv_t, inv_z, 0.0, 0.0);
        }
        if (lid == 0u) {
            shared_left = select(0u, 1u, bitcast<f32>(state[TOP_P]) < 1.0);
        }
        if (workgroupUniformLoad(&shared_left) == 1u) {
            let goal = u32(f32(kept_mass(lid, floor_key, top, inv_t, inv_z)) * bitcast<f32>(state[TOP_P]));
            let key = select_key(lid, goal, BY_MASS, floor_key, top, inv_t, inv_z, 0.0, 0.0);
            floor_key = max(floor_key, key);
        }
        let min_p = bitcast<f32>(state[MIN_P]);
        if (min_p > 0.0) {
            floor_key = max(floor_key, key_of(top + log(max(min_p, 1e-30)) / inv_t));
        }
        var typical_limit = 3.4e38; // on the distance from the expected surprise
        var log_total = 0.0;
        var entropy = 0.0;
        if (lid == 0u) {
            shared_left = select(0u, 1u, bitcast<f32>(state[TYPICAL_P]) < 1.0);
        }
        if (workgroupUniformLoad(&shared_left) == 1u) {
            let total = f32(kept_mass(lid, floor_key, top, inv_t, inv_z));
            log_total = log(total);
            var surprise = 0.0;
            for (var i = lid; i < VOCAB; i += WG) {
                let v = logit(i);
                let mass = mass_of(v, top, inv_t, inv_z);
                if (mass > 0u && key_of(v) >= floor_key) {
                    surprise += f32(mass) / total * (log_total - log(f32(mass)));
                }
            }
            best_value[lid] = surprise;
            for (var width = WG / 2u; width > 0u; width /= 2u) {
                workgroupBarrier();
                if (lid < width) {
                    best_value[lid] += best_value[lid + width];
                }
            }
            workgroupBarrier();
            entropy = best_value[0];
            let goal = u32(total * bitcast<f32>(state[TYPICAL_P]));
            let floor_typical = select_key(
                lid, goal, BY_TYPICAL, floor_key, top, inv_t, inv_z, log_total, entropy,
            );
            // Inverts the key of the last kept token.
            typical_limit = bitcast<f32>(0x7fffffffu - floor_typical) + TYPICAL_SLACK;
        }

        // Picks a random point of the kept mass; thread `lid` owns the ids lid * CHUNK ..
        let first = lid * CHUNK;
        let last = min(first + CHUNK, VOCAB);
        var mass = 0u;
        for (var i = first; i < last; i++) {
            let v = logit(i);
            let here = mass_of(v, top, inv_t, inv_z);
            if (key_of(v) >= floor_key && is_typical(here, log_total, entropy, typical_limit)) {
                mass += here;
            }
        }
        masses[lid] = mass;
        workgroupBarrier();
        if (lid == 0u) {
            var total = 0u;
            for (var i = 0u; i < WG; i++) {
                let here = masses[i];
                masses[i] = total; // exclusive prefix sum
                total += here;
            }
            let r = pcg(pcg(state[SEED]) ^ pcg(draw + 0x9e3779b9u));
            shared_key = u32(f32(total) * (f32(r >> 8u) / 16777216.0));
        }
        let point = workgroupUniformLoad(&shared_key);
        var below = masses[lid];
        if (point >= below && point < below + mass) {
            for (var i = first; i < last; i++) {
                let v = logit(i);
                let here = mass_of(v, top, inv_t, inv_z);
                if (key_of(v) >= floor_key && is_typical(here, log_total, entropy, typical_limit)) {
                    if (point >= below && point < below + here) {
                        atomicStore(&chosen, i);
                    }
                    below += here;
                }
            }
        }
        workgroupBarrier();
    }
    return atomicLoad(&chosen);
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lid: u32) {
    let n = state[N_TOKENS];
    let position = state[POS] + select(1u, n, ROWS == 1u); // of the first sampled token
    var count = 0u;
    var odd = 0u;
    loop {
        first_logit = count * VOCAB;
        draw = state[STEP] + count;
        let token = choose(lid);
        if (lid == 0u) {
            history[token] += 2u;
            if (position + count < N_CTX) {
                tokens[position + count] = token;
            }
            odd |= atomicLoad(&broken);
            if (ROWS == 1u) {
                state[RING + draw % RING_LEN] = token | odd;
            } else {
                state[RING + (state[ROUND] * ROWS + count) % RING_LEN] = token;
            }
            let drafted = count + 1u < min(n, ROWS) && state[IDS + min(count + 1u, ROWS - 1u)] == token;
            shared_more = select(0u, 1u, ROWS > 1u && drafted);
        }
        count += 1u;
        storageBarrier();
        if (workgroupUniformLoad(&shared_more) == 0u) {
            break;
        }
    }
    // All threads have read the state by here.
    let end = position + count - 1u; // of the last sampled token
    if (ROWS > 1u) {
        if (lid == 0u) {
            // The number of tokens and the number of drafts, in the bits above any id.
            state[RING + state[ROUND] * ROWS % RING_LEN] |= odd | (count << 24u) | ((n - 1u) << 28u);
            state[ROUND] += 1u;
        }
        draft(lid, end, min(state[DRAFT], ROWS - 1u));
    }
    if (lid == 0u) {
        state[IDS] = atomicLoad(&chosen);
        state[POS] = end;
        state[N_TOKENS] = select(1u, 1u + shared_left, ROWS > 1u);
        state[STEP] += count;
    }
}
