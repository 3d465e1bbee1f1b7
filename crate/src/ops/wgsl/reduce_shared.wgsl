// Sums over the LANES neighbours that share a row, through workgroup memory; lane 0 gets them.
var<workgroup> sums: array<f32, {{ PARTIAL }}>; // [WG, TOKENS]; one element where LANES == 1

fn reduce(lid: u32, lane: u32, subgroup_size: u32, acc: ptr<function, array<f32, {{ TOKENS }}>>) {
    for (var t = 0u; t < TOKENS; t++) {
        sums[lid * TOKENS + t] = (*acc)[t];
    }
    for (var width = LANES / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            for (var t = 0u; t < TOKENS; t++) {
                sums[lid * TOKENS + t] += sums[(lid + width) * TOKENS + t];
            }
        }
    }
    for (var t = 0u; t < TOKENS; t++) {
        (*acc)[t] = sums[lid * TOKENS + t];
    }
}
