// Finds in each range of ids the largest logit, the lowest id that has it, and the sum of exponentials.
//
// grid: (number of ranges)
//
// Modules: section, for its sums over a workgroup.
@group(0) @binding(0) var<storage, read_write> logits: array<f32>; // [VOCAB]
@group(0) @binding(1) var<storage, read_write> banned: array<u32>; // [sets, ceil(VOCAB / 32)], one bit per id
@group(0) @binding(2) var<storage, read_write> ranges: array<vec4<u32>>; // first id, the one behind the last, set, unused
@group(0) @binding(3) var<storage, read_write> found: array<vec4<f32>>; // largest logit, id, sum, above 0 if a logit is no number

const WORDS: u32 = (VOCAB + 31u) / 32u;

var<workgroup> broken: atomic<u32>;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    if (lid == 0u) {
        atomicStore(&broken, 0u);
    }
    workgroupBarrier();
    let range = ranges[wg.x];
    let end = min(range.y, VOCAB);
    var best = Best(LOWEST, 0u);
    for (var i = range.x + lid; i < end; i += WG) {
        let v = logits[i];
        let is_banned = (banned[range.z * WORDS + (i >> 5u)] & (1u << (i & 31u))) != 0u;
        // (by its bits, because a compiler may assume that there is no NaN)
        if ((bitcast<u32>(v) & 0x7f800000u) == 0x7f800000u) {
            atomicStore(&broken, 1u);
        }
        if (!is_banned && v > best.value) {
            best = Best(v, i);
        }
    }
    best = best_of_all(lid, best);
    var sum = 0.0;
    for (var i = range.x + lid; i < end; i += WG) {
        let is_banned = (banned[range.z * WORDS + (i >> 5u)] & (1u << (i & 31u))) != 0u;
        if (!is_banned) {
            sum += exp(logits[i] - best.value);
        }
    }
    sum = sum_of_all(lid, sum);
    if (lid == 0u) {
        found[wg.x] = vec4<f32>(best.value, f32(best.id), sum, f32(atomicLoad(&broken)));
    }
}
