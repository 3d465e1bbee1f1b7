//! From a stream of bytes to a model on the device, without ever holding the file.
//!
//! [`Loader::push`] takes the file's bytes in order, in chunks of any size, from whatever has them: an HTTP
//! body, a dropped file, a memory map. The header is parsed from the growing prefix; from then on every
//! tensor is repacked row by row as its bytes come and written to its place on the device. At any moment the
//! loader holds less than one chunk plus one row.

use crate::chat_template::ChatTemplate;
use crate::device::Device;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::transposed::rows_of_columns;
use crate::format::{Files, Gguf, Parsed};
use crate::model::{ModelConfig, assemble};
use crate::ops::{KvType, Ops, Tuning, pool};
use crate::quant::quantize::{Quantize, kept_bytes};
use crate::quant::{block_format, repack_rows};
use crate::speculation::Drafts;
use crate::tokenizer::Tokenizer;
use crate::weights::{Place, Plan, Target};

/// How far a load is.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Progress {
    /// `"header"` or `"weights"`.
    pub phase: &'static str,
    /// Bytes of the file taken.
    pub loaded: u64,
    /// Bytes of the file, 0 while unknown.
    pub total: u64,
    /// The tensor being read.
    pub tensor: Option<String>,
}

/// How to load.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions {
    /// Length of the KV cache in tokens; default [`DEFAULT_CONTEXT`].
    pub context_size: Option<usize>,
    /// What the KV cache is kept in; default f16 on a GPU, f32 on the CPU.
    pub kv_type: Option<KvType>,
    /// Length of the file.
    pub total_bytes: Option<u64>,
    /// Whether tokens are drafted and checked several at once.
    pub drafts: Drafts,
    /// What weights in floats are made of; default: they are kept.
    pub quantize: Option<Quantize>,
}

/// A model on its way to the device.
pub struct Loader {
    device: Device,
    options: LoadOptions,
    /// Position in the file of the next byte.
    offset: u64,
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
    gguf: Gguf,
    config: ModelConfig,
    n_ctx: usize,
    kv: KvType,
    ops: Ops,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    plan: Plan,
    /// The tensor being read: index into the plan's reading order.
    current: usize,
    /// Bytes of the current tensor that have come but do not fill a row yet.
    rest: Vec<u8>,
    /// Rows of the current tensor already placed.
    rows_done: usize,
    /// Bytes written to the device since the queue was last drained.
    unflushed: usize,
}

/// The default context where the caller names none: the KV cache of a small model then fits any GPU.
pub const DEFAULT_CONTEXT: usize = 2048;

impl Loader {
    /// A loader for `device`.
    pub fn new(device: Device, options: LoadOptions) -> Self {
        Self {
            device,
            options,
            offset: 0,
            stage: Stage::Header {
                prefix: Vec::new(),
                parse_at: 0,
            },
        }
    }

