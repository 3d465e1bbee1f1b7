// Entries of eight weights, two bits each, whose codes 0, 1, 2 mean 8, 25, 43.
const NEXT_FOUR: u32 = 8u; // bits from four codes to the next

// Returns the magnitudes of the lowest four codes, which are left in place and scaled down: shifting each lane by a
// different amount is slow on software adapters.
fn magnitudes(codes: u32) -> vec4<f32> {
    let c = vec4<f32>(vec4<i32>(i32(codes)) & vec4<i32>(0x3, 0xc, 0x30, 0xc0));
    let place = vec4<f32>(1.0, 0.25, 0.0625, 0.015625);
    return max(fma(c, 17.0 * place, vec4<f32>(8.0)), fma(c, 18.0 * place, vec4<f32>(7.0)));
}
