//! The division of attention into workgroups, spans and tiles.

use crate::ops::attention::kv::KvType;
use crate::ops::attention::spec::AttentionSpec;

/// Maximum number of spans of a context: beyond it, their records cost more than another workgroup gains.
const MAX_SPLITS: u32 = 128;
/// Queries of a workgroup where there are many, its threads, and the widest head that it has memory for.
const MANY_ROWS: u32 = 32;
const MANY_THREADS: u32 = 128;
const MANY_HEAD_DIM: u32 = 128;
/// Threads that read a key together.
const SHARING: u32 = 8;

impl AttentionSpec {
    /// Returns the positions of a tile: with few queries as many as threads, with many half of them.
    pub(super) fn tile(&self) -> u32 {
        match self.many_rows {
            true => MANY_THREADS / 2,
            false => self.workgroup(),
        }
    }

    /// Returns the threads of a workgroup: with few queries at least one for each four columns of a head, and as many as hide
    /// memory's latency beside the queries that they share.
    pub(super) fn workgroup(&self) -> u32 {
        match self.head_dim {
            _ if self.many_rows => MANY_THREADS,
            513.. => 192,
            128.. => 128,
            _ => 64,
        }
    }

    /// Returns the most queries per workgroup: what its memory holds.
    pub(super) fn max_rows(&self) -> u32 {
        match self.head_dim {
            _ if self.many_rows => MANY_ROWS,
            257.. => 4,
            _ => 8,
        }
    }

    /// Returns the spec for `t` tokens, with many queries in a workgroup if there are still `workgroups` of them, and if one has
    /// enough memory.
    pub(in crate::ops) fn with_many_rows(self, t: usize, workgroups: u32, memory: usize) -> Self {
        let many = Self {
            many_rows: true,
            ..self
        };
        let there = self.n_heads / many.heads() * (t as u32).div_ceil(many.tokens());
        let fits = self.head_dim <= MANY_HEAD_DIM && many.memory(MANY_ROWS) as usize <= memory;
        match t > 1 && self.splits == 1 && fits && there >= workgroups {
            true => many,
            false => self,
        }
    }

    /// Returns the spec for `t` tokens on a device with subgroups, whose neighbours then read keys together.
    pub(in crate::ops) fn with_columns(self, t: usize, subgroups: bool) -> Self {
        let by_column = subgroups && t == 1 && self.head_dim.is_multiple_of(4 * SHARING);
        Self { by_column, ..self }
    }

    /// Returns the lines of 64 bytes that 64 threads touch with one request of keys.
    pub(super) fn key_lines(&self) -> u32 {
        let four_columns = match self.kv {
            KvType::F32 => 16,
            KvType::F16 => 8,
            KvType::Q8 => 4,
        };
        match self.by_column {
            true => 64 / SHARING * (SHARING * four_columns).div_ceil(64),
            false => 64,
        }
    }

    /// Returns the bytes of workgroup memory for `rows` queries.
    pub(super) fn memory(&self, rows: u32) -> u32 {
        let (threads, tile) = (self.workgroup(), self.tile());
        if !self.many_rows {
            return 4 * rows * (self.head_dim + threads) + (4 + 16) * threads + 8;
        }
        // Groups of threads share the queries, the last with rows that only fill up; scores are padded.
        let groups = threads / (self.head_dim / 4);
        let all_rows = (groups * rows.div_ceil(groups)).max(rows.next_multiple_of(2));
        4 * rows.next_multiple_of(2) * self.head_dim + 4 * all_rows * (tile + 5) + 4 * threads + 8
    }

    /// Constants of `split_span.wgsl`.
    pub(in crate::ops) fn span_consts(&self) -> [(&'static str, u32); 3] {
        [
            ("SPLITS", self.splits),
            ("TILE", self.tile()),
            ("WINDOW", self.window),
        ]
    }

    /// Returns the spec for one token whose context is split into as many spans as give the device `workgroups`, but
    /// into no more than it has tiles.
    pub(in crate::ops) fn split_for(self, workgroups: u32) -> Self {
        let seen = match self.window {
            0 => self.n_ctx,
            window => window.min(self.n_ctx),
        };
        let wanted = workgroups.div_ceil(self.n_heads / self.heads());
        Self {
            splits: wanted.min(seen.div_ceil(self.tile())).clamp(1, MAX_SPLITS),
            ..self
        }
    }

    /// Returns the first position that a query at `pos` sees.
    pub(super) fn first(&self, pos: usize) -> usize {
        match self.window as usize {
            0 => 0,
            window => (pos + 1).saturating_sub(window),
        }
    }

    /// Returns the spec for a step whose tokens see all later ones of it, and what they would see without that.
    pub(in crate::ops) fn for_block(self) -> Self {
        Self {
            causal: false,
            block: true,
            ..self
        }
    }

    /// Returns the spec of an encoder for a step of several texts, each of which is no longer than the window.
    pub(in crate::ops) fn for_texts(self) -> Self {
        Self {
            ranged: true,
            window: 0,
            ..self
        }
    }

    /// Returns how many heads of one kv head a workgroup takes: the largest divisor of the group up to the limit.
    pub(super) fn heads(&self) -> u32 {
        let group = self.n_heads / self.n_kv_heads;
        let divisors = (1..=self.max_rows())
            .rev()
            .find(|n| group.is_multiple_of(*n));
        divisors.unwrap_or(1)
    }

    /// Returns how many of several tokens a workgroup takes.
    pub(in crate::ops) fn tokens(&self) -> u32 {
        self.max_rows() / self.heads()
    }

    /// Returns the shape of the result for `t` tokens.
    pub(in crate::ops) fn out_shape(&self, t: usize) -> [usize; 2] {
        let (heads, splits) = (self.n_heads as usize, self.splits as usize);
        match splits {
            1 => [t, heads * self.head_dim as usize],
            _ => [heads * splits, self.head_dim as usize + 4],
        }
    }
}
