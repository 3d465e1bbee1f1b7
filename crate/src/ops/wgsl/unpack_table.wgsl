// Iq4 and Fp4: 32 weights = 4 words of nibbles + 1 word, the scale. weight = d * table[q].
const BLOCK_VECS: u32 = 8u; // vec4s of weights in a block
@group(0) @binding(0) var<storage, read_write> quants: array<vec4<u32>>; // [rows, cols / 32]
@group(0) @binding(1) var<storage, read_write> scales: array<f32>; // [rows, cols / 32]

// In workgroup memory each entry is in a separate bank, so that a GPU's threads look up different ones at once.
var<workgroup> table: array<f32, 16>;

fn prepare_table(lid: u32) {
    var values = array<f32, 16>(
        {{ T0 }}, {{ T1 }}, {{ T2 }}, {{ T3 }}, {{ T4 }}, {{ T5 }}, {{ T6 }}, {{ T7 }},
        {{ T8 }}, {{ T9 }}, {{ T10 }}, {{ T11 }}, {{ T12 }}, {{ T13 }}, {{ T14 }}, {{ T15 }},
    );
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

// 32 weights in column order.
struct Block {
    a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>,
    e: vec4<f32>, f: vec4<f32>, g: vec4<f32>, h: vec4<f32>,
}

fn unpack_block(i: u32) -> Block {
    let d = scales[i];
    let q = quants[i];
    let p = q >> vec4<u32>(4u);
    return Block(
        numbers(q.x) * d, numbers(q.y) * d, numbers(q.z) * d, numbers(q.w) * d,
        numbers(p.x) * d, numbers(p.y) * d, numbers(p.z) * d, numbers(p.w) * d,
    );
}
