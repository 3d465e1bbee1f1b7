// y[OFFSET + r] = sum_c W[r, c] * input(c) for one token, or for each of a token's experts (`place`)
//
// grid: (ceil(GROUPS * THREADS_PER_TILE / WG) split over x and z, 1 or the number of slots). THREADS_PER_TILE threads share a group of four
// rows, so that a piece of the input is loaded once for all; `reduce` sums over the threads of a tile. A group is four
// neighbours, or two gates with their ups. Past the end, the last row is used.
// `prepare` and `input` are the prologue (gemv_*.wgsl), which computes the input that the weight is multiplied by.
//
// Modules: a packing (unpack_*) and how it is multiplied (dot_*), scaling, gate, place_one or gemv_routed, the
// prologue (gemv_*; gemv_unscaled with all but gemv_norm), a stage_*, reduce_*; state for all prologues but gemv_plain.
// Constants from the header:
//   ROWS: u32
//   COLS4: u32
//   OFFSET: u32
//   GROUPS: u32
//   ADD: bool, add to y
//   GATED: bool, y[r] = activation(first) * second
//   THREADS_PER_TILE: u32
@group(0) @binding(WEIGHT_BUFFERS) var<storage, read_write> x: array<vec4<f32>>; // [.., COLS4], see the prologue
@group(0) @binding(WEIGHT_BUFFERS + 1u) var<storage, read_write> y: array<f32>; // [outputs of all parts]

const HALF: u32 = ROWS / 2u; // offset from a gate to its up
const BLOCKS: u32 = COLS4 / BLOCK_VECS; // blocks in a row

const SUMS: u32 = 4u + MORE_SUMS; // that the threads of a tile share: those of four rows, and the prologue's

@compute @workgroup_size(WG)
fn main(
    launch: Launch,
    @builtin(local_invocation_index) lid: u32,
) {
    prepare_weights(lid);
    let place = place(launch.wg.y);
    var scale = prepare(lid);
    let group = (launch.wg.z * launch.grid.x + launch.wg.x) * (WG / THREADS_PER_TILE) + lid / THREADS_PER_TILE;
    let lane = lid % THREADS_PER_TILE;
    let row = select(4u * group, 2u * group, GATED);
    let neighbours = vec4<u32>(row, row + 1u, row + 2u, row + 3u);
    let gates = vec4<u32>(row, min(row + 1u, HALF - 1u), row + HALF, row + 1u + HALF);
    let first = BLOCKS * (place.row + min(select(neighbours, gates, GATED), vec4<u32>(ROWS - 1u)));
    let live = group < GROUPS && place.live;

    var dots = vec4<f32>(0.0);
    if (live) {
        for (var b = lane; b < BLOCKS; b += THREADS_PER_TILE) {
            let x = load_input(b * BLOCK_VECS);
            dots += vec4<f32>(
                dot_input(first.x + b, x),
                dot_input(first.y + b, x),
                dot_input(first.z + b, x),
                dot_input(first.w + b, x),
            );
        }
    }
    if (THREADS_PER_TILE > 1u) {
        var acc = array<f32, SUMS>();
        acc[0] = dots.x;
        acc[1] = dots.y;
        acc[2] = dots.z;
        acc[3] = dots.w;
        if (MORE_SUMS > 0u) {
            acc[SUMS - 1u] = input_sum();
        }
        reduce(lid, lane, launch, &acc);
        dots = vec4<f32>(acc[0], acc[1], acc[2], acc[3]);
        if (MORE_SUMS > 0u) {
            scale = scale_from(acc[SUMS - 1u]);
        }
    }
    dots *= scale;
    if (!live || lane != 0u) {
        return;
    }
    if (GATED) {
        let products = gated(dots, dots.zwxy);
        put(place.y, row, HALF, products.x);
        put(place.y, row + 1u, HALF, products.y);
    } else {
        put(place.y, row, ROWS, dots.x);
        put(place.y, row + 1u, ROWS, dots.y);
        put(place.y, row + 2u, ROWS, dots.z);
        put(place.y, row + 3u, ROWS, dots.w);
    }
}

fn put(at: u32, row: u32, rows: u32, value: f32) {
    if (row >= rows) {
        return;
    }
    if (ADD) {
        y[at + row] += scaled(value);
    } else {
        y[at + row] = scaled(value);
    }
}
