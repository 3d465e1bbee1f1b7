// A block of weights as bytes: the nibbles, the upper two bits above them, minus 32.
struct Bytes { first: vec4<u32>, second: vec4<u32>, scales: vec2<f32>, minimum: f32 }

const PARTS: u32 = 2u; // with a scale of their own
const HAS_MINIMUM: bool = false;

// Returns a half's bytes. Subtracting 32 borrows from no other byte while the highest bit is set, which is flipped then.
fn signed(nibbles: vec4<u32>, plane: u32) -> vec4<u32> {
    let planes = vec4<u32>(plane, plane >> 2u, plane >> 4u, plane >> 6u);
    let high = (planes & vec4<u32>(0x03030303u)) << vec4<u32>(4u);
    let q = (nibbles & vec4<u32>(0x0f0f0f0fu)) | high | vec4<u32>(0x80808080u);
    return (q - vec4<u32>(0x20202020u)) ^ vec4<u32>(0x80808080u);
}

fn load_integers(i: u32) -> Bytes {
    let q = quants[i];
    let h = halves(i);
    let first = signed(q, h.a);
    let second = signed(q >> vec4<u32>(4u), h.b);
    return Bytes(first, second, h.scales, 0.0);
}
