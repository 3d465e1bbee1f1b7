// Chooses the N_USED best experts of a token, best first, and weights them.
//
// grid: (T). A thread counts the experts ahead of each of its own; among equals the earlier one is ahead.
//
// Modules: state, score_*, choice_*, factor_*.
// Constants from the header:
//   N_EXPERTS: u32
//   N_USED: u32
//   NORMALISED: bool, weights add up to FACTOR
//   FACTOR: f32, of the weights
@group(0) @binding(0) var<storage, read_write> logits: array<f32>; // [T, N_EXPERTS]
@group(0) @binding(1) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(2) var<storage, read_write> routes: array<vec2<f32>>; // [T, N_USED]: expert, weight

var<workgroup> of_token: array<f32, N_EXPERTS>; // the token's logits
var<workgroup> choices: array<f32, N_EXPERTS>; // what the experts are chosen by
var<workgroup> best: array<u32, N_USED>;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    for (var e = lid; e < N_EXPERTS; e += WG) {
        of_token[e] = logits[wg.x * N_EXPERTS + e];
    }
    workgroupBarrier();
    let whole = whole_of_token();
    for (var e = lid; e < N_EXPERTS; e += WG) {
        choices[e] = choice(e, whole);
    }
    workgroupBarrier();
    for (var e = lid; e < N_EXPERTS; e += WG) {
        let own = choices[e];
        var ahead = 0u;
        for (var other = 0u; other < N_EXPERTS; other++) {
            let v = choices[other];
            ahead += u32(v > own || (v == own && other < e));
        }
        if (ahead < N_USED) {
            best[ahead] = e;
        }
    }
    workgroupBarrier();
    if (lid >= N_USED || wg.x >= state[N_TOKENS]) {
        return;
    }
    var weight = FACTOR * score(best[lid], whole);
    if (NORMALISED) {
        var sum = 0.0;
        for (var k = 0u; k < N_USED; k++) {
            sum += score(best[k], whole);
        }
        weight /= max(sum, 1e-12);
    }
    weight *= own_factor(best[lid]);
    routes[wg.x * N_USED + lid] = vec2<f32>(f32(best[lid]), weight);
}
