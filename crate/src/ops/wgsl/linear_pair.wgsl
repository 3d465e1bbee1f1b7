// y[OFFSET + r] = sum_c W[r, c] * x[c] for one token   (added to what is there where ADD)
//
// grid: (ceil(ROWS / (2 * WG)) split over x and z). A thread computes two rows: a piece of x is loaded once for
// both. For software adapters, where a load costs as much as a dot product and nothing is gained by more threads.
@group(0) @binding({{ B0 }}) var<storage, read_write> x: array<vec4<f32>>; // [1, COLS4]
@group(0) @binding({{ B1 }}) var<storage, read_write> y: array<f32>; // [1, STRIDE]

const ROWS: u32 = {{ ROWS }}u;
const COLS4: u32 = {{ COLS4 }}u;
const OFFSET: u32 = {{ OFFSET }}u;
const ADD: bool = {{ ADD }} == 1;
const BLOCKS: u32 = COLS4 / BLOCK_VECS; // blocks in a row

@compute @workgroup_size({{ WG }})
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let row = 2u * ((wg.z * grid.x + wg.x) * {{ WG }}u + lid);
    if (row >= ROWS) {
        return;
    }
    // The last row of an odd number stands in for its missing neighbour.
    let next = min(row + 1u, ROWS - 1u);
    var sums = vec2<f32>(0.0);
    for (var b = 0u; b < BLOCKS; b++) {
        sums += dot_pair(
            unpack_block(row * BLOCKS + b),
            unpack_block(next * BLOCKS + b),
            b * BLOCK_VECS,
        );
    }
    let at = OFFSET + row;
    y[at] = select(0.0, y[at], ADD) + sums.x;
    if (row + 1u < ROWS) {
        y[at + 1u] = select(0.0, y[at + 1u], ADD) + sums.y;
    }
}
