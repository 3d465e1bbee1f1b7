// Input: one token's attention, merged from the spans computed by attention.wgsl.
// `gate_of` is the gate of a vec4 of it (merge_gate*.wgsl).
// x: [N_HEADS, SPLITS, HEAD_DIM4 + 1], where the last vec4 is (peak, sum, 0, 0).
//
// Constants from the header:
//   HEAD_DIM4: u32
//   N_CTX: u32
@group(0) @binding(WEIGHT_BUFFERS + 2u) var<storage, read_write> state: array<u32>; // [STATE_WORDS], ops/state.rs

const RECORD: u32 = HEAD_DIM4 + 1u;

fn raw_input(at: u32) -> vec4<f32> {
    let end = min(state[POS] + 1u, N_CTX);
    let len = end - first_seen(end - 1u);
    let span = split_span(len);
    let spans = (len + span - 1u) / span;
    let first = at / HEAD_DIM4 * SPLITS * RECORD;
    let d = at % HEAD_DIM4;
    var top = -3.0e38;
    for (var s = 0u; s < spans; s++) {
        top = max(top, x[first + s * RECORD + HEAD_DIM4].x);
    }
    var sum = 0.0;
    var total = vec4<f32>(0.0);
    for (var s = 0u; s < spans; s++) {
        let record = first + s * RECORD;
        let weight = exp(x[record + HEAD_DIM4].x - top);
        sum += weight * x[record + HEAD_DIM4].y;
        total += weight * x[record + d];
    }
    return total / sum * gate_of(at);
}

fn input_scale(lid: u32) -> f32 {
    return 1.0;
}
