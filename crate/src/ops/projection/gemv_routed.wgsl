// Input: the row of x of a token, or of one of its slots: [T * N_USED / SHARE, COLS4]; multiplied by the rows of the
// slot's expert.
@group(0) @binding({{ B2 }}) var<storage, read_write> routes: array<vec2<f32>>; // [T, N_USED]: expert, weight
@group(0) @binding({{ B3 }}) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

const N_USED: u32 = {{ N_USED }}u; // experts per token
const SHARE: u32 = {{ SHARE }}u; // slots of a token that read the same row of x
const FIRST_EXPERT: u32 = {{ FIRST_EXPERT }}u; // in this part of the weight
const N_EXPERTS: u32 = {{ N_EXPERTS }}u;
const STRIDE: u32 = {{ STRIDE }}u; // columns of y

var<private> x_at: u32;

struct Place { row: u32, y: u32, live: bool }

fn place(slot: u32) -> Place {
    let expert = u32(routes[slot].x) - FIRST_EXPERT; // wraps below the first
    let live = expert < N_EXPERTS && slot < N_USED * state[1];
    x_at = slot / SHARE * COLS4;
    return Place(select(0u, expert * ROWS, live), slot * STRIDE + OFFSET, live);
}

fn raw_input(at: u32) -> vec4<f32> {
    return x[x_at + at];
}

// Returns the factor of the whole product.
fn input_scale(lid: u32) -> f32 {
    return 1.0;
}
