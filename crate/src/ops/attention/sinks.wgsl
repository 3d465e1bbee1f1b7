// One logit per head that takes part in the softmax but has no value: it absorbs attention if no position is
// relevant.
@group(0) @binding(5) var<storage, read_write> extras: array<f32>; // [.., N_HEADS], see ops/attention/rope_append.rs

const SINKS: bool = true;

fn sink(head: u32) -> f32 {
    return extras[{{ SINKS_AT }}u + head];
}
