// Entries of four weights, a nibble each, whose codes c from 0 to 7 mean max(LOW.x c + LOW.y, HIGH.x c + HIGH.y).
const NEXT_FOUR: u32 = 16u; // bits from four codes to the next

// Returns the magnitudes of the lowest four codes, see grid_of_eight.wgsl.
fn magnitudes(codes: u32) -> vec4<f32> {
    let c = vec4<f32>(vec4<i32>(i32(codes)) & vec4<i32>(0x7, 0x70, 0x700, 0x7000));
    let place = vec4<f32>(1.0, 0.0625, 0.00390625, 0.000244140625);
    return max(fma(c, LOW.x * place, vec4<f32>(LOW.y)), fma(c, HIGH.x * place, vec4<f32>(HIGH.y)));
}
