// Constants from the header:
//   ROWS: u32, of the projection
//   SEGMENTS: u32, tensors that have these rows, at most three
//   SECOND, THIRD: u32, first rows of the second and the third of them; ROWS if there are fewer
//   RANK4: u32

// Returns what the adapter adds to a row of the projection of token t.
fn change(t: u32, row: u32) -> f32 {
    let segment = u32(row >= SECOND) + u32(row >= THIRD);
    let first = (t * SEGMENTS + segment) * RANK4;
    var sum = vec4<f32>(0.0);
    for (var i = 0u; i < RANK4; i++) {
        sum += a[first + i] * b[row * RANK4 + i];
    }
    return sum.x + sum.y + sum.z + sum.w;
}
