// Samples the next tokens from the logits and makes the state ready for the next step: the second of the sampler's
// launches, after scan.wgsl.
//
// grid: (1). Every filter is a threshold on the logit, or on its typicality, so nothing is sorted: top-k, top-p and
// typical-p are found by radix selection over the order-preserving integer image of the float, 8 bits per pass;
// probabilities are 30-bit integers, whose sums are exact in any order. Then a random number picks a point of the
// kept mass, in the order of ids. With top-k or top-p, a histogram over the distance from the largest logit tells which
// tokens can be kept at all; these are copied to workgroup memory, where everything else takes place. If they are too
// many, it takes place over the whole vocabulary.
// With ROWS > 1 the step's ids after the first are drafts: row after row is sampled as if it were the only one, as
// long as the draft equals the sampled token. Drafts thus change how fast tokens are produced, but not which ones.
//
// Modules: state, section, draft.
// Constants from the header:
//   ROWS: u32
//   N_CTX: u32
@group(0) @binding(0) var<storage, read_write> logits: array<f32>; // [ROWS, VOCAB], adjusted by scan.wgsl
@group(0) @binding(1) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(2) var<storage, read_write> history: array<u32>; // [VOCAB], 2 * times generated + was in the prompt
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>; // [N_CTX], ids of the prompt and the answer, by position
@group(0) @binding(4) var<storage, read_write> partials: array<vec4<u32>>; // [ROWS, SECTIONS], see section.wgsl

// Logarithms of up to 21 in f32 may differ by this much between two places where a compiler rounds differently;
// without the slack the last kept token, which may be the only one, would be lost.
const TYPICAL_SLACK: f32 = 1e-5;
// Bins of the histogram for a factor of e in probability. Tokens in the last bin have no mass.
const BINS_PER_NAT: f32 = 8.0;
// Part of a bin that is copied beyond the last one: the bin of a logit may differ between two places.
const BIN_SLACK: f32 = 0.01;
const CANDIDATES: u32 = 1024u; // tokens that can be copied

var<workgroup> bins: array<atomic<u32>, WG>;
var<workgroup> counts: array<atomic<u32>, WG>;
var<workgroup> masses: array<u32, WG>;
var<workgroup> side_masses: array<u32, SIDE>;
var<workgroup> candidate_words: array<u32, CANDIDATES>; // bits of the logit, in the end the mass
var<workgroup> candidate_ids: array<u32, CANDIDATES>;
var<workgroup> shared_key: u32;
var<workgroup> shared_left: u32;
var<workgroup> shared_flag: u32;
var<workgroup> shared_more: u32;
var<workgroup> shared_count: atomic<u32>;
var<workgroup> chosen: atomic<u32>;
var<workgroup> broken: atomic<u32>;

var<private> first_logit: u32; // of the row being sampled
var<private> draw: u32; // number of the random draw

fn logit(i: u32) -> f32 {
    return logits[first_logit + i];
}

// The tokens that filters look at: all of the vocabulary, or those that were copied.
struct Items { n: u32, few: bool }

fn item(items: Items, i: u32) -> f32 {
    if (items.few) {
        return bitcast<f32>(candidate_words[i]);
    }
    return logit(i);
}

// How logits become probabilities.
struct Softmax { top: f32, inv_t: f32, inv_z: f32 }

