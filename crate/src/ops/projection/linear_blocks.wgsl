// Input of projections of several tokens, as integers, see quantise.wgsl.
@group(0) @binding(WEIGHT_BUFFERS) var<storage, read_write> x: array<vec4<u32>>; // [T, BLOCKS, 5]
