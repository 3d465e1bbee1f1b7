// Shared by the kernels that append: what they read, and a column of a head, prepared and rotated.
//
// Constants from the header:
//   N_HEADS: u32
//   N_KV: u32
//   KV_PARTS: u32, of keys and values in qkv: 2 both, 1 keys, from which the values are made as well, 0 none, as the
//     caches are those of an earlier layer
//   KEPT_PARTS: u32, caches that are written: 2 keys and values, 1 keys, 0 none
//   HEAD_DIM: u32
//   QUERY_HEADS: u32, widths of a head that a query takes: 2 with a gate behind it
//   HEAD_GATES: u32, columns of qkv behind the values: a gate for each head, or none
//   ROPE_PAIRS: u32, rotated pairs of a head; the remaining columns are unchanged
//   N_CTX: u32
//   NEOX: bool, pairs (i, i + ROPE_PAIRS) instead of (2i, 2i + 1)
//   IN_HALVES: bool, each half of a head, with half of the pairs, is rotated as if it were a head
//   TEMPER: f32, strength of the factor that depends on the position; 0 for none
//   TEMPER_CTX: u32, positions per step of that factor
@group(0) @binding(0) var<storage, read_write> qkv: array<f32>; // [T, ROW]
@group(0) @binding(1) var<storage, read_write> rope: array<vec2<f32>>; // [N_CTX, ROPE_PAIRS], (cos, sin)
@group(0) @binding(2) var<storage, read_write> state: array<u32>; // [STATE_WORDS]

const ROW: u32 = (QUERY_HEADS * N_HEADS + KV_PARTS * N_KV) * HEAD_DIM + HEAD_GATES;

// Returns the head of qkv from which a head of q, of the keys or of the values is made.
fn source(head: u32) -> u32 {
    return select(head, head - N_KV, KV_PARTS == 1u && head >= N_HEADS + N_KV);
}

// Returns the first column of a head of qkv: of queries, then keys, then values.
fn first_column(head: u32) -> u32 {
    return (head + (QUERY_HEADS - 1u) * min(head, N_HEADS)) * HEAD_DIM;
}

// Returns the factor that scales a query at position p.
fn tempered(p: u32) -> f32 {
    return 1.0 + TEMPER * log(1.0 + f32(p / TEMPER_CTX));
}

// Returns column c of a head, rotated for position p.
fn rotated(row_at: u32, head: u32, c: u32, p: u32, factor: f32) -> f32 {
    return rotated_alone(row_at, head, c, p, factor) * rotated_weight(head, c);
}

fn rotated_alone(row_at: u32, head: u32, c: u32, p: u32, factor: f32) -> f32 {
    let value = value_of(row_at, head, c, factor);
    if (c >= 2u * ROPE_PAIRS) {
        return value;
    }
    let pairs = select(ROPE_PAIRS, ROPE_PAIRS / 2u, IN_HALVES);
    let part = select(0u, c / max(ROPE_PAIRS, 1u), IN_HALVES);
    let i = c - part * ROPE_PAIRS;
    let pair = part * pairs + select(i / 2u, i % max(pairs, 1u), NEOX);
    let is_first = select(i % 2u == 0u, i < pairs, NEOX);
    let distance = select(1u, pairs, NEOX);
    let r = rope[p * ROPE_PAIRS + pair];
    if (is_first) {
        return value * r.x - value_of(row_at, head, c + distance, factor) * r.y;
    }
    return value_of(row_at, head, c - distance, factor) * r.y + value * r.x;
}
