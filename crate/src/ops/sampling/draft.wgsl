// Drafts the next tokens: the continuation of the longest earlier match of the context's end, the latest if several.
// Saxena 2023, "Prompt Lookup Decoding".
//
// Constants from the header:
//   MIN_MATCH: u32, minimum number of equal tokens for a match
//   MAX_MATCH: u32, maximum number of tokens compared

// Writes at most `most` ids after the first of IDS, and their number to shared_left of thread 0. `end` is the
// position of the last token.
fn draft(lid: u32, end: u32, most: u32) {
    if (lid == 0u) {
        atomicStore(&bins[0], 0u);
    }
    workgroupBarrier();
    let last = min(end, N_CTX - 1u);
    for (var j = lid; j < last; j += WG) {
        var length = 0u;
        while (length < MAX_MATCH && length <= j && tokens[j - length] == tokens[last - length]) {
            length += 1u;
        }
        if (length >= MIN_MATCH) {
            atomicMax(&bins[0], (length << 24u) | j);
        }
    }
    workgroupBarrier();
    if (lid == 0u) {
        let found = atomicLoad(&bins[0]);
        let period = last - (found & 0xffffffu);
        // (end + most + 1 positions must fit)
        let room = N_CTX - 1u - last;
        shared_left = select(0u, min(most, room), found > 0u);
        for (var i = 0u; i < shared_left; i++) {
            // Past the end the draft wraps around: a repetition is expected to repeat.
            state[IDS + 1u + i] = tokens[last - period + 1u + i % period];
        }
    }
}
