// Attention over the caches of an earlier layer, to which it appends nothing.

fn append_row(lid: u32, h0: u32, p: u32) {}
