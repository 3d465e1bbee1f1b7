// The rows of a new key and its value in the caches, for attention that appends.

const ROW_ROUNDS: u32 = (2u * HEAD_DIM4 + WG - 1u) / WG;

// Writes both rows for position p.
fn append_row(lid: u32, h0: u32, p: u32) {
    let row = (h0 / GROUP * N_CTX + p) * HEAD_DIM4;
    for (var turn = 0u; turn < ROW_ROUNDS; turn++) {
        let i = turn * WG + lid;
        let n = ROWS + i / HEAD_DIM4;
        let column = i % HEAD_DIM4;
        let head = projected_head(h0, n);
        if (n == ROWS) {
            let factor = shared_factor(h0, n);
            k_cache[row + column] = pack4(four_rotated(head, column, p, factor));
        } else if (n == ROWS + 1u) {
            let factor = shared_factor(h0, n);
            let c = 4u * column;
            v_cache[row + column] = pack4(vec4<f32>(
                value_of(0u, head, c, factor),
                value_of(0u, head, c + 1u, factor),
                value_of(0u, head, c + 2u, factor),
                value_of(0u, head, c + 3u, factor),
            ));
        }
    }
}
