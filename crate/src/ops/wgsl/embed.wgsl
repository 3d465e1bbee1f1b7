// y[t, c] = FACTOR * W[row(t) - FIRST, c] for the tokens whose row is in this part of the table (added to y if ADD).
// The row is the token's id, or its position.
//
// grid: (ceil(BLOCKS / WG), T); each thread unpacks one block of a row
@group(0) @binding({{ B0 }}) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding({{ B1 }}) var<storage, read_write> y: array<vec4<f32>>; // [T, COLS4]

const ROWS: u32 = {{ ROWS }}u;
const FIRST: u32 = {{ FIRST }}u; // id of this part's first row
const COLS4: u32 = {{ COLS4 }}u;
const IDS: u32 = {{ IDS }}u; // offset of the ids in the state
const FACTOR: f32 = {{ FACTOR }};
const BY_POSITION: bool = {{ BY_POSITION }} == 1;
const ADD: bool = {{ ADD }} == 1;
const BLOCKS: u32 = COLS4 / BLOCK_VECS;

fn put(at: u32, v: vec4<f32>) {
    if (ADD) {
        y[at] += FACTOR * v;
    } else {
        y[at] = FACTOR * v;
    }
}

@compute @workgroup_size({{ WG }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    {{ PREPARE }}
    let t = id.y;
    if (id.x >= BLOCKS || t >= state[1]) {
        return;
    }
    let row = select(state[IDS + t], state[0] + t, BY_POSITION);
    if (row < FIRST || row - FIRST >= ROWS) {
        return;
    }
    let w = unpack_block((row - FIRST) * BLOCKS + id.x);
    let at = t * COLS4 + id.x * BLOCK_VECS;
    store_block(w, at);
}
