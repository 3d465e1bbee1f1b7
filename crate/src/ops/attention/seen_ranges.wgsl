// The positions that a token of a step sees, as the step says.
@group(0) @binding(5) var<storage, read_write> ranges: array<vec2<f32>>; // [T], the first position and the one behind the last

// Returns the first position that the step's token t sees.
fn first_of(t: u32) -> u32 {
    return u32(ranges[t].x);
}

// Returns the last position that the step's token t sees.
fn last_seen(t: u32) -> u32 {
    return u32(ranges[t].y) - 1u;
}
