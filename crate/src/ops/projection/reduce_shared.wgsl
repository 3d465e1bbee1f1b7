// Sums over the THREADS_PER_TILE neighbours that share a row, through workgroup memory; lane 0 receives the sums.

// The launch's uniform builtins: Chromium takes a struct for uniform only if all of it is.
struct Launch {
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
}

var<workgroup> sums: array<f32, select(1u, WG * SUMS, THREADS_PER_TILE > 1u)>; // [WG, SUMS]; one element if THREADS_PER_TILE == 1

fn reduce(lid: u32, lane: u32, launch: Launch, acc: ptr<function, array<f32, SUMS>>) {
    for (var t = 0u; t < SUMS; t++) {
        sums[lid * SUMS + t] = (*acc)[t];
    }
    for (var width = THREADS_PER_TILE / 2u; width > 0u; width /= 2u) {
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
