//! From a stream of bytes to a model on the device, without ever holding the file.
//!
//! [`Loader::push`] takes the file's bytes in order, in chunks of any size, from whatever has them: an HTTP
//! body, a dropped file, a memory map. The header is parsed from the growing prefix; from then on every
//! tensor is repacked row by row as its bytes come and written to its place on the device ([`crate::weights::writer`]). At any moment
//! the loader holds less than one chunk plus one row, or one matrix that the file has by columns.

use crate::device::Device;
use crate::engine::context::fingerprint::WeightSum;
use crate::engine::residents::MOST_CONVERSATIONS;
use crate::engine::{Drafts, Engine};
use crate::model::build;
use crate::model::outline::{OutlineOptions, Step};
use crate::model::pipelines::{Pipelines, Steps};
use crate::ops::{KvType, Ops, Tuning, pool};
use crate::weights::plan::{LoadPlan, PlannedRead};
use crate::weights::writer::TensorWriter;
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::overrides::Overrides;
use hearth_modelfile::container::{ModelHeader, Parsed, gguf};
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::files::Files;
use hearth_modelfile::quant::quantize::{Quantize, kept_bytes};
use hearth_modelfile::text::template::ChatTemplate;
use hearth_modelfile::text::tokenizer::Tokenizer;
use hearth_modelfile::vision::Vision;

/// The progress of a load.
#[derive(Debug, Clone, serde::Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "LoaderProgress"))]
pub struct Progress {
    pub phase: LoadPhase,
    /// Bytes of the file taken.
    pub loaded: u64,
    /// Bytes of the file, 0 while unknown.
    pub total: u64,
    /// The tensor being read.
    pub tensor: Option<String>,
}

/// Part of the file that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum LoadPhase {
    Header,
    Weights,
}

/// Options of a load.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions {
    /// Length of the KV cache in tokens; default: [`ModelConfig::context`] chooses.
    pub context_size: Option<usize>,
    /// Bytes that the model may take, if known; they bound the default context.
    pub memory: Option<u64>,
    /// Storage type of the KV cache; default f16 on a GPU, f32 on the CPU.
    pub kv_type: Option<KvType>,
    /// Length of the file.
    pub total_bytes: Option<u64>,
    /// Whether tokens are drafted and checked several at once.
    pub drafts: Drafts,
    /// Storage type that weights in floats are converted to; default: they are kept.
    pub quantize: Option<Quantize>,
    /// Whether pipelines are created while the weights arrive; default: on GPUs in hardware, since a software adapter compiles
    /// with the cores that the load needs.
    pub compile_ahead: Option<bool>,
    /// Whether the model's bytes are summed on their way, so that conversations can be saved
    /// ([`Engine::context_pages`]).
    pub fingerprint: bool,
    /// Most conversations whose caches stay in memory at once, each with a KV cache of its own; default 1.
    pub conversations: Option<usize>,
}

/// A model on its way to the device.
pub struct Loader {
    device: Device,
    options: LoadOptions,
    overrides: Overrides,
    /// Position in the file of the next byte.
    offset: u64,
    /// Sum of the bytes so far, if it was requested.
    sum: Option<WeightSum>,
    stage: Stage,
}

enum Stage {
    /// The prefix so far, and the length worth parsing at.
    Header {
        prefix: Vec<u8>,
        parse_at: u64,
    },
    Weights(Box<Weights>),
}

struct Weights {
    gguf: ModelHeader,
    config: ModelConfig,
    n_ctx: usize,
    kv: KvType,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    writer: TensorWriter,
    tower: Option<TowerWeights>,
    pipelines: Pipelines,
}

/// A tower on its way to the device.
struct TowerWeights {
    vision: Vision,
    writer: TensorWriter,
}

impl Loader {
    /// A loader for `device`.
    pub fn new(device: Device, options: LoadOptions) -> Self {
        Self {
            device,
            options,
            overrides: Overrides::default(),
            offset: 0,
            sum: options.fingerprint.then(WeightSum::default),
            stage: Stage::Header {
                prefix: Vec::new(),
                parse_at: 0,
            },
        }
    }

    /// Lets values take the place of what the file says.
    pub fn with_overrides(self, overrides: Overrides) -> Self {
        Self { overrides, ..self }
    }

    /// A loader of a model in several files, whose bytes are to be pushed one file after the other.
    ///
    /// # Errors
    /// Whatever the headers show to be wrong.
    pub fn of_files(
        device: Device,
        options: LoadOptions,
        files: Files,
        overrides: &Overrides,
    ) -> Result<Self> {
        let (mut gguf, total) = files.join()?;
        overrides.apply(&mut gguf)?;
        let options = LoadOptions {
            total_bytes: Some(total),
            ..options
        };
        let weights = Box::new(Weights::new(&device, gguf, options)?);
        Ok(Self {
            stage: Stage::Weights(weights),
            ..Self::new(device, options)
        })
    }

