// y[t, OFFSET + r] = sum_c W[r, c] * x[t, c] for several tokens   (added to y if ADD)
//
// grid: (ceil(ROWS / 4 * THREADS_PER_TILE / WG) split over x and z, ceil(T / 8)). THREADS_PER_TILE threads compute a tile of four rows and
// eight tokens: a block of weights is unpacked once for eight tokens, and a piece of x is loaded once for four rows.
// `reduce` sums over the threads of a tile: through workgroup memory (reduce_shared.wgsl) or within a subgroup
// (reduce_subgroup.wgsl). The sums are eight variables, because an array may end up in memory.
//
// Modules: state, linear_output, scaling, a packing (unpack_*) and its tile_block* or tile_piece8, reduce_*.
// Constants from the header:
//   THREADS_PER_TILE: u32
@group(0) @binding(WEIGHT_BUFFERS + 2u) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

fn input(at: u32) -> vec4<f32> {
    return x[at];
}

// Writes the outputs of rows `row` to `row + 3`, if they exist.
fn put_rows(t: u32, row: u32, sums: vec4<f32>) {
    write(t, row, sums.x);
    if (row + 1u < ROWS) {
        write(t, row + 1u, sums.y);
    }
    if (row + 2u < ROWS) {
        write(t, row + 2u, sums.z);
    }
    if (row + 3u < ROWS) {
        write(t, row + 3u, sums.w);
    }
}

// Sums of eight tokens, for four rows each.
struct Sums {
    t0: vec4<f32>, t1: vec4<f32>, t2: vec4<f32>, t3: vec4<f32>,
    t4: vec4<f32>, t5: vec4<f32>, t6: vec4<f32>, t7: vec4<f32>,
}

// Adds four rows' next four weights times the vec4 of each token from `at` on.
fn add_piece(sums: ptr<function, Sums>, w: mat4x4<f32>, at: u32) {
    (*sums).t0 += input(at) * w;
    (*sums).t1 += input(at + COLS4) * w;
    (*sums).t2 += input(at + 2u * COLS4) * w;
    (*sums).t3 += input(at + 3u * COLS4) * w;
    (*sums).t4 += input(at + 4u * COLS4) * w;
    (*sums).t5 += input(at + 5u * COLS4) * w;
    (*sums).t6 += input(at + 6u * COLS4) * w;
    (*sums).t7 += input(at + 7u * COLS4) * w;
}

const SUMS: u32 = 32u; // that the threads of a tile share: those of four rows for eight tokens

@compute @workgroup_size(WG)
fn main(
    launch: Launch,
    @builtin(local_invocation_index) lid: u32,
) {
    prepare_weights(lid);
    let row = 4u * ((launch.wg.z * launch.grid.x + launch.wg.x) * (WG / THREADS_PER_TILE) + lid / THREADS_PER_TILE);
    let lane = lid % THREADS_PER_TILE;
    let t = launch.wg.y * 8u;
    let live = row < ROWS && t < state[N_TOKENS];
    // Past the end, the last row is used.
    let rows = vec4<u32>(row, row + 1u, row + 2u, row + 3u);
    let first = BLOCKS * min(rows, vec4<u32>(ROWS - 1u));
    var s = Sums();
    if (live) {
        for (var b = lane; b < BLOCKS; b += THREADS_PER_TILE) {
            add_block(&s, first + b, t * COLS4 + b * BLOCK_VECS);
        }
    }
    if (THREADS_PER_TILE > 1u) {
        var acc = array<f32, SUMS>(
            s.t0.x, s.t0.y, s.t0.z, s.t0.w, s.t1.x, s.t1.y, s.t1.z, s.t1.w,
            s.t2.x, s.t2.y, s.t2.z, s.t2.w, s.t3.x, s.t3.y, s.t3.z, s.t3.w,
            s.t4.x, s.t4.y, s.t4.z, s.t4.w, s.t5.x, s.t5.y, s.t5.z, s.t5.w,
            s.t6.x, s.t6.y, s.t6.z, s.t6.w, s.t7.x, s.t7.y, s.t7.z, s.t7.w,
        );
        reduce(lid, lane, launch, &acc);
        s.t0 = vec4<f32>(acc[0], acc[1], acc[2], acc[3]);
        s.t1 = vec4<f32>(acc[4], acc[5], acc[6], acc[7]);
        s.t2 = vec4<f32>(acc[8], acc[9], acc[10], acc[11]);
        s.t3 = vec4<f32>(acc[12], acc[13], acc[14], acc[15]);
        s.t4 = vec4<f32>(acc[16], acc[17], acc[18], acc[19]);
        s.t5 = vec4<f32>(acc[20], acc[21], acc[22], acc[23]);
        s.t6 = vec4<f32>(acc[24], acc[25], acc[26], acc[27]);
        s.t7 = vec4<f32>(acc[28], acc[29], acc[30], acc[31]);
    }
    if (!live || lane != 0u) {
        return;
    }
    put_rows(t, row, s.t0);
    put_rows(t + 1u, row, s.t1);
    put_rows(t + 2u, row, s.t2);
    put_rows(t + 3u, row, s.t3);
    put_rows(t + 4u, row, s.t4);
    put_rows(t + 5u, row, s.t5);
    put_rows(t + 6u, row, s.t6);
    put_rows(t + 7u, row, s.t7);
}
