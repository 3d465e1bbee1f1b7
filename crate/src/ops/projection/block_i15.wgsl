// A block of 32 columns of input as integers: x ~ scale * (128 * high + low), two signed bytes. Together the two have 15
// bits, so that no model could notice the loss compared with the f32 kernels; with 8 bits SmolLM2's logits move by 0.2
// and its answers change.

// Splits four integers of 15 bits into packed bytes: high and low.
fn split4(v: vec4<f32>) -> vec2<u32> {
    let q = vec4<i32>(round(v));
    let high = (q + vec4<i32>(64)) >> vec4<u32>(7u);
    return vec2<u32>(pack4xI8(high), pack4xI8(q - 128 * high));
}
