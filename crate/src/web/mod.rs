//! The surface that JavaScript sees: classes, plain objects, errors with a code. No logic.
//!
//! One of the two files that know about wasm.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use crate::boundary::{AllStats, LoaderOptions, OpenOptions};
use crate::device::Device as CoreDevice;
use crate::engine::Engine as CoreEngine;
use crate::engine::embed::EmbedInput;
use crate::engine::rank::RankInput;
use crate::engine::request::Request;
use crate::load::Loader as CoreLoader;
use crate::ops::pool;
use hearth_modelfile::error::Error;
use hearth_modelfile::vision::Frames;

mod checksum;
mod constraint;
mod context;
mod cpu_pool;
mod inspector;
mod speech;

pub use checksum::Sha256;
use constraint::JsConstraint;
pub use constraint::Vocabulary;
use cpu_pool::{HostPool, JsCpuPool};
pub use inspector::{Files, Inspector};
pub use speech::{SpeechNetwork, SpeechNetworkLoader};

unsafe extern "C" {
    /// The linker's list of all static constructors.
    fn __wasm_call_ctors();
}

/// Runs when the module starts, once.
///
/// burn's compiler registers itself through static constructors. Nobody calls them in a wasm library unless
/// it is done here; and were they not called explicitly, the linker would wrap every export in a call to all
/// of them: 2 ms a launch instead of 9 us.
#[wasm_bindgen(start)]
pub fn start() {
    // SAFETY: called once, before anything else of this module runs.
    unsafe { __wasm_call_ctors() };
    console_error_panic_hook::set_once();
}

static CONSTRUCTOR_RUNS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_constructor_run() {
    CONSTRUCTOR_RUNS.fetch_add(1, Ordering::Relaxed);
}

/// A constructor like those of the compiler's registry, to count how often they all run.
#[used]
#[unsafe(link_section = ".init_array")]
static COUNTED: extern "C" fn() = count_constructor_run;

/// Counts the runs of the static constructors: 1, or every export is wrapped again.
#[wasm_bindgen(js_name = constructorRuns)]
pub fn constructor_runs() -> u32 {
    CONSTRUCTOR_RUNS.load(Ordering::Relaxed)
}

/// The crate's version.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// An error on its way to JavaScript.
pub struct Thrown(Error);

impl From<Error> for Thrown {
    fn from(error: Error) -> Self {
        Thrown(error)
    }
}

impl From<Thrown> for JsValue {
    fn from(Thrown(error): Thrown) -> JsValue {
        let js = js_sys::Error::new(&error.to_string());
        js.set_name("HearthError");
        for (key, value) in [("code", error.code()), ("hint", error.hint())] {
            // A fresh Error object accepts any property.
            let _ = js_sys::Reflect::set(&js, &key.into(), &value.into());
        }
        js.into()
    }
}

fn to_js(value: &impl Serialize) -> Result<JsValue, Thrown> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|e| {
            Error::Internal {
                what: "serialisation".into(),
                message: e.to_string(),
            }
            .into()
        })
}

fn from_js<T: for<'a> Deserialize<'a>>(what: &str, value: JsValue) -> Result<T, Thrown> {
    serde_wasm_bindgen::from_value(value).map_err(|e| {
        Error::InvalidRequest {
            field: what.to_owned(),
            expected: "an object of the documented shape".into(),
            found: e.to_string(),
        }
        .into()
    })
}

fn busy() -> Thrown {
    Error::Busy.into()
}

/// An open device.
#[wasm_bindgen]
pub struct Device(CoreDevice);

#[wasm_bindgen]
impl Device {
    /// Opens `"webgpu"` or `"cpu"`, the latter with the host's threads if it has any.
    pub async fn open(
        #[wasm_bindgen(unchecked_param_type = "DeviceKind")] kind: String,
        #[wasm_bindgen(unchecked_param_type = "DeviceOptions")] options: JsValue,
        pool: Option<JsCpuPool>,
    ) -> Result<Device, Thrown> {
        if let Some(pool) = pool {
            pool::install(Rc::new(HostPool::new(pool)));
        }
        let options: OpenOptions = from_js("options", options)?;
        let cpu = match kind.as_str() {
            "webgpu" => false,
            "cpu" => true,
            other => {
                return Err(Error::InvalidRequest {
                    field: "device".into(),
                    expected: "webgpu or cpu".into(),
                    found: other.into(),
                }
                .into());
            }
        };
        Ok(Device(CoreDevice::open(options.for_device(cpu)).await?))
    }

    /// Returns the measurements of the device, to be kept for the next time.
    #[wasm_bindgen(unchecked_return_type = "DeviceTuning")]
    pub fn tuning(&self) -> Result<JsValue, Thrown> {
        to_js(&self.0.measured())
    }

    /// Describes the device and its capabilities.
    #[wasm_bindgen(unchecked_return_type = "DeviceInfo")]
    pub fn info(&self) -> Result<JsValue, Thrown> {
        to_js(self.0.info())
    }
}

