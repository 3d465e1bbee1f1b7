//! Speed of llama.cpp, through the C interface of its library: greedy steps at several depths, prompts of several
//! lengths, one JSON line each, as llama-bench measures them.
//!
//! Structures that cross by value are opaque here. A caller may pass and receive more bytes than the library knows,
//! because it reads from, and writes to, the beginning of the memory that it is given; so only the few fields that are
//! set must be where they are expected, and that is checked.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::peer;

/// Memory for a structure that the library knows the fields of.
#[derive(Clone, Copy)]
#[repr(C)]
struct Opaque([u64; 128]);

/// First three fields of llama_context_params, n_ctx, n_batch and n_ubatch, as their defaults are.
const DEFAULTS: [u32; 3] = [512, 2048, 512];
/// Tokens of a prompt that one call takes.
const BATCH: usize = 2048;
/// Steps in a measurement of decode, and steps before it.
const STEPS: usize = 32;
const WARM: usize = 4;

type Handle = *mut c_void;
type Batch = unsafe extern "C" fn(*mut i32, i32) -> Opaque;

#[link(name = "dl")]
unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> Handle;
    fn dlsym(library: Handle, name: *const c_char) -> Handle;
    fn dlerror() -> *const c_char;
}

/// A library that stays open.
struct Library(Handle);

impl Library {
    fn open(path: &Path) -> Result<Self> {
        const NOW: c_int = 2;
        let name = c_string(path)?;
        // SAFETY: the name ends with a zero.
        let handle = unsafe { dlopen(name.as_ptr(), NOW) };
        ensure!(
            !handle.is_null(),
            "cannot load {}: {}",
            path.display(),
            problem()
        );
        Ok(Self(handle))
    }

    /// Returns the function `name`.
    ///
    /// # Safety
    /// `F` is the type of a pointer to that function.
    unsafe fn get<F: Copy>(&self, name: &CStr) -> Result<F> {
        // SAFETY: the library is open, and the name ends with a zero.
        let address = unsafe { dlsym(self.0, name.as_ptr()) };
        ensure!(
            !address.is_null() && size_of::<F>() == size_of::<Handle>(),
            "expected the function {name:?} in llama.cpp's library: {}",
            problem()
        );
        // SAFETY: of the same size, and the caller vouches for the type.
        Ok(unsafe { std::mem::transmute_copy::<Handle, F>(&address) })
    }
}

/// Returns the loader's last message.
fn problem() -> String {
    // SAFETY: the message, if there is one, is the loader's and ends with a zero.
    unsafe {
        let text = dlerror();
        match text.is_null() {
            true => "no reason given".to_owned(),
            false => CStr::from_ptr(text).to_string_lossy().into_owned(),
        }
    }
}

fn c_string(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).with_context(|| path.display().to_string())
}

/// A model in llama.cpp, with a context.
struct Llama {
    context: Handle,
    memory: Handle,
    vocab: usize,
    decode: unsafe extern "C" fn(Handle, Opaque) -> i32,
    batch: Batch,
    synchronize: unsafe extern "C" fn(Handle),
    clear: unsafe extern "C" fn(Handle, bool),
}

/// Measures the model in the file `model` and prints a line for each case.
pub fn measure(
    libraries: &Path,
    model: &Path,
    contexts: &[usize],
    prompts: &[usize],
) -> Result<()> {
    let longest = contexts.iter().chain(prompts).max().copied().unwrap_or(0);
    let llama = Llama::load(libraries, model, longest + WARM + STEPS)?;
    // Compiles what is needed for one token and for many.
    llama.prompt(16)?;
    llama.tokens(1, WARM)?;
    for &n in prompts {
        let mut best = f64::MAX;
        for _ in 0..2 {
            llama.forget();
            let start = Instant::now();
            llama.prompt(n)?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!(
            "{}",
            json!({"case": "prefill", "tokens": n, "tok_s": n as f64 / best})
        );
    }
    for &n in contexts {
        llama.forget();
        llama.prompt(n)?;
        llama.tokens(1, WARM)?;
        let start = Instant::now();
        llama.tokens(1, STEPS)?;
        let speed = STEPS as f64 / start.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({"case": "decode", "context": n, "tok_s": speed})
        );
    }
    Ok(())
}

