// Input: the row of x of a token, or of one of its slots: [T * N_USED / SHARE, COLS4]; multiplied by the rows of the
// slot's expert.
//
// Constants from the header:
//   N_USED: u32, experts per token
//   SHARE: u32, slots of a token that read the same row of x
//   FIRST_EXPERT: u32, in this part of the weight
//   N_EXPERTS: u32
//   STRIDE: u32, columns of y

// [T, N_USED]: expert, weight
@group(0) @binding(WEIGHT_BUFFERS + 2u) var<storage, read_write> routes: array<vec2<f32>>;
@group(0) @binding(WEIGHT_BUFFERS + 3u) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

var<private> x_at: u32;

struct Place { row: u32, y: u32, live: bool }

fn place(slot: u32) -> Place {
    let expert = u32(routes[slot].x) - FIRST_EXPERT; // wraps below the first
    let live = expert < N_EXPERTS && slot < N_USED * state[N_TOKENS];
    x_at = slot / SHARE * COLS4;
    return Place(select(0u, expert * ROWS, live), slot * STRIDE + OFFSET, live);
}

fn raw_input(at: u32) -> vec4<f32> {
    return x[x_at + at];
}
