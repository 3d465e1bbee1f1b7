// One logit per head that takes part in the softmax but has no value: it absorbs attention if no position is
// relevant.
//
// Constants from the header:
//   SINKS_AT: u32, offset of the logits in attn_params
@group(0) @binding(5) var<storage, read_write> attn_params: array<f32>; // [.., N_HEADS], see ops/attention/spec.rs

const SINKS: bool = true;

fn sink(head: u32) -> f32 {
    return attn_params[SINKS_AT + head];
}
