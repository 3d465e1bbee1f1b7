// The channels of a layer with a matrix state, from a convolution that was computed before.
@group(0) @binding(0) var<storage, read_write> c: array<vec4<f32>>; // [T, CHANNELS4]

// Returns channels 4e .. of token t.
fn convolved(t: u32, e: u32, pos: u32) -> vec4<f32> {
    return c[t * CHANNELS4 + e];
}

fn remember(t: u32, e: u32, pos: u32) {
}