/// A model on its way to the device.
#[wasm_bindgen]
pub struct Loader(Option<CoreLoader>);

#[wasm_bindgen]
impl Loader {
    /// A loader for `device`; of a model in several files, whose headers are known, or of one file.
    #[wasm_bindgen(constructor)]
    pub fn new(
        device: &Device,
        #[wasm_bindgen(unchecked_param_type = "LoaderOptions")] options: JsValue,
        files: Option<Files>,
    ) -> Result<Loader, Thrown> {
        let mut options: LoaderOptions = from_js("options", options)?;
        let overrides = std::mem::take(&mut options.overrides);
        let device = device.0.clone();
        Ok(Loader(Some(match files {
            Some(mut files) => {
                CoreLoader::of_files(device, options.into(), files.take(), &overrides)?
            }
            None => CoreLoader::new(device, options.into()).with_overrides(overrides),
        })))
    }

    /// Consumes the file's next bytes; the chunk may be reused once this is done.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<(), Thrown> {
        let loader = self.0.as_mut().ok_or_else(busy)?;
        Ok(loader.push(chunk).await?)
    }

    /// Returns the progress of the load; null once `finish` has consumed the loader.
    #[wasm_bindgen(unchecked_return_type = "LoaderProgress | null")]
    pub fn progress(&self) -> Result<JsValue, Thrown> {
        to_js(&self.0.as_ref().map(CoreLoader::progress))
    }

    /// Ends the load: builds the model and compiles its pipelines.
    pub async fn finish(&mut self) -> Result<Engine, Thrown> {
        let loader = self.0.take().ok_or_else(busy)?;
        let mut engine = loader.finish().await?;
        engine.warm_up().await?;
        Ok(Engine(Rc::new(RefCell::new(engine))))
    }
}

/// A model ready to answer.
#[wasm_bindgen]
pub struct Engine(Rc<RefCell<CoreEngine>>);

#[wasm_bindgen]
impl Engine {
    /// Describes the loaded model.
    #[wasm_bindgen(unchecked_return_type = "ModelInfo")]
    pub fn info(&self) -> Result<JsValue, Thrown> {
        to_js(self.0.try_borrow().map_err(|_| busy())?.info())
    }

    /// Starts an answer, which consists of what `constraint` allows, if there is one. Calls `rendered` once the chat
    /// template has been rendered.
    pub fn generate(
        &self,
        #[wasm_bindgen(unchecked_param_type = "GenerateRequest")] request: JsValue,
        constraint: Option<JsConstraint>,
        #[wasm_bindgen(unchecked_optional_param_type = "() => void")] rendered: Option<
            js_sys::Function,
        >,
    ) -> Result<Generation, Thrown> {
        let mut request: Request = from_js("request", request)?;
        let random = js_sys::Math::random() * f64::from(u32::MAX);
        request.seed.get_or_insert(random as u32);
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        engine.start_with(&request, || {
            if let Some(rendered) = rendered {
                // Its result, or what it throws, is of no use here.
                let _ = rendered.call0(&JsValue::NULL);
            }
        })?;
        if let Some(constraint) = constraint {
            engine.constrain(Box::new(constraint))?;
        }
        drop(engine);
        Ok(Generation {
            engine: self.0.clone(),
            cancelled: Cell::new(false),
        })
    }

    /// Keeps a picture for requests that show it, and returns its key: tiles high and wide (0 if it was not cut), height and width
    /// of each frame in patches, and the frames' pixels.
    #[wasm_bindgen(js_name = addPicture)]
    pub fn add_picture(
        &self,
        tiles_high: usize,
        tiles_wide: usize,
        grids: &[u32],
        pixels: Vec<u8>,
    ) -> Result<String, Thrown> {
        let grids = grids
            .chunks_exact(2)
            .map(|side| [side[0] as usize, side[1] as usize]);
        let frames = Frames {
            tiles: [tiles_high, tiles_wide],
            grids: grids.collect(),
        };
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        Ok(engine.add_picture(frames, pixels)?)
    }

    /// Returns whether a picture is kept.
    #[wasm_bindgen(js_name = hasPicture)]
    pub fn has_picture(&self, key: &str) -> Result<bool, Thrown> {
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        Ok(engine.has_picture(key))
    }

    /// Adds an adapter from the bytes of its file, GGUF or, beside the text of PEFT's `adapter_config.json`, safetensors.
    #[wasm_bindgen(js_name = addAdapter, unchecked_return_type = "AdapterInfo")]
    pub fn add_adapter(
        &self,
        name: &str,
        bytes: &[u8],
        scale: Option<f32>,
        peft_config: Option<String>,
    ) -> Result<JsValue, Thrown> {
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        let info = engine.add_adapter(name, scale, bytes, peft_config.as_deref())?;
        to_js(&info)
    }

    /// Removes an adapter; returns whether there was one of this name.
    #[wasm_bindgen(js_name = removeAdapter)]
    pub fn remove_adapter(&self, name: &str) -> Result<bool, Thrown> {
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        Ok(engine.remove_adapter(name))
    }

