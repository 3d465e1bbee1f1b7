// Chooses the next token from the logits and makes the state ready for the next step.
//
// grid: (1). Every filter is a threshold on the logit, so nothing is sorted: top-k and top-p are found by
// radix selection over the order-preserving integer image of the float, 8 bits a pass; probabilities are
// 30-bit integers, whose sums are exact in any order. Then a random number picks a point of the kept mass.
@group(0) @binding(0) var<storage, read_write> logits: array<f32>; // [VOCAB]
@group(0) @binding(1) var<storage, read_write> state: array<u32>; // [STATE_WORDS]

const VOCAB: u32 = {{ VOCAB }}u;
const WG: u32 = {{ WG }}u; // 256: a thread is also a histogram bin
const RING: u32 = {{ RING }}u;
const RING_LEN: u32 = {{ RING_LEN }}u;
const IDS: u32 = {{ IDS }}u;
const CHUNK: u32 = (VOCAB + WG - 1u) / WG; // tokens of a thread in the last pass

var<workgroup> best_value: array<f32, WG>;
var<workgroup> best_id: array<u32, WG>;
var<workgroup> bins: array<atomic<u32>, WG>;
var<workgroup> masses: array<u32, WG>;
var<workgroup> shared_key: u32;
var<workgroup> shared_left: u32;
var<workgroup> shared_greedy: u32;
var<workgroup> chosen: atomic<u32>;

// An integer that orders like the float.
fn key_of(v: f32) -> u32 {
    let bits = bitcast<u32>(v);
    return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

// Probability of a logit as a fraction of 2^30; at most 1, so that the sum stays in 32 bits.
fn mass_of(v: f32, top: f32, inv_t: f32, inv_z: f32) -> u32 {
    return u32(min(exp((v - top) * inv_t) * inv_z, 1.0) * 1073741824.0);
}

// PCG: Jarzynski & Olano 2020, "Hash functions for GPU rendering".
fn pcg(v: u32) -> u32 {
    let s = v * 747796405u + 2891336453u;
    let w = ((s >> ((s >> 28u) + 4u)) ^ s) * 277803737u;
    return (w >> 22u) ^ w;
}

// The largest key such that the weight of all tokens with at least that key reaches `target` (at least 1).
// A token weighs 1, or its probability where by_mass; tokens under `floor_key` weigh nothing.
fn select_key(
    lid: u32, goal: u32, by_mass: bool, floor_key: u32, top: f32, inv_t: f32, inv_z: f32,
) -> u32 {
    var prefix = 0u;
    var left = max(goal, 1u);
    for (var shift = 24i; shift >= 0i; shift -= 8i) {
        atomicStore(&bins[lid], 0u);
        workgroupBarrier();
        for (var i = lid; i < VOCAB; i += WG) {
            let v = logits[i];
            let key = key_of(v);
            // (a shift by 32 is undefined, hence two shifts)
            if (key >= floor_key && ((key >> u32(shift)) >> 8u) == ((prefix >> u32(shift)) >> 8u)) {
                let weight = select(1u, mass_of(v, top, inv_t, inv_z), by_mass);
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

@compute @workgroup_size({{ WG }})
fn main(@builtin(local_invocation_index) lid: u32) {
    // The largest logit, the lowest id among equals.
    var value = -3.4e38;
    var id = 0u;
    for (var i = lid; i < VOCAB; i += WG) {
        let v = logits[i];
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
        shared_greedy = select(0u, 1u, bitcast<f32>(state[3]) <= 0.0);
    }
    let greedy = workgroupUniformLoad(&shared_greedy);
    let top = best_value[0];
    workgroupBarrier();

    if (greedy == 0u) {
        let inv_t = 1.0 / bitcast<f32>(state[3]);
        var z = 0.0;
        for (var i = lid; i < VOCAB; i += WG) {
            z += exp((logits[i] - top) * inv_t);
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

        // The filters, in the order temperature, top-k, top-p, min-p.
        var floor_key = 0u;
        if (lid == 0u) {
            shared_left = select(0u, 1u, state[4] > 0u && state[4] < VOCAB);
        }
        if (workgroupUniformLoad(&shared_left) == 1u) {
            floor_key = select_key(lid, state[4], false, 0u, top, inv_t, inv_z);
        }
        if (lid == 0u) {
            shared_left = select(0u, 1u, bitcast<f32>(state[5]) < 1.0);
        }
        if (workgroupUniformLoad(&shared_left) == 1u) {
            var kept = 0u;
            for (var i = lid; i < VOCAB; i += WG) {
                let v = logits[i];
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
            let goal = u32(f32(masses[0]) * bitcast<f32>(state[5]));
            workgroupBarrier();
            floor_key = max(
                floor_key,
                select_key(lid, goal, true, floor_key, top, inv_t, inv_z),
            );
        }
        let min_p = bitcast<f32>(state[6]);
        let floor_p = select(-3.4e38, top + log(max(min_p, 1e-30)) / inv_t, min_p > 0.0);

        // A random point of the kept mass; thread `lid` owns the ids lid * CHUNK ..
        let first = lid * CHUNK;
        let last = min(first + CHUNK, VOCAB);
        var mass = 0u;
        for (var i = first; i < last; i++) {
            let v = logits[i];
            mass += select(
                0u, mass_of(v, top, inv_t, inv_z), key_of(v) >= floor_key && v >= floor_p,
            );
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
            let r = pcg(pcg(state[7]) ^ pcg(state[2] + 0x9e3779b9u));
            shared_key = u32(f32(total) * (f32(r >> 8u) / 16777216.0));
        }
        let point = workgroupUniformLoad(&shared_key);
        var below = masses[lid];
        if (point >= below && point < below + mass) {
            for (var i = first; i < last; i++) {
                let v = logits[i];
                if (key_of(v) >= floor_key && v >= floor_p) {
                    let here = mass_of(v, top, inv_t, inv_z);
                    if (point >= below && point < below + here) {
                        atomicStore(&chosen, i);
                    }
                    below += here;
                }
            }
        }
        workgroupBarrier();
    }
    if (lid == 0u) {
        let token = atomicLoad(&chosen);
        state[RING + state[2] % RING_LEN] = token;
        state[IDS] = token;
        state[0] += state[1];
        state[1] = 1u;
        state[2] += 1u;
    }
}
