// Sums over the LANES neighbours that share a row, through workgroup memory; lane 0 receives the sums.
const SUMS: u32 = {{ SUMS }}u; // per thread
var<workgroup> sums: array<f32, {{ PARTIAL }}>; // [WG, SUMS]; one element if LANES == 1

fn reduce(lid: u32, lane: u32, subgroup_size: u32, acc: ptr<function, array<f32, {{ SUMS }}>>) {
    for (var t = 0u; t < SUMS; t++) {
        sums[lid * SUMS + t] = (*acc)[t];
    }
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            for (var t = 0u; t < SUMS; t++) {
                sums[lid * SUMS + t] += sums[(lid + width) * SUMS + t];
            }
        }
    }
    for (var t = 0u; t < SUMS; t++) {
        (*acc)[t] = sums[lid * SUMS + t];
    }
}
