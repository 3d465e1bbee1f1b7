//! The engine: one model on one device, the sequences of one or a few conversations, one request at a time.
//!
//! [`Engine::start`] takes a request, [`Engine::next`] does a bounded piece of work (a prefill chunk, or the
//! tokens of one submission) and returns what came of it, so that a caller can stop between any two. The
//! longest common prefix with the previous request is kept: a chat's next turn prefills only what is new.
//!
//! | part | owns |
//! |---|---|
//! | `Stepper` | the model on the device; launches every kernel |
//! | `Sequence` | what the layers and the sampler keep of one conversation |
//! | `Generation` | the running request: prompt, steps in flight, text |
//! | `DraftPolicy` | what drafts have gained so far |

pub mod adapters;
mod bench;
pub mod constraint;
pub(crate) mod context;
pub(crate) mod draft_policy;
pub mod embed;
mod generation;
mod info;
mod interruption;
pub mod logprobs;
mod pictures;
pub mod rank;
pub mod request;
pub(crate) mod residents;
mod score;
mod sequence;
pub mod speech;
mod start;
mod stats;
mod stepper;

use crate::device::Device;
use crate::engine::generation::{Generation, Resources};
use crate::engine::request::{Sampling, TokenDelta};
use crate::engine::sequence::Sequence;
use crate::engine::stepper::Stepper;
use crate::model::Transformer;
use crate::model::tower::Tower;
use hearth_modelfile::container::ModelHeader;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::{Captions, Pooling};
use hearth_modelfile::text::pair::PairFormat;
use hearth_modelfile::text::template::ChatTemplate;
use hearth_modelfile::text::tokenizer::Tokenizer;

use adapters::Adapters;
pub use context::ContextPage;
use context::fingerprint::Fingerprint;
use draft_policy::DraftPolicy;
pub use draft_policy::Drafts;
use embed::EmbedInput;
pub use info::ModelInfo;
use pictures::Pictures;
use rank::RankInput;
pub use stats::Stats;

/// A model ready to answer.
pub struct Engine {
    tokenizer: Tokenizer,
    template: ChatTemplate,
    /// Format of pairs, in models that rank documents.
    pair_format: Option<PairFormat>,
    info: ModelInfo,
    stepper: Stepper,
    /// Sequence of the present conversation.
    sequence: Sequence,
    /// Sequences of other conversations that stay in memory, the least recently used one first.
    others: Vec<Sequence>,
    policy: DraftPolicy,
    generation: Option<Generation>,
    /// Tower of a model that sees.
    tower: Option<Tower>,
    pictures: Pictures,
    adapters: Adapters,
    /// Identity of its conversations' pages, if it was requested.
    fingerprint: Option<Fingerprint>,
}

impl Engine {
    pub(crate) fn new(
        device: Device,
        model: Transformer,
        tokenizer: Tokenizer,
        template: ChatTemplate,
        gguf: &ModelHeader,
        drafts: Drafts,
    ) -> Result<Self> {
        let info = ModelInfo::new(&model, &template, gguf);
        let ranks = info.config.pooling == Some(Pooling::Rank);
        let pair_format = match ranks {
            true => Some(PairFormat::from_gguf(
                &gguf.metadata,
                info.config.spec.ranking,
            )?),
            false => None,
        };
        let mut sequence = Sequence::new(&model);
        sequence.place(&model, &[]);
        let drafts = drafts.worthwhile(&device, sequence.takes_drafts());
        let stepper = Stepper::new(device, model, drafts.rows());
        stepper.device.check()?;
        Ok(Self {
            tokenizer,
            template,
            pair_format,
            info,
            stepper,
            sequence,
            others: Vec::new(),
            policy: DraftPolicy::new(drafts),
            generation: None,
            tower: None,
            pictures: Pictures::default(),
            adapters: Adapters::default(),
            fingerprint: None,
        })
    }

    /// Lets the model see by a tower.
    ///
    /// # Errors
    /// [`Error::Metadata`] if it is another model's, [`Error::Tokenizer`] if no token stands for its rows.
    pub(crate) fn with_tower(mut self, tower: Tower) -> Result<Self> {
        let (vision, model) = (&tower.vision, &mut self.stepper.model);
        let embeds = vision.projector.embeds();
        let wanted = match embeds {
            true => model.config.embedding_dim,
            false => model.config.d_model,
        };
        if vision.width != wanted || embeds != (model.config.spec.captions != Captions::None) {
            return Err(Error::Metadata {
                key: "clip.vision.projection_dim".into(),
                expected: format!("{wanted}, the model's width: its own projector"),
                found: vision.width.to_string(),
            });
        }
        if vision.projector.places_in_three() && model.config.rope_sections.is_none() {
            return Err(Error::Metadata {
                key: format!("{}.rope.dimension_sections", model.config.architecture),
                expected: "given for a model that sees".into(),
                found: "nothing".into(),
            });
        }
        if !embeds {
            (_, model.row_token) = vision.row_token(&self.tokenizer)?;
            if model.per_layer.is_some() {
                // Embeddings by layer of rows are those of padding.
                model.row_token = self.tokenizer.pad().unwrap_or(0);
            }
        }
        self.info.vision = Some(vision.processor.clone());
        self.info.weight_bytes += tower.bytes;
        self.tower = Some(tower);
        Ok(self)
    }

