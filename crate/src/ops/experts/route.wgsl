// Selects the N_USED best of a token's logits, best first, with a softmax over them.
//
// grid: (T). A thread counts the experts ahead of each of its own; among equals the earlier one is ahead.
//
// Modules: state.
// Constants from the header:
//   N_EXPERTS: u32
//   N_USED: u32
@group(0) @binding(0) var<storage, read_write> logits: array<f32>; // [T, N_EXPERTS]
@group(0) @binding(1) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(2) var<storage, read_write> routes: array<vec2<f32>>; // [T, N_USED]: expert, weight

var<workgroup> of_token: array<f32, N_EXPERTS>;
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
    for (var e = lid; e < N_EXPERTS; e += WG) {
        let own = of_token[e];
        var ahead = 0u;
        for (var other = 0u; other < N_EXPERTS; other++) {
            let v = of_token[other];
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
    let top = of_token[best[0]];
    var sum = 0.0;
    for (var k = 0u; k < N_USED; k++) {
        sum += exp(of_token[best[k]] - top);
    }
    let weight = exp(of_token[best[lid]] - top) / sum;
    routes[wg.x * N_USED + lid] = vec2<f32>(f32(best[lid]), weight);
}
