// y[t, h, :] = [rotated part of q[t, h], a[t, h]] for every head h;  y[t, HEADS, :] = [k[t], norm(c[t])]
//
// grid: (ceil((HEADS + 1) * KEPT4 / WG), T); a thread writes four columns.
//
// Constants from the header:
//   HEADS: u32
//   PLAIN4: u32, columns in fours: of the part of a query that does not rotate, of the part that does, of a latent
//   ROTATED4: u32
//   RANK4: u32
//   EPS: f32
@group(0) @binding(0) var<storage, read_write> q: array<vec4<f32>>; // [T, HEADS, PLAIN4 + ROTATED4]
@group(0) @binding(1) var<storage, read_write> a: array<vec4<f32>>; // [T, HEADS, RANK4]
@group(0) @binding(2) var<storage, read_write> kv: array<vec4<f32>>; // [T, KEPT4]: c, then k
@group(0) @binding(3) var<storage, read_write> weight: array<vec4<f32>>; // [RANK4]
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // [T, HEADS + 1, KEPT4]

const KEPT4: u32 = ROTATED4 + RANK4;

fn value_of(t: u32, head: u32, column: u32) -> vec4<f32> {
    let of_head = t * HEADS + head;
    if (head < HEADS) {
        if (column < ROTATED4) {
            return q[of_head * (PLAIN4 + ROTATED4) + PLAIN4 + column];
        }
        return a[of_head * RANK4 + column - ROTATED4];
    }
    let row = t * KEPT4;
    if (column < ROTATED4) {
        return kv[row + RANK4 + column];
    }
    var sum = 0.0;
    for (var i = 0u; i < RANK4; i++) {
        let v = kv[row + i];
        sum += dot(v, v);
    }
    let i = column - ROTATED4;
    return inverseSqrt(sum / f32(4u * RANK4) + EPS) * kv[row + i] * weight[i];
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= (HEADS + 1u) * KEPT4) {
        return;
    }
    let at = id.y * (HEADS + 1u) * KEPT4 + id.x;
    y[at] = value_of(id.y, id.x / KEPT4, id.x % KEPT4);
}
