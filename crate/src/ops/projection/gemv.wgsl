// y[OFFSET + r] = sum_c W[r, c] * input(c) for one token, or for each of a token's experts (`place`)
//
// grid: (ceil(GROUPS * LANES / WG) split over x and z, 1 or the number of slots). LANES threads share a group of four
// rows, so that a piece of the input is loaded once for all; `reduce` sums over the lanes. A group is four
// neighbours, or two gates with their ups. Past the end, the last row is used.
// `prepare` and `input` are the prologue (gemv_*.wgsl), which computes the input that the weight is multiplied by.
@group(0) @binding({{ B0 }}) var<storage, read_write> x: array<vec4<f32>>; // [.., COLS4], see the prologue
@group(0) @binding({{ B1 }}) var<storage, read_write> y: array<f32>; // [outputs of all parts]

const ROWS: u32 = {{ ROWS }}u;
const COLS4: u32 = {{ COLS4 }}u;
const OFFSET: u32 = {{ OFFSET }}u;
const GROUPS: u32 = {{ GROUPS }}u;
const HALF: u32 = ROWS / 2u; // offset from a gate to its up
const ADD: bool = {{ OUTPUT }} == 1; // add to y
const GATED: bool = {{ OUTPUT }} == 2; // y[r] = activation(first) * second
const LANES: u32 = {{ LANES }}u;
const WG: u32 = {{ WG }}u;
const BLOCKS: u32 = COLS4 / BLOCK_VECS; // blocks in a row

@compute @workgroup_size({{ WG }})
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
    {{ SUBGROUP_ARG }}
) {
    {{ PREPARE }}
    let place = place(wg.y);
    let scale = prepare(lid);
    let group = (wg.z * grid.x + wg.x) * (WG / LANES) + lid / LANES;
    let lane = lid % LANES;
    let row = select(4u * group, 2u * group, GATED);
    let neighbours = vec4<u32>(row, row + 1u, row + 2u, row + 3u);
    let gates = vec4<u32>(row, min(row + 1u, HALF - 1u), row + HALF, row + 1u + HALF);
    let first = BLOCKS * (place.row + min(select(neighbours, gates, GATED), vec4<u32>(ROWS - 1u)));
    let live = group < GROUPS && place.live;

    var dots = vec4<f32>(0.0);
    if (live) {
        for (var b = lane; b < BLOCKS; b += LANES) {
            let x = load_input(b * BLOCK_VECS);
            dots += vec4<f32>(
                dot_input(first.x + b, x),
                dot_input(first.y + b, x),
                dot_input(first.z + b, x),
                dot_input(first.w + b, x),
            );
        }
    }
    if (LANES > 1u) {
        var acc = array<f32, 4>(dots.x, dots.y, dots.z, dots.w);
        reduce(lid, lane, {{ SUBGROUP_SIZE }}, &acc);
        dots = vec4<f32>(acc[0], acc[1], acc[2], acc[3]);
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
