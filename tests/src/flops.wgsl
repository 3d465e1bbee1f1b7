// Multiplies and adds in registers: 8 vec4s a round, which do not wait for each other.
//
// Constants from the header:
//   ROUNDS: u32
@group(0) @binding(0) var<storage, read_write> y: array<f32>; // [threads]

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = vec4<f32>(f32(id.x) * 1e-9);
    let m = vec4<f32>(0.999);
    var a = x;
    var b = x + 1.0;
    var c = x + 2.0;
    var d = x + 3.0;
    var e = x + 4.0;
    var f = x + 5.0;
    var g = x + 6.0;
    var h = x + 7.0;
    for (var i = 0u; i < ROUNDS; i++) {
        a = fma(a, m, x);
        b = fma(b, m, x);
        c = fma(c, m, x);
        d = fma(d, m, x);
        e = fma(e, m, x);
        f = fma(f, m, x);
        g = fma(g, m, x);
        h = fma(h, m, x);
    }
    y[id.x] = dot(((a + b) + (c + d)) + ((e + f) + (g + h)), vec4<f32>(1.0));
}
