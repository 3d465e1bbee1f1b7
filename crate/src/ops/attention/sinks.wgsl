// One logit per head that takes part in the softmax but has no value: it absorbs attention if no position is
// relevant.
//
// Modules: attn_params.
// Constants from the header:
//   SINKS_AT: u32, offset of the logits in attn_params

const SINKS: bool = true;

fn sink(head: u32) -> f32 {
    return attn_params[SINKS_AT + head];
}
