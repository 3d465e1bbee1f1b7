// Scores of a tile of WG positions, for heads of a multiple of 32 columns: eight neighbours read the columns of eight keys
// together, so that a request touches eight rows instead of 64, and exchange their sums within the subgroup until each has
// the score of one position. In smaller subgroups each thread reads a key of its own.

const LANES: u32 = 8u; // threads that read a key together, and keys that they read
const KEYS: u32 = 4u; // that they read at once: every second, since sums of eight take more registers than GPUs have

// The launch's uniform builtins: Chromium takes a struct for uniform only if all of it is.
struct Launch {
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(subgroup_size) subgroup_size: u32,
}

// Returns the products of the queries with the key at position `base + lid`, which is in row `first_row + base + lid` of the
// cache; anything from position `end` on.
fn tile_scores(lid: u32, base: u32, end: u32, first_row: u32, launch: Launch) -> array<f32, ROWS> {
    // Without an initialiser, Chromium's compiler keeps the values of the previous iteration.
    var score = array<f32, ROWS>();
    if (launch.subgroup_size < LANES) {
        let row = first_row + min(base + lid, end - 1u);
        for (var i = 0u; i < HEAD_DIM4; i++) {
            let k = load_k(row, i);
            for (var r = 0u; r < ROWS; r++) {
                score[r] += dot(query[r * HEAD_DIM4 + i], k);
            }
        }
        return score;
    }
    let lane = lid % LANES;
    let first = base + lid - lane;
    for (var odd = 0u; odd < LANES / KEYS; odd++) {
        var sums = array<f32, ROWS * KEYS>(); // [ROWS, KEYS]
        for (var n = 0u; n < HEAD_DIM4 / LANES; n++) {
            let i = n * LANES + lane;
            var keys: array<vec4<f32>, KEYS>;
            for (var p = 0u; p < KEYS; p++) {
                keys[p] = load_k(first_row + min(first + 2u * p + odd, end - 1u), i);
            }
            for (var r = 0u; r < ROWS; r++) {
                let q = query[r * HEAD_DIM4 + i];
                for (var p = 0u; p < KEYS; p++) {
                    sums[r * KEYS + p] += dot(q, keys[p]);
                }
            }
        }
        for (var r = 0u; r < ROWS; r++) {
            let sum = exchanged(lane, r * KEYS, &sums);
            score[r] = select(score[r], sum, lane % 2u == odd);
        }
    }
    return score;
}

// Adds up the sums of eight neighbours for four keys, from `at` on, and returns those of key `lane / 2`: in each step a thread
// keeps half of its keys and gives the other half to a neighbour, and in the last both have the same.
fn exchanged(lane: u32, at: u32, sums: ptr<function, array<f32, ROWS * KEYS>>) -> f32 {
    let upper = (lane & 4u) != 0u;
    var twos: array<f32, 2>;
    for (var p = 0u; p < 2u; p++) {
        let low = (*sums)[at + p];
        let high = (*sums)[at + p + 2u];
        twos[p] = select(low, high, upper) + subgroupShuffleXor(select(high, low, upper), 4u);
    }
    let second = (lane & 2u) != 0u;
    let one = select(twos[0], twos[1], second) + subgroupShuffleXor(select(twos[1], twos[0], second), 2u);
    return one + subgroupShuffleXor(one, 1u);
}
