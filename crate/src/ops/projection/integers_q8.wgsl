// A block of weights as bytes, which they are.
struct Bytes { first: vec4<u32>, second: vec4<u32>, scales: vec2<f32>, minimum: f32 }

const PARTS: u32 = 1u; // with a scale of their own
const HAS_MINIMUM: bool = false;

fn load_integers(i: u32) -> Bytes {
    let at = padded(i);
    return Bytes(quants[2u * at], quants[2u * at + 1u], vec2<f32>(scale_at(at)), 0.0);
}
