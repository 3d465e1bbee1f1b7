// A block of weights as bytes: nibbles.
struct Bytes { first: vec4<u32>, second: vec4<u32>, scales: vec2<f32>, minimum: f32 }

const PARTS: u32 = 1u; // with a scale of their own
const HAS_MINIMUM: bool = true;

fn load_integers(i: u32) -> Bytes {
    let at = padded(i);
    let dm = scale_and_minimum(at);
    let q = quants[at];
    let mask = vec4<u32>(0x0f0f0f0fu);
    return Bytes(q & mask, (q >> vec4<u32>(4u)) & mask, dm.xx, dm.y);
}