    /// Describes the loaded model.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.stepper.device
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        self.stepper.stats(&self.sequence)
    }

    /// Runs a short request through every pipeline, so that the first real one compiles nothing, and so that a
    /// device that cannot run the model says so at load.
    ///
    /// # Errors
    /// Any error of the device.
    pub async fn warm_up(&mut self) -> Result<()> {
        let config = &self.stepper.model.config;
        let generates = config.spec.generates();
        let (ranks, embeds) = (self.pair_format.is_some(), config.pooling.is_some());
        if ranks {
            let warm = RankInput {
                truncate: true,
                ..RankInput::default()
            };
            self.rank(&warm).await?;
        } else if embeds {
            let warm = EmbedInput {
                truncate: true,
                ..EmbedInput::text("warm")
            };
            self.embed(&warm).await?;
        }
        if generates {
            self.start_ids(vec![0, 0], Sampling::GREEDY, Some(1), &[])?;
            while self.next().await?.finish_reason.is_none() {}
        }
        self.clear();
        self.stepper.reset_stats();
        Ok(())
    }

    /// Changes whether drafts are made, from the next request on; its start records the steps that this needs.
    pub fn set_drafts(&mut self, drafts: Drafts) {
        self.cancel();
        let drafts = drafts.worthwhile(&self.stepper.device, self.sequence.takes_drafts());
        self.stepper.reserve_draft_rows(drafts.rows());
        self.policy.drafts = drafts;
    }

    /// Gives up the running request. Steps already submitted finish unseen.
    pub fn cancel(&mut self) {
        if let Some(mut generation) = self.generation.take() {
            generation.end(&mut self.stepper, &mut self.sequence);
        }
    }

    /// Does the next piece of work of the running request.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] when nothing is running; else the device's errors. After an error the
    /// request is over and the engine ready for another (unless the device is lost).
    pub async fn next(&mut self) -> Result<TokenDelta> {
        self.stepper.settle().await;
        let Some(generation) = &mut self.generation else {
            return Err(Error::InvalidRequest {
                field: "request".into(),
                expected: "started".into(),
                found: "none running".into(),
            });
        };
        let mut resources = Resources {
            stepper: &mut self.stepper,
            sequence: &mut self.sequence,
            policy: &mut self.policy,
            tokenizer: &self.tokenizer,
            tower: self.tower.as_ref(),
            pictures: &mut self.pictures,
        };
        let repeated = generation.repeated.take();
        let mut result = generation.advance(&mut resources).await;
        if let (Ok(step), Some((ids, text))) = (&mut result, repeated) {
            step.ids.splice(..0, ids);
            step.text.insert_str(0, &text);
        }
        let interruption = generation.interruption.take();
        if let (Ok(step), Some(interruption)) = (&mut result, interruption)
            && let Err(error) = self.interrupt(interruption, step)
        {
            result = Err(error);
        }
        match &result {
            Err(_) => {
                self.cancel();
                self.clear();
            }
            Ok(step) if step.finish_reason.is_some() => self.cancel(),
            Ok(_) => {}
        }
        result
    }

    /// Forgets the conversation: the contents of the sequence are unknown, or another's.
    fn clear(&mut self) {
        self.sequence.place(&self.stepper.model, &[]);
        self.sequence.clear(&self.stepper.model.ops);
    }

    /// Ends the running request and everything in flight.
    async fn idle(&mut self) {
        self.cancel();
        self.stepper.settle().await;
    }

    /// Ends the running request and awaits what it left on the device. An engine that is dropped without may leave
    /// read-backs there, and the next engine on the same [`Device`] gets their error.
    pub async fn close(mut self) {
        self.idle().await;
    }

    fn check_generates(&self) -> Result<()> {
        match self.stepper.model.config.spec.generates() {
            true => Ok(()),
            false => Err(Error::InvalidRequest {
                field: "model".into(),
                expected: "one that writes text".into(),
                found: "one that makes embeddings only".into(),
            }),
        }
    }

    fn check_ids(&self, field: &str, ids: &[u32]) -> Result<()> {
        let vocab = self.stepper.model.config.vocab_size as u32;
        let bad = |expected: String, found: String| Error::InvalidRequest {
            field: field.into(),
            expected,
            found,
        };
        if ids.is_empty() {
            return Err(bad("at least one token".into(), "none".into()));
        }
        match ids.iter().find(|id| **id >= vocab) {
            Some(id) => Err(bad(format!("ids below {vocab}"), id.to_string())),
            None => Ok(()),
        }
    }

    /// Refuses a text of `needed` tokens that does not fit the context.
    fn check_fits(&self, needed: usize) -> Result<()> {
        let n_ctx = self.stepper.model.n_ctx;
        match needed > n_ctx {
            true => Err(Error::ContextOverflow { needed, n_ctx }),
            false => Ok(()),
        }
    }
}
