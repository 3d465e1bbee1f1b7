// The values of nibbles.
//
// Constants from the header:
//   TABLE: array<f32, 16>, values of the indices
// In workgroup memory each entry is in a separate bank, so that a GPU's threads look up different ones at once.
var<workgroup> table: array<f32, 16>;

// Prepares workgroup memory, before the first block is unpacked.
fn prepare_weights(lid: u32) {
    var values = TABLE;
    if (lid < 16u) {
        table[lid] = values[lid];
    }
    workgroupBarrier();
}

// Returns the values of the low nibbles of a word's bytes.
fn numbers(w: u32) -> vec4<f32> {
    return vec4<f32>(
        table[w & 15u], table[(w >> 8u) & 15u], table[(w >> 16u) & 15u], table[(w >> 24u) & 15u],
    );
}
