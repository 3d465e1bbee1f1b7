// A tile of TILE_ROWS rows and TOKENS tokens, of which each thread has some rows, and four tokens, APART apart.
//
// Modules: linear_output, and shared_in_order or shared_by_expert.
// Constants from the header:
//   TILE_ROWS: u32
//   TOKENS: u32, per tile
const APART: u32 = TOKENS / 4u;

var<workgroup> tokens_there: u32; // number of live tokens in this tile

// Tokens, or places in a list of them, from `first` up to but excluding `end`, multiplied by the weight's rows from
// `row` on.
struct Tile { first: u32, end: u32, row: u32 }

// Writes the output of row `row` for tokens `t`, `t + APART` and so on, if they exist.
fn write_row(t: u32, end: u32, row: u32, sums: vec4<f32>) {
    if (row >= ROWS) {
        return;
    }
    if (t < end) {
        write(y_row(t), row, sums.x);
    }
    if (t + APART < end) {
        write(y_row(t + APART), row, sums.y);
    }
    if (t + 2u * APART < end) {
        write(y_row(t + 2u * APART), row, sums.z);
    }
    if (t + 3u * APART < end) {
        write(y_row(t + 3u * APART), row, sums.w);
    }
}
