// Adjusts the logits of each section of the vocabulary and finds its largest one: the first of the sampler's launches.
//
// grid: (SECTIONS, ROWS). With ROWS > 1 the step's ids after the first are drafts. A row is sampled only if the rows
// before it brought its drafts, so these count as written.
//
// Modules: state, section.
// Constants from the header:
//   ROWS: u32
@group(0) @binding(0) var<storage, read_write> logits: array<f32>; // [ROWS, VOCAB], adjusted in place
@group(0) @binding(1) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(2) var<storage, read_write> history: array<u32>; // [VOCAB], 2 * times generated + was in the prompt
@group(0) @binding(3) var<storage, read_write> bias: array<f32>; // [VOCAB]
@group(0) @binding(4) var<storage, read_write> allowed: array<u32>; // [ceil(VOCAB / 32)], one bit per token
@group(0) @binding(5) var<storage, read_write> partials: array<vec4<u32>>; // [ROWS, SECTIONS], see section.wgsl

const FORBIDDEN: f32 = -1e30; // below any logit, and far from overflow when divided by a temperature
const LIVE: u32 = 1u;
const DRAWN: u32 = 2u; // not greedy

var<workgroup> shared_flags: u32;
var<workgroup> broken: atomic<u32>;

// Returns a flag if a logit is no number; by its bits, because a compiler may assume that there is no NaN.
fn broken_bit(v: f32) -> u32 {
    return select(0u, BROKEN, (bitcast<u32>(v) & 0x7f800000u) == 0x7f800000u);
}

// Returns the logit of token i after bias and penalties: transformers' repetition penalty, then OpenAI's two.
fn adjusted(i: u32, row: u32, before_bias: f32) -> f32 {
    let before = before_bias + bias[i];
    var seen = history[i];
    for (var r = 1u; r < ROWS; r++) {
        seen += select(0u, 2u, r <= row && state[IDS + r] == i);
    }
    let repetition = bitcast<f32>(state[REPETITION]);
    let repeated = select(before * repetition, before / repetition, before > 0.0);
    let written = f32(seen >> 1u);
    return select(before, repeated, seen > 0u) - bitcast<f32>(state[FREQUENCY]) * written -
        bitcast<f32>(state[PRESENCE]) * min(written, 1.0);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let temperature = bitcast<f32>(state[TEMPERATURE]);
    if (lid == 0u) {
        let live = wg.y == 0u || wg.y < state[N_TOKENS];
        shared_flags = select(0u, LIVE, live) | select(DRAWN, 0u, temperature <= 0.0);
        atomicStore(&broken, 0u);
    }
    let flags = workgroupUniformLoad(&shared_flags);
    if ((flags & LIVE) == 0u) {
        return;
    }
    let adjust = state[ADJUST];
    let row = wg.y * VOCAB;
    let first = wg.x * SECTION + lid; // of this thread's tokens, which are WG apart
    var odd = 0u;
    if (adjust != 0u) {
        for (var i = first; i < min((wg.x + 1u) * SECTION, VOCAB); i += WG) {
            var v = logits[row + i];
            odd |= broken_bit(v);
            if ((adjust & PENALISED) != 0u) {
                v = adjusted(i, wg.y, v);
            }
            if ((adjust & MASKED) != 0u && (allowed[i >> 5u] & (1u << (i & 31u))) == 0u) {
                v = FORBIDDEN;
            }
            logits[row + i] = v;
        }
    }
    var best = Best(LOWEST, 0u);
    for (var k = 0u; k < SECTION / WG; k++) {
        let i = first + k * WG;
        let v = logits[row + min(i, VOCAB - 1u)];
        odd |= select(0u, broken_bit(v), adjust == 0u);
        if (i < VOCAB && v > best.value) {
            best = Best(v, i);
        }
    }
    if (odd != 0u) {
        atomicStore(&broken, odd);
    }
    best = best_of_all(lid, best);
    var z = 0.0;
    if ((flags & DRAWN) != 0u) {
        let inv_t = 1.0 / temperature;
        for (var k = 0u; k < SECTION / WG; k++) {
            let i = first + k * WG;
            let share = exp((logits[row + min(i, VOCAB - 1u)] - best.value) * inv_t);
            z += select(0.0, share, i < VOCAB);
        }
        z = sum_of_all(lid, z);
    }
    if (lid == 0u) {
        partials[wg.y * SECTIONS + wg.x] =
            vec4<u32>(bitcast<u32>(best.value), best.id, bitcast<u32>(z), atomicLoad(&broken));
    }
}
