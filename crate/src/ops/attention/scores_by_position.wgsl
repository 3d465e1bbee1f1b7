// Scores of a tile of WG positions: each thread reads the key of one.

// The launch's uniform builtins: Chromium takes a struct for uniform only if all of it is.
struct Launch {
    @builtin(workgroup_id) wg: vec3<u32>,
}

// Returns the products of the queries with the key at position `base + lid`, which is in row `first_row + base + lid` of the
// cache; zeros from position `end` on.
fn tile_scores(lid: u32, base: u32, end: u32, first_row: u32, launch: Launch) -> array<f32, ROWS> {
    // Without an initialiser, Chromium's compiler keeps the values of the previous iteration.
    var score = array<f32, ROWS>();
    let j = base + lid;
    if (j < end) {
        for (var i = 0u; i < HEAD_DIM4; i++) {
            let k = load_k(first_row + j, i);
            for (var r = 0u; r < ROWS; r++) {
                score[r] += dot(query[r * HEAD_DIM4 + i], k);
            }
        }
    }
    return score;
}
