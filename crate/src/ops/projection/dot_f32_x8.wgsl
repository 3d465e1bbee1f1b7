// A block of input: 8 columns.
struct Input { a: vec4<f32>, b: vec4<f32> }

fn load_input(at: u32) -> Input {
    return Input(input(at), input(at + 1u));
}

// Multiplies block i of the weight by that input.
fn dot_input(i: u32, x: Input) -> f32 {
    let w = unpack_block(i);
    return dot(w.a, x.a) + dot(w.b, x.b);
}