    /// Returns the adapters, in the order in which they were added.
    #[wasm_bindgen(unchecked_return_type = "AdapterInfo[]")]
    pub fn adapters(&self) -> Result<JsValue, Thrown> {
        let engine = self.0.try_borrow().map_err(|_| busy())?;
        to_js(&engine.adapters())
    }

    /// Computes the embeddings of the first of several inputs: as many as one step takes.
    // The engine stays borrowed on purpose: whoever calls meanwhile is told that it is busy.
    #[allow(clippy::await_holding_refcell_ref)]
    pub async fn embed(
        &self,
        #[wasm_bindgen(unchecked_param_type = "EmbedInput[]")] inputs: JsValue,
    ) -> Result<Embeddings, Thrown> {
        let inputs: Vec<EmbedInput> = from_js("inputs", inputs)?;
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        Ok(Embeddings(engine.embed_first(&inputs).await?))
    }

    /// Computes how well a document answers a query.
    // The engine stays borrowed on purpose: whoever calls meanwhile is told that it is busy.
    #[allow(clippy::await_holding_refcell_ref)]
    #[wasm_bindgen(unchecked_return_type = "RankScore")]
    pub async fn rank(
        &self,
        #[wasm_bindgen(unchecked_param_type = "RankInput")] input: JsValue,
    ) -> Result<JsValue, Thrown> {
        let input: RankInput = from_js("input", input)?;
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        to_js(&engine.rank(&input).await?)
    }

    /// Returns the tokens of the model, for a constraint.
    pub fn vocabulary(&self) -> Result<Vocabulary, Thrown> {
        let engine = self.0.try_borrow().map_err(|_| busy())?;
        Ok(Vocabulary::of(&engine))
    }

    /// Returns the ids of a text, without special tokens.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>, Thrown> {
        let engine = self.0.try_borrow().map_err(|_| busy())?;
        Ok(engine.tokenizer().encode(text)?)
    }

    /// Returns the text of ids.
    pub fn detokenize(&self, ids: &[u32]) -> Result<String, Thrown> {
        let engine = self.0.try_borrow().map_err(|_| busy())?;
        Ok(engine.tokenizer().decode(ids))
    }

    /// Returns the counters.
    #[wasm_bindgen(unchecked_return_type = "EngineStats")]
    pub fn stats(&self) -> Result<JsValue, Thrown> {
        let engine = self.0.try_borrow().map_err(|_| busy())?;
        to_js(&AllStats {
            stats: engine.stats(),
            heap_bytes: core::arch::wasm32::memory_size(0) * 65_536,
            constructor_runs: constructor_runs(),
            pipelines: crate::ops::kernel::pipelines(),
        })
    }

    /// CPU microseconds of a plain launch and of a replayed dispatch: [launch, replay], for benchmarks.
    // The engine stays borrowed on purpose: whoever calls meanwhile is told that it is busy.
    #[allow(clippy::await_holding_refcell_ref)]
    #[wasm_bindgen(js_name = dispatchCost)]
    pub async fn dispatch_cost(&self) -> Result<Vec<f64>, Thrown> {
        let mut engine = self.0.try_borrow_mut().map_err(|_| busy())?;
        let (launch, replay) = engine.dispatch_cost().await?;
        Ok(vec![launch, replay])
    }
}

/// Embeddings of texts.
#[wasm_bindgen]
pub struct Embeddings(Vec<crate::engine::embed::Embedding>);

#[wasm_bindgen]
impl Embeddings {
    /// The vectors one after another, each of length 1.
    #[wasm_bindgen(getter)]
    pub fn values(&self) -> Vec<f32> {
        let vectors = self.0.iter().map(|one| one.values.as_slice());
        vectors.collect::<Vec<_>>().concat()
    }

    /// Tokens of each text.
    #[wasm_bindgen(getter)]
    pub fn tokens(&self) -> Vec<u32> {
        self.0.iter().map(|one| one.tokens as u32).collect()
    }
}

/// A request being answered.
#[wasm_bindgen]
pub struct Generation {
    engine: Rc<RefCell<CoreEngine>>,
    cancelled: Cell<bool>,
}

#[wasm_bindgen]
impl Generation {
    /// Does the next piece of work.
    // The engine stays borrowed on purpose: whoever calls meanwhile is told that it is busy.
    #[allow(clippy::await_holding_refcell_ref)]
    #[wasm_bindgen(unchecked_return_type = "TokenDelta")]
    pub async fn next(&self) -> Result<JsValue, Thrown> {
        if self.cancelled.get() {
            return Err(Error::Cancelled.into());
        }
        let mut engine = self.engine.try_borrow_mut().map_err(|_| busy())?;
        let step = engine.next().await?;
        to_js(&step)
    }

    /// Gives the request up.
    pub fn cancel(&self) {
        self.cancelled.set(true);
        if let Ok(mut engine) = self.engine.try_borrow_mut() {
            engine.cancel();
        }
    }
}
