// The gate of attention's output, whose logits follow each head's query in qkv.
@group(0) @binding(3) var<storage, read_write> qkv: array<vec4<f32>>; // [1, (2 N_HEADS + ..) HEAD_DIM4]

fn gate_of(at: u32) -> vec4<f32> {
    return 1.0 / (1.0 + exp(-qkv[(2u * (at / HEAD_DIM4) + 1u) * HEAD_DIM4 + at % HEAD_DIM4]));
}
