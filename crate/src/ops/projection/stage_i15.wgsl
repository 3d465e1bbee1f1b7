// Computes the workgroup's input once, as integers; as quantise.wgsl does, but in place: RADV's code for a function that
// returns a block takes 1.4 times as long by its own estimate.
//
// Modules: block_i15.
var<workgroup> staged: array<vec4<u32>, 4u * BLOCKS>; // [BLOCKS, 4]: high, high, low, low
var<workgroup> factors: array<vec2<f32>, BLOCKS>; // [BLOCKS]: scale, sum of x

const MORE_SUMS: u32 = 0u;

fn prepare(lid: u32) -> f32 {
    begin_input();
    for (var b = lid; b < BLOCKS; b += WG) {
        let at = b * 8u;
        var v = array<vec4<f32>, 8>();
        var peak = vec4<f32>(0.0);
        var sum = vec4<f32>(0.0);
        for (var i = 0u; i < 8u; i++) {
            v[i] = raw_input(at + i);
            peak = max(peak, abs(v[i]));
            sum += v[i];
        }
        let largest = max(max(peak.x, peak.y), max(peak.z, peak.w));
        let inverse = select(0.0, 16256.0 / largest, largest > 0.0); // 127 * 128
        var words = array<vec2<u32>, 8>();
        for (var i = 0u; i < 8u; i++) {
            words[i] = split4(v[i] * inverse);
        }
        staged[4u * b] = vec4<u32>(words[0].x, words[1].x, words[2].x, words[3].x);
        staged[4u * b + 1u] = vec4<u32>(words[4].x, words[5].x, words[6].x, words[7].x);
        staged[4u * b + 2u] = vec4<u32>(words[0].y, words[1].y, words[2].y, words[3].y);
        staged[4u * b + 3u] = vec4<u32>(words[4].y, words[5].y, words[6].y, words[7].y);
        factors[b] = vec2<f32>(largest / 16256.0, dot(sum, vec4<f32>(1.0)));
    }
    let scale = input_scale(lid);
    workgroupBarrier();
    return scale;
}

// A block of input: 32 columns.
struct Input { high0: vec4<u32>, high1: vec4<u32>, low0: vec4<u32>, low1: vec4<u32>, scale: f32, sum: f32 }

fn load_input(at: u32) -> Input {
    let b = at / 8u;
    let factor = factors[b];
    return Input(
        staged[4u * b], staged[4u * b + 1u], staged[4u * b + 2u], staged[4u * b + 3u], factor.x, factor.y,
    );
}

fn dot16(w: vec4<u32>, x: vec4<u32>) -> i32 {
    return dot4I8Packed(w.x, x.x) + dot4I8Packed(w.y, x.y) + dot4I8Packed(w.z, x.z) + dot4I8Packed(w.w, x.w);
}

// Returns the dot product of 32 bytes with a block of input, without the weight's scale. The integer is at most 2^25,
// so it is exact.
fn dot32(w0: vec4<u32>, w1: vec4<u32>, x: Input) -> f32 {
    let high = dot16(w0, x.high0) + dot16(w1, x.high1);
    let low = dot16(w0, x.low0) + dot16(w1, x.low1);
    return x.scale * f32(128 * high + low);
}
