// A grid of which every workgroup has a copy.
//
// Constants from the header:
//   GRID_AT: u32, the first word of the grid, after the scales

// Two entries a word.
var<workgroup> grid: array<u32, GRID_WORDS>;

// Copies the grid to workgroup memory, before the first block is unpacked.
fn prepare_weights(lid: u32) {
    for (var w = lid; w < GRID_WORDS; w += WG) {
        grid[w] = scales[GRID_AT + w];
    }
    workgroupBarrier();
}

fn entry(index: u32) -> u32 {
    return (grid[index / 2u] >> (index % 2u * 16u)) & 0xffffu;
}