impl Llama {
    fn load(libraries: &Path, model: &Path, n_ctx: usize) -> Result<Self> {
        let find = |prefix: &str| {
            let is_it = |path: &&std::path::PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(prefix)
            };
            let all = peer::libraries(libraries);
            let found = all.iter().find(is_it).cloned();
            found.with_context(|| format!("expected {prefix}*.so in {}", libraries.display()))
        };
        let ggml = Library::open(&find("libggml.")?)?;
        let llama = Library::open(&find("libllama.")?)?;
        let folder = c_string(libraries)?;
        let model_file = c_string(model)?;
        // SAFETY: types as in llama.h and ggml-backend.h; structures are opaque, see the top of this file.
        unsafe {
            let load_backends: unsafe extern "C" fn(*const c_char) =
                ggml.get(c"ggml_backend_load_all_from_path")?;
            load_backends(folder.as_ptr());
            let count: unsafe extern "C" fn() -> usize = ggml.get(c"ggml_backend_dev_count")?;
            let device: unsafe extern "C" fn(usize) -> Handle =
                ggml.get(c"ggml_backend_dev_get")?;
            // Describing a device is the base library's, which the other one has loaded.
            let describe: unsafe extern "C" fn(Handle) -> *const c_char =
                ggml.get(c"ggml_backend_dev_description")?;
            let devices: Vec<String> = (0..count())
                .map(|n| {
                    CStr::from_ptr(describe(device(n)))
                        .to_string_lossy()
                        .into_owned()
                })
                .collect();
            println!("{}", json!({"case": "devices", "names": devices}));
            ensure!(
                devices.len() > 1,
                "expected llama.cpp to find a GPU, found {devices:?}"
            );

            let init: unsafe extern "C" fn() = llama.get(c"llama_backend_init")?;
            init();
            let model_defaults: unsafe extern "C" fn() -> Opaque =
                llama.get(c"llama_model_default_params")?;
            let load: unsafe extern "C" fn(*const c_char, Opaque) -> Handle =
                llama.get(c"llama_model_load_from_file")?;
            // Their defaults put all layers on a GPU, if there is one.
            let loaded = load(model_file.as_ptr(), model_defaults());
            if loaded.is_null() {
                bail!("llama.cpp cannot load {}, see above", model.display());
            }
            let defaults: unsafe extern "C" fn() -> Opaque =
                llama.get(c"llama_context_default_params")?;
            let create: unsafe extern "C" fn(Handle, Opaque) -> Handle =
                llama.get(c"llama_init_from_model")?;
            let mut params = defaults();
            let first = &mut params.0;
            let found = [first[0] as u32, (first[0] >> 32) as u32, first[1] as u32];
            ensure!(
                found == DEFAULTS,
                "expected llama_context_params to begin with {DEFAULTS:?}, found {found:?}"
            );
            let rounded = n_ctx.next_multiple_of(256) as u64;
            first[0] = (first[0] & !0xffff_ffff) | rounded;
            let context = create(loaded, params);
            ensure!(
                !context.is_null(),
                "llama.cpp cannot make a context of {rounded}"
            );
            let memory_of: unsafe extern "C" fn(Handle) -> Handle =
                llama.get(c"llama_get_memory")?;
            let vocab_of: unsafe extern "C" fn(Handle) -> Handle =
                llama.get(c"llama_model_get_vocab")?;
            let n_tokens: unsafe extern "C" fn(Handle) -> i32 =
                llama.get(c"llama_vocab_n_tokens")?;
            Ok(Self {
                context,
                memory: memory_of(context),
                vocab: n_tokens(vocab_of(loaded)).max(1) as usize,
                decode: llama.get(c"llama_decode")?,
                batch: llama.get(c"llama_batch_get_one")?,
                synchronize: llama.get(c"llama_synchronize")?,
                clear: llama.get(c"llama_memory_clear")?,
            })
        }
    }

    /// Empties the context.
    fn forget(&self) {
        // SAFETY: the context's own memory.
        unsafe { (self.clear)(self.memory, true) }
    }

    /// Takes a prompt of `n` tokens.
    fn prompt(&self, n: usize) -> Result<()> {
        let mut left = n;
        while left > 0 {
            let now = left.min(BATCH);
            self.tokens(now, 1)?;
            left -= now;
        }
        Ok(())
    }

    /// Takes `n` tokens at once, so many times, and awaits each.
    fn tokens(&self, n: usize, times: usize) -> Result<()> {
        let mut ids: Vec<i32> = (0..n)
            .map(|i| (1 + i * 7919 % self.vocab.max(2) / 2) as i32)
            .collect();
        for _ in 0..times {
            // SAFETY: the batch points to `ids`, which outlives the call.
            let failed = unsafe {
                let batch = (self.batch)(ids.as_mut_ptr(), n as i32);
                let failed = (self.decode)(self.context, batch);
                (self.synchronize)(self.context);
                failed
            };
            ensure!(failed == 0, "llama_decode of {n} tokens: {failed}");
        }
        Ok(())
    }
}
