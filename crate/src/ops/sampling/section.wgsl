// Sections of the vocabulary, and what the sampler's two launches do alike.
//
// A section's partial result: the bits of its largest logit, the lowest id that has it, the bits of
// sum exp((logit - largest) / temperature), BROKEN if a logit is no number.
//
// Constants from the header:
//   VOCAB: u32
//   SECTION: u32, tokens of a section, a multiple of WG
const SECTIONS: u32 = (VOCAB + SECTION - 1u) / SECTION;
const LOWEST: f32 = -3.4e38;
const SIDE: u32 = 16u; // threads that sum first, and values that each of them sums: WG = SIDE * SIDE

var<workgroup> values: array<f32, WG>;
var<workgroup> ids: array<u32, WG>;
var<workgroup> side_values: array<f32, SIDE>;
var<workgroup> side_ids: array<u32, SIDE>;

struct Best { value: f32, id: u32 }

// Returns the larger one, or of equals that with the lower id.
fn better(a: Best, b: Best) -> Best {
    if (b.value > a.value || (b.value == a.value && b.id < a.id)) {
        return b;
    }
    return a;
}

// Returns the best of all threads. Two steps of sixteen: on a software adapter a barrier costs more than a few loads.
fn best_of_all(lid: u32, mine: Best) -> Best {
    values[lid] = mine.value;
    ids[lid] = mine.id;
    workgroupBarrier();
    if (lid < SIDE) {
        var best = Best(values[lid], ids[lid]);
        for (var i = 1u; i < SIDE; i++) {
            best = better(best, Best(values[lid + i * SIDE], ids[lid + i * SIDE]));
        }
        side_values[lid] = best.value;
        side_ids[lid] = best.id;
    }
    workgroupBarrier();
    var best = Best(side_values[0], side_ids[0]);
    for (var i = 1u; i < SIDE; i++) {
        best = better(best, Best(side_values[i], side_ids[i]));
    }
    workgroupBarrier();
    return best;
}

fn sum_of_all(lid: u32, mine: f32) -> f32 {
    values[lid] = mine;
    workgroupBarrier();
    if (lid < SIDE) {
        var sum = 0.0;
        for (var i = 0u; i < SIDE; i++) {
            sum += values[lid + i * SIDE];
        }
        side_values[lid] = sum;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < SIDE; i++) {
        sum += side_values[i];
    }
    workgroupBarrier();
    return sum;
}
