// out[h, :] = one token's attention, merged from the spans of its context that attention.wgsl left.
//
// grid: (N_HEADS). A workgroup takes a head; a thread takes a column and every PARTS-th span, so that each record is
// read once. A span that is not there is read as the last one, with weight zero: the loop has a fixed number of rounds,
// and compilers unroll it and load first.
//
// Modules: state, split_span, gate_none, gate_values or gate_each_head; the latter have constants and qkv, as binding 3.
// Constants from the header:
//   HEAD_DIM4: u32, at most WG
//   N_CTX: u32
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>; // [N_HEADS, SPLITS, HEAD_DIM4 + 1], (peak, sum, 0, 0) last
@group(0) @binding(1) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>; // [N_HEADS, HEAD_DIM4]

const RECORD: u32 = HEAD_DIM4 + 1u;
const PARTS: u32 = min(WG / HEAD_DIM4, SPLITS); // threads that share a column
const EACH: u32 = (SPLITS + PARTS - 1u) / PARTS; // spans of a thread
const LOWEST: f32 = -3.0e38;

var<workgroup> totals: array<vec4<f32>, PARTS * HEAD_DIM4>; // [PARTS, HEAD_DIM4]
var<workgroup> ends: array<vec2<f32>, PARTS>; // [PARTS]: peak, sum

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) wg: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let end = min(state[POS] + 1u, N_CTX);
    let len = end - first_seen(end - 1u);
    let span = split_span(len);
    let spans = (len + span - 1u) / span;
    let part = lid / HEAD_DIM4;
    let column = lid % HEAD_DIM4;
    if (part < PARTS) {
        var top = LOWEST;
        var sum = 0.0;
        var total = vec4<f32>(0.0);
        for (var i = 0u; i < EACH; i++) {
            let s = part + i * PARTS;
            let record = (wg.x * SPLITS + min(s, spans - 1u)) * RECORD;
            let ends = x[record + HEAD_DIM4];
            let value = x[record + column];
            let peak = select(LOWEST, ends.x, s < spans);
            let new_top = max(top, peak);
            let keep = exp(top - new_top);
            let weight = select(0.0, exp(peak - new_top), s < spans);
            sum = sum * keep + weight * ends.y;
            total = total * keep + weight * value;
            top = new_top;
        }
        totals[lid] = total;
        if (column == 0u) {
            ends[part] = vec2<f32>(top, sum);
        }
    }
    workgroupBarrier();
    if (part > 0u) {
        return;
    }
    var top = LOWEST;
    for (var p = 0u; p < PARTS; p++) {
        top = max(top, ends[p].x);
    }
    var sum = 0.0;
    var total = vec4<f32>(0.0);
    for (var p = 0u; p < PARTS; p++) {
        let weight = exp(ends[p].x - top);
        sum += weight * ends[p].y;
        total += weight * totals[p * HEAD_DIM4 + column];
    }
    let at = wg.x * HEAD_DIM4 + column;
    out[at] = total / sum * (1.0 / divisor_of(0u, at));
}
