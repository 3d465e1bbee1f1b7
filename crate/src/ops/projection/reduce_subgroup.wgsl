// Sums over the LANES neighbours that share a row by exchange within the subgroup; every lane receives the sums.
// Neighbours further apart than the subgroup size, which no shader may assume, exchange through workgroup memory.
const SUMS: u32 = {{ SUMS }}u; // per thread
var<workgroup> sums: array<f32, {{ PARTIAL }}>; // [WG, SUMS]; one element if LANES == 1

fn reduce(lid: u32, lane: u32, subgroup_size: u32, acc: ptr<function, array<f32, {{ SUMS }}>>) {
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        if (width < subgroup_size) {
            for (var t = 0u; t < SUMS; t++) {
                (*acc)[t] += subgroupShuffleXor((*acc)[t], width);
            }
        } else {
            for (var t = 0u; t < SUMS; t++) {
                sums[lid * SUMS + t] = (*acc)[t];
            }
            workgroupBarrier();
            for (var t = 0u; t < SUMS; t++) {
                (*acc)[t] += sums[(lid ^ width) * SUMS + t];
            }
            workgroupBarrier();
        }
    }
}
