// Computes the workgroup's input once.
var<workgroup> staged: array<vec4<f32>, COLS4>;

const MORE_SUMS: u32 = 0u;

fn prepare(lid: u32) -> f32 {
    begin_input();
    for (var c = lid; c < COLS4; c += WG) {
        staged[c] = raw_input(c);
    }
    let scale = input_scale(lid);
    workgroupBarrier();
    return scale;
}

fn input(at: u32) -> vec4<f32> {
    return staged[at];
}
