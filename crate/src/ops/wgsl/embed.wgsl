// y[t, c] = FACTOR * W[row(t) - FIRST, c] for the tokens whose row is in this part of the table (added to y if ADD).
// The row is the token's id, or what stands in its place, or its position.
//
// grid: (ceil(BLOCKS / WG), T); each thread unpacks one block of a row
//
// Modules: state, a packing (unpack_*) and its store_block*.
// Constants from the header:
//   ROWS: u32
//   FIRST: u32, id of this part's first row
//   COLS4: u32
//   FACTOR: f32
//   BY_POSITION: bool
//   ADD: bool
@group(0) @binding(WEIGHT_BUFFERS) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(WEIGHT_BUFFERS + 1u) var<storage, read_write> y: array<vec4<f32>>; // [T, COLS4]

const BLOCKS: u32 = COLS4 / BLOCK_VECS;

fn put(at: u32, v: vec4<f32>) {
    if (ADD) {
        y[at] += FACTOR * v;
    } else {
        y[at] = FACTOR * v;
    }
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    prepare_weights(lid);
    let t = id.y;
    if (id.x >= BLOCKS || t >= state[N_TOKENS]) {
        return;
    }
    let row = select(state[IDS + t], state[POS] + t, BY_POSITION);
    if (row < FIRST || row - FIRST >= ROWS) {
        return;
    }
    let w = unpack_block((row - FIRST) * BLOCKS + id.x);
    let at = t * COLS4 + id.x * BLOCK_VECS;
    store_block(w, at);
}
