// A layer's bias, norms and sinks.
//
// Constants from the header:
//   ATTN_PARAMS: u32, their binding
@group(0) @binding(ATTN_PARAMS) var<storage, read_write> attn_params: array<f32>; // see ops/attention/spec.rs