// Returns an integer that orders like the float.
fn key_of(v: f32) -> u32 {
    let bits = bitcast<u32>(v);
    return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

// Returns the probability of a logit as a fraction of 2^30; at most 1, so that the sum fits in 32 bits.
fn mass_of(v: f32, s: Softmax) -> u32 {
    return u32(min(exp((v - s.top) * s.inv_t) * s.inv_z, 1.0) * 1073741824.0);
}

// Returns the distance from the largest logit in bins of the histogram.
fn distance(v: f32, s: Softmax) -> f32 {
    return min((s.top - v) * s.inv_t * BINS_PER_NAT, 255.0);
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

// Bounds of the tokens that are left after the filters.
struct Kept { floor_key: u32, log_total: f32, entropy: f32, limit: f32 }

// Returns the largest key such that the weight of all tokens with at least that key reaches `goal` (at least 1);
// tokens whose logit is under the floor have no weight.
fn select_key(lid: u32, items: Items, goal: u32, mode: u32, s: Softmax, kept: Kept) -> u32 {
    var prefix = 0u;
    var left = max(goal, 1u);
    for (var shift = 24i; shift >= 0i; shift -= 8i) {
        atomicStore(&bins[lid], 0u);
        workgroupBarrier();
        for (var i = lid; i < items.n; i += WG) {
            let v = item(items, i);
            let mass = mass_of(v, s);
            var key = key_of(v);
            let counts = key >= kept.floor_key && (mode != BY_TYPICAL || mass > 0u);
            if (mode == BY_TYPICAL) {
                key = typical_key(mass, kept.log_total, kept.entropy);
            }
            // (a shift by 32 is undefined, hence two shifts)
            if (counts && ((key >> u32(shift)) >> 8u) == ((prefix >> u32(shift)) >> 8u)) {
                let weight = select(1u, mass, mode != BY_COUNT);
                atomicAdd(&bins[(key >> u32(shift)) & 255u], weight);
            }
        }
        workgroupBarrier();
        if (lid < SIDE) {
            var sum = 0u;
            for (var i = 0u; i < SIDE; i++) {
                sum += atomicLoad(&bins[lid * SIDE + i]);
            }
            side_masses[lid] = sum;
        }
        workgroupBarrier();
        if (lid == 0u) {
            var rest = left;
            var side = SIDE - 1u;
            while (side > 0u && side_masses[side] < rest) {
                rest -= side_masses[side];
                side -= 1u;
            }
            var bin = side * SIDE + SIDE - 1u;
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

// Returns the sum of all threads' masses.
fn mass_of_all(lid: u32, mine: u32) -> u32 {
    masses[lid] = mine;
    workgroupBarrier();
    if (lid < SIDE) {
        var sum = 0u;
        for (var i = 0u; i < SIDE; i++) {
            sum += masses[lid * SIDE + i];
        }
        side_masses[lid] = sum;
    }
    workgroupBarrier();
    var sum = 0u;
    for (var i = 0u; i < SIDE; i++) {
        sum += side_masses[i];
    }
    workgroupBarrier();
    return sum;
}

// Returns the mass of all tokens whose logit is not under `floor_key`.
fn kept_mass(lid: u32, items: Items, floor_key: u32, s: Softmax) -> u32 {
    var kept = 0u;
    for (var i = lid; i < items.n; i += WG) {
        let v = item(items, i);
        kept += select(0u, mass_of(v, s), key_of(v) >= floor_key);
    }
    return mass_of_all(lid, kept);
}

// Copies the tokens that the `top_k` or, if that is 0, the share `top_p` can keep. Returns the mass of all tokens.
// Afterwards shared_count has the number of tokens to copy, or more than CANDIDATES if they cannot be told.
fn copy_candidates(lid: u32, top_k: u32, top_p: f32, s: Softmax) -> u32 {
    atomicStore(&bins[lid], 0u);
    atomicStore(&counts[lid], 0u);
    workgroupBarrier();
    for (var begin = lid; begin < VOCAB; begin += SECTION) {
        for (var k = 0u; k < SECTION / WG; k++) {
            let i = begin + k * WG;
            let v = logit(min(i, VOCAB - 1u));
            let bin = u32(distance(v, s));
            if (i < VOCAB && bin < 255u) {
                atomicAdd(&bins[bin], mass_of(v, s));
                atomicAdd(&counts[bin], 1u);
            }
        }
    }
    workgroupBarrier();
    let total = mass_of_all(lid, atomicLoad(&bins[lid]));
    if (lid == 0u) {
        var rest = select(max(u32(f32(total) * top_p), 1u), top_k, top_k > 0u);
        var bin = 0u;
        loop {
            let here = select(atomicLoad(&bins[bin]), atomicLoad(&counts[bin]), top_k > 0u);
            if (here >= rest || bin == 255u) {
                break;
            }
            rest -= here;
            bin += 1u;
        }
        shared_key = bin;
        atomicStore(&shared_count, select(0u, CANDIDATES + 1u, bin == 255u));
    }
    let last = workgroupUniformLoad(&shared_key);
    if (last < 255u) {
        let limit = f32(last + 1u) + BIN_SLACK;
        for (var begin = lid; begin < VOCAB; begin += SECTION) {
            for (var k = 0u; k < SECTION / WG; k++) {
                let i = begin + k * WG;
                let v = logit(min(i, VOCAB - 1u));
                if (i < VOCAB && distance(v, s) < limit) {
                    let at = atomicAdd(&shared_count, 1u);
                    if (at < CANDIDATES) {
                        candidate_words[at] = bitcast<u32>(v);
                        candidate_ids[at] = i;
                    }
                }
            }
        }
    }
    workgroupBarrier();
    return total;
}

fn mass_if_kept(v: f32, s: Softmax, kept: Kept) -> u32 {
    let mass = mass_of(v, s);
    let is_kept = key_of(v) >= kept.floor_key && is_typical(mass, kept.log_total, kept.entropy, kept.limit);
    return select(0u, mass, is_kept);
}

// Returns the random point of a mass.
fn point_of(total: u32) -> u32 {
    let r = pcg(pcg(state[SEED]) ^ pcg(draw + 0x9e3779b9u));
    return u32(f32(total) * (f32(r >> 8u) / 16777216.0));
}

// Chooses at a random point of the copied tokens' mass, in the order of their ids.
fn pick_candidate(lid: u32, n: u32, s: Softmax, kept: Kept) {
    var mass = 0u;
    for (var i = lid; i < n; i += WG) {
        let here = mass_if_kept(bitcast<f32>(candidate_words[i]), s, kept);
        candidate_words[i] = here; // read by this thread alone before
        mass += here;
    }
    let point = point_of(mass_of_all(lid, mass));
    for (var i = lid; i < n; i += WG) {
        let here = candidate_words[i];
        let id = candidate_ids[i];
        if (here > 0u) {
            var below = 0u;
            for (var j = 0u; j < n; j++) {
                below += select(0u, candidate_words[j], candidate_ids[j] < id);
            }
            if (point >= below && point < below + here) {
                atomicStore(&chosen, id);
            }
        }
    }
}

// Chooses at a random point of the vocabulary's mass: first the section, then the token.
fn pick_token(lid: u32, s: Softmax, kept: Kept) {
    atomicStore(&bins[lid], 0u);
    workgroupBarrier();
    for (var section = 0u; section < SECTIONS; section++) {
        var mass = 0u;
        for (var k = 0u; k < SECTION / WG; k++) {
            let i = section * SECTION + k * WG + lid;
            mass += select(0u, mass_if_kept(logit(min(i, VOCAB - 1u)), s, kept), i < VOCAB);
        }
        if (mass > 0u) {
            atomicAdd(&bins[section], mass);
        }
    }
    workgroupBarrier();
    if (lid == 0u) {
        var total = 0u;
        for (var section = 0u; section < SECTIONS; section++) {
            total += atomicLoad(&bins[section]);
        }
        let point = point_of(total);
        var below = 0u;
        var section = 0u;
        while (section + 1u < SECTIONS && point >= below + atomicLoad(&bins[section])) {
            below += atomicLoad(&bins[section]);
            section += 1u;
        }
        shared_key = section;
        shared_left = point - below;
    }
    let section = workgroupUniformLoad(&shared_key);
    let point = workgroupUniformLoad(&shared_left);
    // A thread takes neighbours.
    let first = section * SECTION + lid * (SECTION / WG);
    let last = min(first + SECTION / WG, VOCAB);
    var mass = 0u;
    for (var i = first; i < last; i++) {
        mass += mass_if_kept(logit(i), s, kept);
    }
    masses[lid] = mass;
    workgroupBarrier();
    var below = 0u;
    for (var i = 0u; i < lid; i++) {
        below += masses[i];
    }
    if (point >= below && point < below + mass) {
        for (var i = first; i < last; i++) {
            let here = mass_if_kept(logit(i), s, kept);
            if (point >= below && point < below + here) {
                atomicStore(&chosen, i);
            }
            below += here;
        }
    }
}

// Returns the token sampled from row `row`.
fn choose(lid: u32, row: u32) -> u32 {
    if (lid == 0u) {
        atomicStore(&broken, 0u);
        shared_flag = select(1u, 0u, bitcast<f32>(state[TEMPERATURE]) <= 0.0);
    }
    let drawn = workgroupUniformLoad(&shared_flag);
    var best = Best(LOWEST, 0u);
    for (var i = lid; i < SECTIONS; i += WG) {
        let partial = partials[row * SECTIONS + i];
        best = better(best, Best(bitcast<f32>(partial.x), partial.y));
        if (partial.w != 0u) {
            atomicStore(&broken, partial.w);
        }
    }
    best = best_of_all(lid, best);
    if (lid == 0u) {
        atomicStore(&chosen, best.id);
    }
    if (drawn == 1u) {
        let inv_t = 1.0 / bitcast<f32>(state[TEMPERATURE]);
        var z = 0.0;
        for (var i = lid; i < SECTIONS; i += WG) {
            let partial = partials[row * SECTIONS + i];
            z += bitcast<f32>(partial.z) * exp((bitcast<f32>(partial.x) - best.value) * inv_t);
        }
        let s = Softmax(best.value, inv_t, 1.0 / sum_of_all(lid, z));

        // Applies the filters in the order temperature, top-k, top-p, min-p, typical-p.
        if (lid == 0u) {
            shared_flag = select(0u, state[TOP_K], state[TOP_K] < VOCAB);
            shared_left = state[TOP_P];
        }
        let top_k = workgroupUniformLoad(&shared_flag);
        let top_p = bitcast<f32>(workgroupUniformLoad(&shared_left));
        var items = Items(VOCAB, false);
        var total = 0u;
        if (top_k > 0u || top_p < 1.0) {
            total = copy_candidates(lid, top_k, top_p, s);
            if (lid == 0u) {
                shared_flag = atomicLoad(&shared_count);
            }
            let n = workgroupUniformLoad(&shared_flag);
            if (n <= CANDIDATES) {
                items = Items(n, true);
            }
        }
        var kept = Kept(0u, 0.0, 0.0, 3.4e38);
        let min_p = bitcast<f32>(state[MIN_P]);
        if (lid == 0u) {
            shared_left = state[TYPICAL_P];
        }
        let typical_p = bitcast<f32>(workgroupUniformLoad(&shared_left));
        // (a loop, since a compiler would copy the selection to each of three places)
        for (var mode = BY_COUNT; mode <= BY_TYPICAL; mode++) {
            var wanted = top_k > 0u;
            if (mode == BY_MASS) {
                wanted = top_p < 1.0;
            }
            if (mode == BY_TYPICAL) {
                wanted = typical_p < 1.0;
                if (min_p > 0.0) {
                    kept.floor_key = max(kept.floor_key, key_of(s.top + log(max(min_p, 1e-30)) / inv_t));
                }
            }
            if (!wanted) {
                continue;
            }
            if (mode == BY_TYPICAL || (mode == BY_MASS && top_k > 0u)) {
                total = kept_mass(lid, items, kept.floor_key, s);
            }
            if (mode == BY_TYPICAL) {
                let mass = f32(total);
                kept.log_total = log(mass);
                var surprise = 0.0;
                for (var i = lid; i < items.n; i += WG) {
                    let v = item(items, i);
                    let here = mass_of(v, s);
                    if (here > 0u && key_of(v) >= kept.floor_key) {
                        surprise += f32(here) / mass * (kept.log_total - log(f32(here)));
                    }
                }
                kept.entropy = sum_of_all(lid, surprise);
            }
            let share = select(top_p, typical_p, mode == BY_TYPICAL);
            let goal = select(u32(f32(total) * share), top_k, mode == BY_COUNT);
            let key = select_key(lid, items, goal, mode, s, kept);
            if (mode == BY_TYPICAL) {
                // Inverts the key of the last kept token.
                kept.limit = bitcast<f32>(0x7fffffffu - key) + TYPICAL_SLACK;
            } else {
                kept.floor_key = max(kept.floor_key, key);
            }
        }
        if (lid == 0u) {
            shared_flag = select(0u, 1u, items.few);
        }
        if (workgroupUniformLoad(&shared_flag) == 1u) {
            pick_candidate(lid, items.n, s, kept);
        } else {
            pick_token(lid, s, kept);
        }
    }
    workgroupBarrier();
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
        let token = choose(lid, count);
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