    /// Returns the progress of the load.
    pub fn progress(&self) -> Progress {
        Progress {
            phase: match self.stage {
                Stage::Header { .. } => LoadPhase::Header,
                Stage::Weights(_) => LoadPhase::Weights,
            },
            loaded: self.offset,
            total: self.options.total_bytes.unwrap_or(0),
            tensor: match &self.stage {
                Stage::Header { .. } => None,
                Stage::Weights(w) => w.tensor().map(|t| t.name.clone()),
            },
        }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// Whatever is wrong with the file, as soon as the bytes that show it have come.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<()> {
        if let Some(total) = self.options.total_bytes {
            let end = self.offset + chunk.len() as u64;
            if end > total {
                return Err(Error::BadFile {
                    format: "GGUF",
                    what: "file length".into(),
                    expected: format!("{total} bytes"),
                    found: format!("at least {end} bytes"),
                });
            }
        }
        let start = self.offset;
        self.offset += chunk.len() as u64;
        if let Some(sum) = &mut self.sum {
            sum.push(chunk);
        }
        let total = self.options.total_bytes.unwrap_or(0);
        match &mut self.stage {
            Stage::Header { prefix, parse_at } => {
                prefix.extend_from_slice(chunk);
                if (prefix.len() as u64) < *parse_at
                    && self.options.total_bytes != Some(self.offset)
                {
                    return Ok(());
                }
                match gguf::parse(prefix, self.options.total_bytes)? {
                    Parsed::NeedMore { at_least } => {
                        *parse_at = at_least;
                        Ok(())
                    }
                    Parsed::Header(mut gguf) => {
                        self.overrides.apply(&mut gguf)?;
                        let prefix = std::mem::take(prefix);
                        let mut weights = Box::new(Weights::new(&self.device, gguf, self.options)?);
                        let result = weights.feed(&self.device, 0, &prefix, total).await;
                        self.stage = Stage::Weights(weights);
                        result
                    }
                }
            }
            Stage::Weights(weights) => weights.feed(&self.device, start, chunk, total).await,
        }
    }

    /// Ends the load when all bytes have been pushed.
    ///
    /// # Errors
    /// [`Error::Truncated`] when the file ended early; [`Error::OutOfMemory`] or [`Error::Gpu`] when the
    /// device refused.
    pub async fn finish(mut self) -> Result<Engine> {
        if let Stage::Header { prefix, .. } = &self.stage {
            // Says what is wrong, now that this is known to be all.
            gguf::parse(prefix, Some(prefix.len() as u64))?;
            self.options.total_bytes = Some(self.offset);
            self.push(&[]).await?;
        }
        let Stage::Weights(weights) = self.stage else {
            return Err(Error::Truncated {
                what: "the header".into(),
                needed: self.offset + 1,
                available: self.offset,
            });
        };
        if let Some(tensor) = weights.tensor() {
            return Err(Error::Truncated {
                what: format!("tensor \"{}\"", tensor.name),
                needed: tensor.offset + tensor.size,
                available: self.offset,
            });
        }
        if let Some(total) = self
            .options
            .total_bytes
            .filter(|total| *total > self.offset)
        {
            return Err(Error::Truncated {
                what: "the file".into(),
                needed: total,
                available: self.offset,
            });
        }
        self.device.check()?;
        let engine = weights.build(self.device, self.options.drafts, self.sum)?;
        Ok(engine.with_conversations(self.options.conversations.unwrap_or(1)))
    }
}

impl Weights {
    /// Returns the tensor being read; `None` after the last.
    fn tensor(&self) -> Option<&PlannedRead> {
        let tower = self.tower.as_ref();
        (self.writer.tensor()).or_else(|| tower.and_then(|tower| tower.writer.tensor()))
    }

