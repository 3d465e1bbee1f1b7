// Bias of the expert to which a row was routed.
@group(0) @binding(3) var<storage, read_write> routes: array<vec2<f32>>; // [T, PER_TOKEN]: expert, weight

fn bias_row(row: u32) -> u32 {
    return u32(routes[row].x);
}
