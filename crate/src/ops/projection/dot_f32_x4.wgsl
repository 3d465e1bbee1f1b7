// A block of input: 4 columns.
struct Input { a: vec4<f32> }

fn load_input(at: u32) -> Input {
    return Input(input(at));
}

// Multiplies block i of the weight by that input.
fn dot_input(i: u32, x: Input) -> f32 {
    return dot(unpack_block(i).a, x.a);
}
