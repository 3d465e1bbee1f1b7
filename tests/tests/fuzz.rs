//! Runs the fuzz targets for a bounded time: the seeds in the tree, each with random changes that are the same in
//! every run.
//!
//! Nothing may panic or hang, or use memory out of proportion to the size of its input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hearth_fuzzing::{TARGETS, Target, folder_header, tower_header};
use hearth_modelfile::budget::{InspectOptions, Runs, inspect};
use hearth_modelfile::huggingface::TEXT_FILES;
use hearth_modelfile::vision::Vision;
use hearth_tests::{golden_bytes, goldens, is_full, manifest};

/// An allocator that counts allocated bytes.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is forwarded to the system allocator; only sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A xorshift64 generator.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Values to try as lengths and counts.
const NASTY: [u64; 8] = [0, 1, 0x7f, 0xff, 0xffff, 1 << 31, u32::MAX as u64, u64::MAX];

/// Makes a few changes: flipped bits, nasty numbers, pieces of itself or of another seed moved elsewhere, an early
/// end.
fn change(data: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    // After its header a model is only numbers, and any numbers are valid.
    let reach = data.len().min(24 << 10);
    for _ in 0..1 + random.below(4) {
        let at = random.below(reach.min(data.len()));
        match random.below(7) {
            0 | 1 if !data.is_empty() => data[at] ^= 1 << random.below(8),
            2 => {
                let value = NASTY[random.below(NASTY.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)].min(data.len() - at);
                data[at..at + width].copy_from_slice(&value[..width]);
            }
            3 => {
                let from = random.below(other.len());
                let n = random.below(64).min(other.len() - from);
                data.splice(at..at, other[from..from + n].iter().copied());
            }
            4 => {
                let n = random.below(64).min(data.len() - at);
                data.drain(at..at + n);
            }
            5 => {
                // Make a number in a text a large one.
                let digit = (at..data.len()).find(|at| data[*at].is_ascii_digit());
                let nines = vec![b'9'; random.below(11)];
                digit.map(|at| data.splice(at..at, nines).count());
            }
            _ if random.below(8) == 0 => data.truncate(at),
            _ => {}
        }
    }
}

/// Goldens whose projectors are seeds: towers of several kinds.
const PROJECTORS: [&str; 4] = [
    "vision_gemma4",
    "vision_lfm2_vl",
    "vision_mistral3",
    "vision_qwen3_vl",
];

/// Goldens that are seeds of folders: floats, the two kinds of weights that have scales, and heads' matrices in one.
const FOLDERS: [&str; 6] = [
    "hf_qwen2",
    "hf_qwen3",
    "hf_gemma3",
    "hf_gpt_oss_mxfp4",
    "hf_qwen3_fp8",
    "hf_glm4_moe_lite",
];

/// Returns a target's seeds: the files in `fuzz/corpus`, and goldens of the same kind.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let corpus = goldens().join("../../../fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&corpus)
        .unwrap_or_else(|e| panic!("{}: {e}", corpus.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut seeds: Vec<_> = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    let header = |name: &str| {
        let mut bytes = golden_bytes(name);
        // Only headers are changed.
        bytes.truncate(24 << 10);
        bytes
    };
    let read =
        |path: PathBuf| std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    match target {
        "gguf" => {
            let names = [
                "tiny_llama",
                "family_gpt_oss",
                "family_gemma3",
                "embed_bert_cls",
                // (latents, with a router, and slopes)
                "family_glm4_moe_lite",
                "embed_jina_v2",
            ];
            seeds.extend(names.map(|name| read(manifest::named(name).model())));
            let folders = PROJECTORS.map(|name| manifest::named(name).model());
            seeds.extend(folders.map(|folder| read(folder.join("gguf/mmproj.gguf"))));
        }
        "shards" => {
            let folder = "folders/hf_llama3/model-0000";
            let parts = [1, 2].map(|i| golden_bytes(&format!("{folder}{i}-of-00002.safetensors")));
            seeds.extend([
                [&[128], &parts[0][..], &parts[1][..]].concat(),
                header("folders/hf_qwen3/model.safetensors"),
            ]);
        }
        "folder" => {
            for name in FOLDERS {
                let folder = manifest::named(name).model();
                // (those that a folder lacks are empty)
                let text = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
                let mut texts = TEXT_FILES.map(text).to_vec();
                let weights = read(folder.join("model.safetensors"));
                let len = u64::from_le_bytes(*weights.first_chunk().unwrap()) as usize;
                texts.push(weights[8..8 + len].to_vec());
                seeds.push(texts.join(&0));
            }
        }
        _ => {}
    }
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds
}

/// Checks that the goldens among the seeds of folders get as far as their tensors: changes to them are worth little otherwise. (It is
/// no test, which would run at the same time as the one that counts memory.)
fn folders_reach_their_tensors() {
    let seeds = seeds("folder");
    let goldens = &seeds[seeds.len() - FOLDERS.len()..];
    for (seed, name) in goldens.iter().zip(FOLDERS) {
        let header = folder_header(seed).unwrap_or_else(|| panic!("{name} has no header"));
        assert!(!header.tensors.is_empty(), "{name} has no tensors");
        let run = inspect(&header, InspectOptions::default()).run;
        assert!(matches!(run, Runs::Budget(_)), "{name}: {run:?}");
    }
}

/// Checks that the projectors among the seeds are read as towers, for the same reason.
fn projectors_reach_their_tensors() {
    let seeds = seeds("gguf");
    let goldens = &seeds[seeds.len() - PROJECTORS.len()..];
    for (seed, name) in goldens.iter().zip(PROJECTORS) {
        let header = tower_header(seed).unwrap_or_else(|| panic!("{name} has no header"));
        let tower = header.tower.unwrap_or_else(|| panic!("{name} is no tower"));
        Vision::from_header(&tower).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

/// Time limit for one input: much longer than any input takes, and still short enough to wait for.
const HANG: Duration = Duration::from_secs(20);

/// Time at which the current input was started, in milliseconds since the start; 0: no input is running.
static BUSY_SINCE: AtomicUsize = AtomicUsize::new(0);

/// Ends the process, with a message, if an input hangs: no test could report that.
fn watch(start: Instant) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let since = BUSY_SINCE.load(Relaxed);
            let now = start.elapsed().as_millis() as usize;
            if since != 0 && now > since + HANG.as_millis() as usize {
                let path = last_input();
                eprintln!("an input hangs; HEARTH_FULL keeps it at {}", path.display());
                std::process::abort();
            }
        }
    });
}

