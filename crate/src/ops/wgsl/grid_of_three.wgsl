// Entries of eight weights, two bits each, whose codes 0, 1, 2 mean -7, 1, 9: eighths of -1, 0 and 1, moved up by one.
const NEXT_FOUR: u32 = 8u; // bits from four codes to the next

// Returns the values of the lowest four codes, see grid_of_eight.wgsl.
fn magnitudes(codes: u32) -> vec4<f32> {
    let c = vec4<f32>(vec4<i32>(i32(codes)) & vec4<i32>(0x3, 0xc, 0x30, 0xc0));
    return fma(c, vec4<f32>(8.0, 2.0, 0.5, 0.125), vec4<f32>(-7.0));
}