    /// A loader of a model in several files, whose bytes are to be pushed one file after the other.
    ///
    /// # Errors
    /// Whatever the headers show to be wrong.
    pub fn of_files(device: Device, options: LoadOptions, files: Files) -> Result<Self> {
        let (gguf, total) = files.join()?;
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

    /// How far the load is.
    pub fn progress(&self) -> Progress {
        Progress {
            phase: match self.stage {
                Stage::Header { .. } => "header",
                Stage::Weights(_) => "weights",
            },
            loaded: self.offset,
            total: self.options.total_bytes.unwrap_or(0),
            tensor: match &self.stage {
                Stage::Header { .. } => None,
                Stage::Weights(w) => w.plan.order.get(w.current).map(|t| t.name.clone()),
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
        match &mut self.stage {
            Stage::Header { prefix, parse_at } => {
                prefix.extend_from_slice(chunk);
                if (prefix.len() as u64) < *parse_at
                    && self.options.total_bytes != Some(self.offset)
                {
                    return Ok(());
                }
                match Gguf::parse(prefix, self.options.total_bytes)? {
                    Parsed::NeedMore { at_least } => {
                        *parse_at = at_least;
                        Ok(())
                    }
                    Parsed::Header(gguf) => {
                        let prefix = std::mem::take(prefix);
                        let mut weights = Box::new(Weights::new(&self.device, gguf, self.options)?);
                        let result = weights.feed(&self.device, 0, &prefix).await;
                        self.stage = Stage::Weights(weights);
                        result
                    }
                }
            }
            Stage::Weights(weights) => weights.feed(&self.device, start, chunk).await,
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
            Gguf::parse(prefix, Some(prefix.len() as u64))?;
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
        if let Some(tensor) = weights.plan.order.get(weights.current) {
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
        weights.build(self.device, self.options.drafts)
    }
}

impl Weights {
    fn new(device: &Device, gguf: Gguf, options: LoadOptions) -> Result<Self> {
        let config = ModelConfig::from_gguf(&gguf)?;
        let kv = options.kv_type.unwrap_or(match device.is_gpu() {
            // (a text that is embedded is short, and its keys are read once)
            true if config.pooling.is_none() => KvType::F16,
            _ => KvType::F32,
        });
        let n_ctx = config.context(options.context_size);
        let limits = device.info().limits;
        let binding = limits.max_storage_buffer_binding_size;
        let rows = (config.n_kv_heads * n_ctx) as u64;
        let cache_binding = rows * kv.row_bytes(config.head_dim);
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
                .map(|t| kept_bytes(t, options.quantize))
                .sum(),
        };
        device.can_hold(weights.saturating_add(config.kv_bytes(n_ctx, kv)))?;
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
        let ops = Ops::new(&device.burn, Tuning { chunk, ..tuning });
        let plan = Plan::new(&gguf, &config, &ops, binding, options.quantize)?;
        Ok(Self {
            gguf,
            config,
            n_ctx,
            kv,
            ops,
            tokenizer,
            template,
            plan,
            current: 0,
            rest: Vec::new(),
            rows_done: 0,
            unflushed: 0,
        })
    }

    /// Takes the file's bytes `start .. start + chunk.len()`.
    async fn feed(&mut self, device: &Device, start: u64, chunk: &[u8]) -> Result<()> {
        let end = start + chunk.len() as u64;
        while let Some(tensor) = self.plan.order.get(self.current) {
            let from = tensor.offset.max(start);
            let to = (tensor.offset + tensor.size).min(end);
            if from >= to {
                break;
            }
            let bytes = &chunk[(from - start) as usize..(to - start) as usize];
            let complete = to == tensor.offset + tensor.size;
            self.place(bytes)?;
            if !complete {
                break;
            }
            self.current += 1;
            self.rows_done = 0;
            self.rest.clear();
        }
        // Queued writes hold a copy of their bytes; drain them before they pile up.
        const DRAIN_BYTES: usize = 32 << 20;
        if self.unflushed > DRAIN_BYTES {
            self.unflushed = 0;
            if device.is_gpu() {
                device
                    .wait(crate::ops::words::read_words(self.ops.anchor(), 0, 1))
                    .await?;
            }
            device.check()?;
        }
        Ok(())
    }

    /// Places bytes of the current tensor that follow what was placed before.
    fn place(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(tensor) = self.plan.order.get(self.current) else {
            return Ok(());
        };
        let format = block_format(tensor.dtype, &tensor.name)?;
        let cols = tensor.cols;
        let row_bytes = cols / format.block_len() * format.block_bytes();
        let mut bytes = bytes;
        // In slices, so that a large chunk is not doubled in memory.
        const SLICE_BYTES: usize = 1 << 20;
        if tensor.is_transposed {
            return self.place_columns(bytes, row_bytes, SLICE_BYTES);
        }
        // Complete the row that the last chunk began.
        if !self.rest.is_empty() {
            let missing = (row_bytes - self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.rest.len() < row_bytes {
                return Ok(());
            }
            let row = std::mem::take(&mut self.rest);
            self.place_rows(&row)?;
        }
        let whole = bytes.len() / row_bytes * row_bytes;
        let step = (SLICE_BYTES / row_bytes).max(1) * row_bytes;
        for rows in bytes[..whole].chunks(step) {
            self.place_rows(rows)?;
        }
        self.rest.extend_from_slice(&bytes[whole..]);
        Ok(())
    }

    /// A row is there when all columns are, so they are kept until then: GPT-2's largest matrix is 41 MB.
    fn place_columns(&mut self, bytes: &[u8], row_bytes: usize, slice_bytes: usize) -> Result<()> {
        let Some(tensor) = self.plan.order.get(self.current) else {
            return Ok(());
        };
        let missing = (tensor.size as usize).saturating_sub(self.rest.len());
        let element = block_format(tensor.dtype, &tensor.name)?.block_bytes();
        if self.rest.try_reserve_exact(missing).is_err() {
            return Err(Error::OutOfMemory {
                what: format!("tensor \"{}\", which the file has by columns", tensor.name),
                needed: tensor.size,
                available: 0,
            });
        }
        self.rest.extend_from_slice(bytes);
        if bytes.len() < missing {
            return Ok(());
        }
        let columns = std::mem::take(&mut self.rest);
        rows_of_columns(&columns, element, row_bytes, slice_bytes, |rows| {
            self.place_rows(rows)
        })
    }

    /// Repacks and writes whole rows of the current tensor.
    fn place_rows(&mut self, rows: &[u8]) -> Result<()> {
        let Some(tensor) = self.plan.order.get(self.current) else {
            return Ok(());
        };
        let format = block_format(tensor.dtype, &tensor.name)?;
        let cols = tensor.cols;
        match tensor.target {
            Target::Vector(index) => {
                let mut values = vec![0.0; rows.len() / format.block_bytes() * format.block_len()];
                format.dequantize(rows, &mut values)?;
                self.plan.vectors[index].extend(values);
            }
            Target::Matrix { matrix, first } => {
                let n = rows.len() / (cols / format.block_len() * format.block_bytes());
                let (mut quants, mut scales) = (Vec::new(), Vec::new());
                match tensor.quantize {
                    Some(quantize) => {
                        let mut values = vec![0.0; n * cols];
                        format.dequantize(rows, &mut values)?;
                        let kept = block_format(quantize.dtype(), &tensor.name)?;
                        let blocks = quantize.blocks(&values);
                        repack_rows(kept, cols, &blocks, &mut quants, &mut scales)?;
                    }
                    None => repack_rows(format, cols, rows, &mut quants, &mut scales)?,
                }
                self.unflushed += rows.len();
                self.plan.matrices[matrix].write(
                    &self.ops,
                    Place {
                        row: first + self.rows_done,
                        rows: n,
                    },
                    quants,
                    scales,
                )?;
                self.rows_done += n;
            }
        }
        Ok(())
    }

    fn build(self: Box<Self>, device: Device, drafts: Drafts) -> Result<Engine> {
        let Weights {
            gguf,
            config,
            n_ctx,
            kv,
            ops,
            tokenizer,
            template,
            plan,
            ..
        } = *self;
        let decoder = assemble::decoder(&plan, &gguf, config, ops, n_ctx, kv)?;
        Engine::new(device, decoder, tokenizer, template, &gguf, drafts)
    }
}
