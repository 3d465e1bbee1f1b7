// Leaves the input unstaged; it is read at each use.
fn prepare(lid: u32) -> f32 {
    return input_scale(lid);
}

fn input(at: u32) -> vec4<f32> {
    return raw_input(at);
}
