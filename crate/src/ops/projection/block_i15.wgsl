// A block of 32 columns of input as integers: x ~ scale * (128 * high + low), two signed bytes. Together the two have 15
// bits, so that no model could notice the loss compared with the f32 kernels; with 8 bits SmolLM2's logits move by 0.2
// and its answers change.
struct Quantised { high0: vec4<u32>, high1: vec4<u32>, low0: vec4<u32>, low1: vec4<u32>, scale: f32, sum: f32 }

// Splits four integers of 15 bits into packed bytes: high and low.
fn split4(v: vec4<f32>) -> vec2<u32> {
    let q = vec4<i32>(round(v));
    let high = (q + vec4<i32>(64)) >> vec4<u32>(7u);
    return vec2<u32>(pack4xI8(high), pack4xI8(q - 128 * high));
}

fn quantised(v: ptr<function, array<vec4<f32>, 8>>) -> Quantised {
    var peak = vec4<f32>(0.0);
    var sum = vec4<f32>(0.0);
    for (var i = 0u; i < 8u; i++) {
        peak = max(peak, abs((*v)[i]));
        sum += (*v)[i];
    }
    let largest = max(max(peak.x, peak.y), max(peak.z, peak.w));
    let inverse = select(0.0, 16256.0 / largest, largest > 0.0); // 127 * 128
    var words = array<vec2<u32>, 8>();
    for (var i = 0u; i < 8u; i++) {
        words[i] = split4((*v)[i] * inverse);
    }
    return Quantised(
        vec4<u32>(words[0].x, words[1].x, words[2].x, words[3].x),
        vec4<u32>(words[4].x, words[5].x, words[6].x, words[7].x),
        vec4<u32>(words[0].y, words[1].y, words[2].y, words[3].y),
        vec4<u32>(words[4].y, words[5].y, words[6].y, words[7].y),
        largest / 16256.0,
        dot(sum, vec4<f32>(1.0)),
    );
}
