// A grid that is read where it lies: it is so large that a copy would take longer than a workgroup's weights, and more than
// devices must have.
//
// Constants from the header:
//   GRID_AT: u32, the first word of the grid, after the scales, with two entries a word

fn prepare_weights(lid: u32) {}

fn entry(index: u32) -> u32 {
    return (scales[GRID_AT + index / 2u] >> (index % 2u * 16u)) & 0xffffu;
}
