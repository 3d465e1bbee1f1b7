// Input of projections of several tokens, as floats.
@group(0) @binding(WEIGHT_BUFFERS) var<storage, read_write> x: array<vec4<f32>>; // [T, COLS4]
