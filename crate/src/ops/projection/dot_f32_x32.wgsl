// A block of input: 32 columns times INPUT_FACTOR, and the sums of all columns and of the first half, which minima
// are multiplied by.
struct Input {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
    sum: f32, first: f32,
}

fn load_input(at: u32) -> Input {
    let a = input(at);
    let b = input(at + 1u);
    let c = input(at + 2u);
    let d = input(at + 3u);
    let e = input(at + 4u);
    let f = input(at + 5u);
    let g = input(at + 6u);
    let h = input(at + 7u);
    let half = (a + b) + (c + d);
    let first = dot(half, vec4<f32>(1.0));
    let sum = dot(half + ((e + f) + (g + h)), vec4<f32>(1.0));
    let k = INPUT_FACTOR;
    return Input(a * k, b * k, c * k, d * k, e * k, f * k, g * k, h * k, sum, first);
}
