// q, k and v unchanged.

fn factor_of(row_at: u32, head: u32) -> f32 {
    return 1.0;
}

fn rotated_weight(head: u32, c: u32) -> f32 {
    return 1.0;
}

fn value_of(row_at: u32, head: u32, c: u32, factor: f32) -> f32 {
    return qkv[row_at + first_column(source(head)) + c];
}