/// Path of the current input, kept so that an input that hangs can be found.
fn last_input() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("hearth-fuzz-last-{}", std::process::id()))
}

/// Memory that an input may take on top of 64 times its size: for a template, the memory that its guard allows; for a
/// folder's tokenizer (or that of a translation model), the tables that its few bytes ask for.
fn room(target: &str) -> usize {
    match target {
        "template" => 256 << 20,
        "folder" | "sentencepiece" | "translation" => 4 << 20,
        _ => 1 << 20,
    }
}

fn run(target: &Target, data: &[u8], start: Instant) -> usize {
    let (name, call) = target;
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    BUSY_SINCE.store(start.elapsed().as_millis().max(1) as usize, Relaxed);
    call(data);
    BUSY_SINCE.store(0, Relaxed);
    let taken = PEAK.load(Relaxed).saturating_sub(before);
    let limit = room(name) + 64 * data.len();
    assert!(
        taken < limit,
        "{name}: {taken} bytes for an input of {}",
        data.len()
    );
    taken
}

/// Runs the same inputs on every machine, however slow. With HEARTH_FULL, runs other inputs, ten times as many;
/// HEARTH_FUZZ_SEED repeats their seed.
#[test]
fn targets_survive_what_is_drawn() {
    let full = is_full();
    let seed = match std::env::var("HEARTH_FUZZ_SEED") {
        Ok(seed) => seed.parse().expect("HEARTH_FUZZ_SEED is a number"),
        Err(_) if full => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.map_or(1, |d| d.as_nanos() as u64 | 1)
        }
        Err(_) => 0x9e37_79b9_7f4a_7c15,
    };
    println!("HEARTH_FUZZ_SEED={seed}");
    let count = if full { 60_000 } else { 6_000 };
    // Long regular expressions and templates recurse.
    let worker = std::thread::Builder::new()
        .stack_size(16 << 20)
        .spawn(move || {
            folders_reach_their_tensors();
            projectors_reach_their_tensors();
            let start = Instant::now();
            watch(start);
            for target in &TARGETS {
                let begun = Instant::now();
                let (name, seeds) = (target.0, seeds(target.0));
                let mut random = Random(seed);
                let mut most = 0;
                // The first call builds the tokenizers that a target keeps, which must not count towards any input.
                (target.1)(&seeds[0]);
                for seed in &seeds {
                    run(target, seed, start);
                }
                for i in 0..count {
                    let mut data = seeds[random.below(seeds.len())].clone();
                    let other = &seeds[random.below(seeds.len())];
                    change(&mut data, other, &mut random);
                    if full {
                        std::fs::write(last_input(), &data).unwrap();
                    }
                    match std::panic::catch_unwind(|| run(target, &data, start)) {
                        Ok(taken) => most = most.max(taken.saturating_sub(64 * data.len())),
                        Err(panic) => {
                            let path = std::env::temp_dir().join(format!("hearth-fuzz-{name}"));
                            std::fs::write(&path, &data).unwrap();
                            eprintln!("{name}: input {i} is at {}", path.display());
                            std::panic::resume_unwind(panic);
                        }
                    }
                }
                println!(
                    "{name}: {count} inputs of {} seeds, at most {most} bytes beyond their size, {:.1} s",
                    seeds.len(),
                    begun.elapsed().as_secs_f64()
                );
            }
        });
    worker.unwrap().join().unwrap();
}
