//! Counters of a launch.

use serde::Serialize;

/// Counters of one launch, exact for a shape, a tuning and a position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Workgroups that have work, and threads in each.
    pub workgroups: u64,
    pub threads: u32,
    /// Bytes of weights that are read from memory, and bytes that the same weights have in the file.
    pub weight_bytes: u64,
    pub file_bytes: u64,
    /// Bytes of a sequence's memory: keys and values that are read, recurrent states as they are read and written.
    pub state_bytes: u64,
    /// Bytes of input and of a norm's weights that all workgroups together read, from a cache after the first of them.
    pub prologue_bytes: u64,
    /// Bytes of an attention's spans that all workgroups together read to merge them.
    pub merge_bytes: u64,
    /// Bytes that one workgroup requests from memory at once.
    pub bytes_in_flight: u32,
    /// Lines of 64 bytes that 64 threads touch with one request of keys; 8 are the fewest for keys in f16.
    pub key_lines: u32,
    /// Blocks of a row that a thread takes in turns, and the share of its turns that find no block.
    pub rounds: u32,
    pub idle: f32,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Clocks in which the banks of workgroup memory serve all reads of the input, all conflicts counted.
    pub bank_rounds: u64,
    /// Barriers that a workgroup passes.
    pub barriers: u32,
    /// Loads in one thread of which each waits for the one before it.
    pub trips: u32,
    /// Further ones that a core's own cache or its workgroup memory serves.
    pub near_trips: u32,
    /// Instructions of all threads for the products.
    pub instructions: u64,
}

impl Counters {
    /// Returns the bytes that go to or from memory at least once.
    pub const fn memory_bytes(&self) -> u64 {
        self.weight_bytes.saturating_add(self.state_bytes)
    }

    /// Returns the bytes that caches serve.
    pub const fn cached_bytes(&self) -> u64 {
        self.prologue_bytes.saturating_add(self.merge_bytes)
    }
}
