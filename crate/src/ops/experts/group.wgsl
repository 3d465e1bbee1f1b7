// Sorts slots by expert, and cuts those of each expert into tiles.
//
// grid: (1). The order of an expert's slots is nondeterministic, which does not matter: each is multiplied
// separately.
//
// Modules: state.
// Constants from the header:
//   N_EXPERTS: u32
//   N_USED: u32
//   TILES: u32, maximum number of tiles
//   TOKENS: u32, slots per tile
@group(0) @binding(0) var<storage, read_write> routes: array<vec2<f32>>; // [T, N_USED]: expert, weight
@group(0) @binding(1) var<storage, read_write> state: array<u32>; // [STATE_WORDS]
@group(0) @binding(2) var<storage, read_write> groups: array<u32>; // [3 * TILES + T * N_USED], ops/experts/group.rs

var<workgroup> counts: array<atomic<u32>, N_EXPERTS>; // an expert's number of slots, then the place of its next slot
var<workgroup> firsts: array<u32, N_EXPERTS>; // place of an expert's first slot
var<workgroup> n_tiles: u32;

fn expert_of(slot: u32) -> u32 {
    return u32(routes[slot].x);
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lid: u32) {
    let slots = N_USED * state[N_TOKENS];
    for (var e = lid; e < N_EXPERTS; e += WG) {
        atomicStore(&counts[e], 0u);
    }
    workgroupBarrier();
    for (var slot = lid; slot < slots; slot += WG) {
        atomicAdd(&counts[expert_of(slot)], 1u);
    }
    workgroupBarrier();
    for (var e = lid; e < N_EXPERTS; e += WG) {
        var first = 0u;
        var tile = 0u;
        for (var before = 0u; before < e; before++) {
            let n = atomicLoad(&counts[before]);
            first += n;
            tile += (n + TOKENS - 1u) / TOKENS;
        }
        let n = atomicLoad(&counts[e]);
        for (var done = 0u; done < n; done += TOKENS) {
            groups[3u * tile] = e;
            groups[3u * tile + 1u] = first + done;
            groups[3u * tile + 2u] = first + min(done + TOKENS, n);
            tile++;
        }
        firsts[e] = first;
        if (e == N_EXPERTS - 1u) {
            n_tiles = tile;
        }
    }
    workgroupBarrier();
    for (var e = lid; e < N_EXPERTS; e += WG) {
        atomicStore(&counts[e], firsts[e]);
    }
    // Clears the unused tiles.
    for (var tile = n_tiles + lid; tile < TILES; tile += WG) {
        groups[3u * tile] = 0u;
        groups[3u * tile + 1u] = 0u;
        groups[3u * tile + 2u] = 0u;
    }
    workgroupBarrier();
    for (var slot = lid; slot < slots; slot += WG) {
        groups[3u * TILES + atomicAdd(&counts[expert_of(slot)], 1u)] = slot;
    }
}
