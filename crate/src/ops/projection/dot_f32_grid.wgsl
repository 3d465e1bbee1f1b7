// Multiplies block i of the weight by a block of input; each half's scale is applied once, to its sum.
fn dot_input(i: u32, x: Input) -> f32 {
    let w = load_words(i);
    let d = halves(w, i);
    let p = eight(w, 0u);
    let q = eight(w, 1u);
    let r = eight(w, 2u);
    let s = eight(w, 3u);
    let first = dot(p.a, x.a) + dot(p.b, x.b) + dot(q.a, x.c) + dot(q.b, x.d);
    let second = dot(r.a, x.e) + dot(r.b, x.f) + dot(s.a, x.g) + dot(s.b, x.h);
    return d.x * first + d.y * second;
}

// Factor applied to the input beforehand, once for all rows.
const INPUT_FACTOR: vec4<f32> = vec4<f32>(1.0);
