// y[OFFSET + r] = sum_c W[r, c] * x[c] for one token   (added to what is there where ADD)
//
// grid: (ceil(ROWS / (2 * WG)) split over x and z). A thread computes two rows: a piece of x is loaded once for
// both. For software adapters, where a load costs as much as a dot product and nothing is gained by more threads.
@compute @workgroup_size({{ WG }})
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let row = pair_row(wg, grid, lid);
    if (row >= ROWS) {
        return;
    }
    let next = neighbour(row);
    var sums = vec2<f32>(0.0);
    for (var b = 0u; b < BLOCKS; b++) {
        sums += dot_pair(
            unpack_block(row * BLOCKS + b),
            unpack_block(next * BLOCKS + b),
            b * BLOCK_VECS,
        );
    }
    put_pair(0u, row, sums);
}
