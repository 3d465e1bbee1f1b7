// The norms' factors for attention that appends: a head's partial sums are computed by as many threads and added up in the order
// in which `factor_of` adds them.
//
// Modules: qkv_params. The partial sums are where the scores will be, ROWS * WG numbers.

const SQUARES_ROUNDS: u32 = ((ROWS + 2u) * SUMS + WG - 1u) / WG;

// Sums the squares of the first `heads` heads that this workgroup may prepare.
fn share_squares(lid: u32, h0: u32, heads: u32) {
    for (var n = 0u; n < SQUARES_ROUNDS; n++) {
        let i = n * WG + lid;
        if (i < heads * SUMS) {
            scores[i] = squares(0u, normed(projected_head(h0, i / SUMS)), i % SUMS);
        }
    }
    workgroupBarrier();
}

// Returns the factor of head number n of them.
fn shared_factor(h0: u32, n: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < SUMS; i++) {
        sum += scores[n * SUMS + i];
    }
    return norm_factor(normed(projected_head(h0, n)), sum);
}
