//! A pool of the CPU's threads without a browser: it does what theirs does, [`hearth_cpu::job`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hearth::ops::pool::{self, CpuPool, PoolJob};
use hearth::{Error, Result};
use hearth_cpu::job::{self, HOST_WORDS_AT, Job};
use hearth_cpu::rows::MAX_TOKENS;

/// A pool whose second thread starts anew for each job.
pub struct Double {
    /// Begins with a job.
    memory: RefCell<Vec<u32>>,
    /// Number of words that it can hold.
    room: usize,
    pub jobs: Cell<usize>,
    /// Number of stages in jobs of several.
    pub stages: Cell<usize>,
    /// Number of stages that apply gates.
    pub gated: Cell<usize>,
    /// Number of words that were given back.
    pub freed: Cell<usize>,
    /// Whether its threads have ended.
    pub is_lost: Cell<bool>,
}

impl Double {
    /// Makes it the pool of this thread's models.
    pub fn install(room: usize) -> Rc<Self> {
        let double = Rc::new(Self {
            memory: RefCell::new(vec![0; size_of::<Job>() / 4]),
            room,
            jobs: Cell::new(0),
            stages: Cell::new(0),
            gated: Cell::new(0),
            freed: Cell::new(0),
            is_lost: Cell::new(false),
        });
        pool::install(double.clone());
        double
    }
}

impl Double {
    /// Returns the number of words that were allocated.
    pub fn used(&self) -> usize {
        self.memory.borrow().len()
    }
}

impl CpuPool for Double {
    fn threads(&self) -> u32 {
        2
    }

    fn alloc(&self, words: usize) -> Result<u32> {
        let mut memory = self.memory.borrow_mut();
        let at = memory.len();
        if at + words > self.room {
            return Err(Error::OutOfMemory {
                what: "the double".into(),
                needed: words as u64 * 4,
                available: self.room as u64 * 4,
            });
        }
        memory.resize(at + words, 0);
        Ok(at as u32 * 4)
    }

    /// Forgets what was there, so that whoever reads it later finds out.
    fn free(&self, at: u32, words: usize) {
        let at = at as usize / 4;
        self.memory.borrow_mut()[at..at + words].fill(u32::MAX);
        self.freed.set(self.freed.get() + words);
    }

    fn write(&self, at: u32, words: &[u32]) {
        let at = at as usize / 4;
        self.memory.borrow_mut()[at..at + words.len()].copy_from_slice(words);
    }

    fn read(&self, at: u32, words: &mut [u32]) {
        let at = at as usize / 4;
        words.copy_from_slice(&self.memory.borrow()[at..at + words.len()]);
    }

    fn run(&self, job: PoolJob<'_>, input: &[f32], output: &mut [f32]) {
        let count = job.stages.len();
        self.jobs.set(self.jobs.get() + 1);
        (self.stages).set(self.stages.get() + if count > 1 { count } else { 0 });
        // (a product's words end with its gate and its scratch)
        let gated = (job.stages.iter()).filter(|stage| job::words(&[**stage])[13] != 0);
        self.gated.set(self.gated.get() + gated.count());
        assert!(job.tokens <= MAX_TOKENS);
        if self.is_lost.get() {
            return;
        }
        let mut memory = self.memory.borrow_mut();
        let at = memory.len();
        memory.extend(input.iter().map(|v| v.to_bits()));
        memory.resize(at + job.floats, 0);
        let host = [2, job.tokens, count, 4 * at].map(|n| n as u32);
        memory[HOST_WORDS_AT..][..4].copy_from_slice(&host);
        let stages = job::words(job.stages);
        memory[HOST_WORDS_AT + 4..][..stages.len()].copy_from_slice(stages);
        let start = memory.as_mut_ptr() as usize;
        // SAFETY: all places lie within the memory, which stays where it is until the job is done.
        unsafe {
            job::begin(start as *const Job);
            std::thread::scope(|scope| {
                scope.spawn(|| job::work(start as *const Job, start, 1));
                while !job::finish(start as *const Job, start) {
                    std::thread::yield_now();
                }
            });
        }
        let found = &memory[at + job.output_at..][..output.len()];
        for (value, word) in output.iter_mut().zip(found) {
            *value = f32::from_bits(*word);
        }
        memory.truncate(at);
    }

    fn check(&self) -> Result<()> {
        match self.is_lost.get() {
            true => Err(Error::DeviceLost {
                reason: "the double's threads have ended".into(),
            }),
            false => Ok(()),
        }
    }
}