    fn new(device: &Device, gguf: ModelHeader, options: LoadOptions) -> Result<Self> {
        let mut config = ModelConfig::from_gguf(&gguf)?;
        if gguf.tower.is_none() {
            // Positions of text are the same in all dimensions: plain rotation.
            config.rope_sections = None;
        }
        let kv = options.kv_type.unwrap_or(match device.is_gpu() {
            // (a text that is embedded is short, and its keys are read once)
            true if config.pooling.is_none() => KvType::F16,
            _ => KvType::F32,
        });
        let n_ctx = config.context(options.context_size, gguf.kept_bytes(), options.memory);
        let limits = device.info().limits;
        let binding = limits.max_storage_buffer_binding_size;
        let cache_binding = config.largest_cache(n_ctx, kv);
        if cache_binding > binding {
            return Err(Error::OutOfMemory {
                what: format!("the KV cache of {n_ctx} tokens"),
                needed: cache_binding,
                available: binding,
            });
        }
        // Before anything is allocated on the header's word.
        let weights: u64 = match pool::current() {
            // Threads have a memory of their own, and say for themselves what it cannot hold.
            Some(_) if !device.is_gpu() => 0,
            _ => (gguf.tensors.iter())
                .chain(gguf.tower.iter().flat_map(|tower| &tower.tensors))
                .map(|t| kept_bytes(t, options.quantize))
                .sum(),
        };
        let conversations = options.conversations.unwrap_or(1);
        if !(1..=MOST_CONVERSATIONS).contains(&conversations) {
            return Err(Error::InvalidRequest {
                field: "conversations".into(),
                expected: format!("from 1 to {MOST_CONVERSATIONS}"),
                found: conversations.to_string(),
            });
        }
        let sequence = (config.kv_bytes(n_ctx, kv)).saturating_add(config.state_bytes());
        let sequences = sequence.saturating_mul(conversations as u64);
        device.can_hold(weights.saturating_add(sequences))?;
        let tokenizer = Tokenizer::from_gguf(&gguf.metadata)?;
        if tokenizer.vocab_size() > config.vocab_size {
            return Err(Error::Metadata {
                key: "tokenizer.ggml.tokens".into(),
                expected: format!("at most {} tokens", config.vocab_size),
                found: tokenizer.vocab_size().to_string(),
            });
        }
        let template = ChatTemplate::for_tokenizer(
            gguf.metadata.opt_str("tokenizer.chat_template")?,
            &tokenizer,
        )?;
        let parameters = gguf.tensors.iter().map(|t| t.n_cols() * t.n_rows()).sum();
        let tuning = device.tuning(parameters);
        let chunk = tuning.chunk.min(config.longest_chunk());
        let ops = Ops::new(&device.handle, Tuning { chunk, ..tuning });
        let plan = LoadPlan::new(&gguf, &config, &ops, binding, options.quantize)?;
        let tower = match &gguf.tower {
            Some(header) => {
                let tower = TowerWeights::new(header, device, ops.tuning(), options)?;
                tower.vision.check_text(&config)?;
                Some(tower)
            }
            None => None,
        };
        let steps = Steps {
            options: OutlineOptions {
                tuning: ops.tuning(),
                step: Step::Decode,
                context_size: Some(n_ctx),
                kv_type: kv,
                positions: None,
                filters: false,
            },
            binding,
            quantize: options.quantize,
            drafts: options.drafts.worthwhile(device, true) != Drafts::Off,
        };
        let ahead = options.compile_ahead.unwrap_or(!device.info().software);
        let pipelines = match device.is_gpu() && ahead {
            true => Pipelines::new(&gguf, &steps),
            false => Pipelines::default(),
        };
        Ok(Self {
            pipelines,
            gguf,
            config,
            n_ctx,
            kv,
            tokenizer,
            template,
            writer: TensorWriter::new(ops, plan),
            tower,
        })
    }

    /// Takes the file's bytes from `start` on, and has some of the pipelines created meanwhile.
    async fn feed(&mut self, device: &Device, start: u64, chunk: &[u8], total: u64) -> Result<()> {
        self.writer.feed(device, start, chunk).await?;
        if let Some(tower) = &mut self.tower {
            tower.writer.feed(device, start, chunk).await?;
        }
        let end = start + chunk.len() as u64;
        let header = self.gguf.data_offset;
        let (loaded, total) = (end.saturating_sub(header), total.saturating_sub(header));
        self.pipelines.create(&self.writer.ops, loaded, total);
        Ok(())
    }

    fn build(
        self: Box<Self>,
        device: Device,
        drafts: Drafts,
        sum: Option<WeightSum>,
    ) -> Result<Engine> {
        let Weights {
            gguf,
            config,
            n_ctx,
            kv,
            tokenizer,
            template,
            writer,
            tower,
            pipelines: _,
        } = *self;
        let TensorWriter { ops, plan, .. } = writer;
        let model = build::transformer(&plan, &gguf, config, ops, n_ctx, kv)?;
        let tower = match tower {
            Some(TowerWeights { vision, writer }) => {
                Some(build::tower(&writer.plan, vision, &writer.ops)?)
            }
            None => None,
        };
        let mut engine = Engine::new(device, model, tokenizer, template, &gguf, drafts)?;
        if let Some(sum) = sum {
            engine = engine.with_fingerprint(sum, &gguf);
        }
        match tower {
            Some(tower) => engine.with_tower(tower),
            None => Ok(engine),
        }
    }
}

impl TowerWeights {
    /// Plans a tower. Its projection is kept as it is, like the embedding that its rows stand beside.
    fn new(
        header: &ModelHeader,
        device: &Device,
        tuning: Tuning,
        options: LoadOptions,
    ) -> Result<Self> {
        let vision = Vision::from_header(header)?;
        let ops = Ops::new(&device.handle, tuning);
        let binding = device.info().limits.max_storage_buffer_binding_size;
        let requests = vision.requests(header);
        let plan = LoadPlan::of_requests(header, requests, &ops, binding, options.quantize)?;
        let writer = TensorWriter::new(ops, plan);
        Ok(Self { vision, writer })
    }
}
