//! The CPU path on a pool: weights in the pool's memory, products computed there, the results of the plain path.
//!
//! The pool here is a single-threaded double with the inner loops of the real one; the real one runs in the browser
//! tests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hearth::engine::embed::EmbedInput;
use hearth::ops::pool::{self, CpuPool, PoolJob};
use hearth::{Error, Result};
use hearth_cpu::dot::{BLOCK, Row, padded, quantise};
use hearth_cpu::rows::{MAX_TOKENS, gates, groups, product_of};
use hearth_tests::compare::assert_near;
use hearth_tests::reference::check_engine;
use hearth_tests::{GREEDY, On, exact, goldens, greedy, load_file_with, manifest, open};
use pollster::block_on;

struct Double {
    memory: RefCell<Vec<u32>>,
    /// Number of words that it can hold.
    room: usize,
    products: RefCell<usize>,
    /// Number of products whose gates were applied, too.
    gated: Cell<usize>,
    /// Whether its threads have ended.
    is_lost: Cell<bool>,
}

impl Double {
    fn install(room: usize) -> Rc<Self> {
        let double = Rc::new(Self {
            memory: RefCell::new(vec![0; 16]),
            room,
            products: RefCell::new(0),
            gated: Cell::new(0),
            is_lost: Cell::new(false),
        });
        pool::install(double.clone());
        double
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

    fn write(&self, at: u32, words: &[u32]) {
        let at = at as usize / 4;
        self.memory.borrow_mut()[at..at + words.len()].copy_from_slice(words);
    }

    fn read(&self, at: u32, words: &mut [u32]) {
        let at = at as usize / 4;
        words.copy_from_slice(&self.memory.borrow()[at..at + words.len()]);
    }

    fn product(&self, job: PoolJob, x: &[f32], y: &mut [f32]) {
        *self.products.borrow_mut() += 1;
        (self.gated).set(self.gated.get() + usize::from(job.gate.is_some()));
        assert!(job.tokens <= MAX_TOKENS);
        if self.is_lost.get() {
            return;
        }
        let memory = self.memory.borrow();
        let (quants, scales) = (
            job.weight.quants as usize / 4,
            job.weight.scales as usize / 4,
        );
        let made: Vec<_> = (x.chunks_exact(job.cols))
            .map(|x| {
                let blocks = padded(job.cols / BLOCK);
                let (mut q, mut floats) = (vec![0; job.cols], [(); 3].map(|()| vec![0.0; blocks]));
                let [scale, sum, first] = &mut floats;
                quantise(x, &mut q, scale, sum, first);
                (q, floats)
            })
            .collect();
        let rows: Vec<_> = made
            .iter()
            .map(|(q, [scale, sum, first])| Row {
                q,
                scale,
                sum,
                first,
            })
            .collect();
        // In two parts, as with two threads.
        let half = groups(job.rows) / 2;
        let mut all = vec![0.0; job.tokens * job.rows];
        for range in [0..half, half..groups(job.rows)] {
            let gates = gates(job.rows, &range);
            let n = range.len();
            let put = |t: usize, r: usize, v: f32| all[t * job.rows + r] = v;
            product_of(
                job.format,
                &rows,
                &memory[quants..],
                &memory[scales..],
                job.rows,
                range,
                put,
            );
            for (of_gate, of_up) in gates {
                let Some(gate) = job.gate else { break };
                let (gated, up) = all.split_at_mut(of_up);
                gate.apply(&mut gated[of_gate..of_gate + n], &up[..n]);
            }
        }
        y.copy_from_slice(&all[..y.len()]);
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

#[test]
fn threads_that_are_lost_end_the_answer() {
    let double = Double::install(1 << 24);
    let device = open(On::Cpu).expect("the CPU always opens");
    let path = goldens().join("tiny/tiny_llama.gguf");
    let mut engine = load_file_with(device, &path, exact(256));
    let prompt: Vec<u32> = (10..30).collect();
    let before = greedy(&mut engine, &prompt, 8).unwrap();
    // In the prompt, and in the answer.
    for steps in [0, 3] {
        (engine.start_ids(prompt.clone(), GREEDY, Some(8), &[])).unwrap();
        for _ in 0..steps {
            block_on(engine.next()).unwrap();
        }
        double.is_lost.set(true);
        let found = (0..8).find_map(|_| block_on(engine.next()).err());
        assert!(matches!(found, Some(Error::DeviceLost { .. })), "{found:?}");
        double.is_lost.set(false);
        // Nothing computed in the meantime is taken for cached.
        assert_eq!(greedy(&mut engine, &prompt, 8).unwrap(), before);
    }
}

#[test]
fn a_pool_gives_the_same_ids() {
    let double = Double::install(1 << 24);
    let device = open(On::Cpu).expect("the CPU always opens");
    assert_eq!(device.info().threads, 2);
    // Experts are pieces of a weight that the pool holds as a whole.
    let models = [
        ("tiny_llama", 2e-2),
        ("family_qwen3moe", 3e-2),
        ("family_gpt_oss", 2e-2),
        // Every packing of blocks; the first has rounded scales, see `families.rs`.
        ("family_llama_kquants", 2e-1),
        ("family_llama_small_quants", 4e-2),
        ("family_qwen3_few_bits", 2e-2),
        ("family_qwen3_one_bit", 2e-2),
        ("family_qwen3moe_nvfp4", 7e-2),
    ];
    for (name, tolerance) in models {
        let path = manifest::named(name).model();
        let mut engine = load_file_with(device.clone(), &path, exact(256));
        check_engine(name, On::Cpu, &mut engine, tolerance);
    }
    assert!(
        *double.products.borrow() > 0,
        "nothing was multiplied there"
    );
    assert!(double.gated.get() > 0, "nothing was gated there");
}

/// An encoder takes a text in one step, with more tokens than threads are given at once.
#[test]
fn a_long_text_goes_to_the_pool_in_pieces() {
    let device = open(On::Cpu).expect("the CPU always opens");
    let path = goldens().join("embeddings/embed_nomic.gguf");
    let text = "the fire is lit and the night is long ".repeat(60);
    let embedding = || {
        let mut engine = load_file_with(device.clone(), &path, exact(256));
        let input = EmbedInput {
            truncate: true,
            ..EmbedInput::text(&text)
        };
        block_on(engine.embed(&input)).unwrap()
    };
    let alone = embedding();
    assert!(alone.tokens > MAX_TOKENS, "{}", alone.tokens);
    let double = Double::install(1 << 24);
    let together = embedding();
    assert!(*double.products.borrow() > 0);
    assert_near("in pieces", &together.values, &alone.values, 1e-6);
}

#[test]
fn a_pool_without_room_is_an_error() {
    Double::install(1000);
    let device = open(On::Cpu).expect("the CPU always opens");
    let bytes = std::fs::read(goldens().join("tiny/tiny_llama.gguf")).unwrap();
    let error = hearth_tests::load(device, &bytes, 64, 4096)
        .err()
        .expect("it cannot fit");
    assert_eq!(error.code(), "out_of_memory");
}
