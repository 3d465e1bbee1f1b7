// Sums over the THREADS_PER_TILE neighbours that share a row by exchange within the subgroup; every lane receives the sums.
// Neighbours further apart than the subgroup size, which no shader may assume, exchange through workgroup memory.

// The launch's uniform builtins: Chromium takes a struct for uniform only if all of it is.
struct Launch {
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(subgroup_size) subgroup_size: u32,
}

const AT_ONCE: u32 = min(SUMS, 8u); // sums that go through workgroup memory together, which bounds what it takes

var<workgroup> sums: array<f32, select(1u, WG * AT_ONCE, THREADS_PER_TILE > 1u)>; // [WG, AT_ONCE]; one element if THREADS_PER_TILE == 1

fn reduce(lid: u32, lane: u32, launch: Launch, acc: ptr<function, array<f32, SUMS>>) {
    for (var width = THREADS_PER_TILE / 2u; width > 0u; width /= 2u) {
        if (width < launch.subgroup_size) {
            for (var t = 0u; t < SUMS; t++) {
                (*acc)[t] += subgroupShuffleXor((*acc)[t], width);
            }
        } else {
            for (var first = 0u; first < SUMS; first += AT_ONCE) {
                for (var t = first; t < min(first + AT_ONCE, SUMS); t++) {
                    sums[lid * AT_ONCE + t - first] = (*acc)[t];
                }
                workgroupBarrier();
                for (var t = first; t < min(first + AT_ONCE, SUMS); t++) {
                    (*acc)[t] += sums[(lid ^ width) * AT_ONCE + t - first];
                }
                workgroupBarrier();
            }
        }
    }
}
