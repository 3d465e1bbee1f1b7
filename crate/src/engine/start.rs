//! The beginning of a request: its token ids, the prefix of them that is cached, the sampler's parameters.

use crate::engine::Engine;
use crate::engine::draft_policy::Drafts;
use crate::engine::generation::{Generation, Start, Tokens};
use crate::engine::interruption::{Limits, shifted};
use crate::engine::pictures::Key;
use crate::engine::request::{Request, Sampling};
use crate::engine::stepper::chunk::on_device;
use crate::ops::state::PENALISED;
use crate::platform::wall_clock;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::text::template::{Message, RenderOptions};
use hearth_modelfile::vision::{Placed, Span};

/// A request's prompt.
struct Encoded {
    placed: Placed,
    /// Keys of its pictures.
    keys: Vec<Key>,
    /// The answer begins among thoughts.
    in_thoughts: bool,
}

impl Encoded {
    fn of_ids(ids: Vec<u32>) -> Self {
        let spans = Vec::new();
        Self {
            placed: Placed { ids, spans },
            keys: Vec::new(),
            in_thoughts: false,
        }
    }
}

impl Engine {
    /// The ids of a conversation with the beginning of an answer.
    ///
    /// # Errors
    /// [`Error::Template`] or [`Error::Tokenizer`].
    pub fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>> {
        let options = self.render_options(&Request::default())?;
        let text = self.template.render(messages, &options, &self.tokenizer)?;
        self.tokenizer.encode_template(&text)
    }

    /// Returns the ids of a conversation with pictures and the beginning of an answer, and where the pictures are among them.
    ///
    /// # Errors
    /// [`Error::Template`], [`Error::Tokenizer`]; [`Error::InvalidRequest`] for pictures that are not kept.
    pub fn place_chat(&mut self, messages: &[Message]) -> Result<Placed> {
        let encoded = self.encode_for(messages, &Request::default(), || ())?;
        Ok(encoded.placed)
    }

    /// Encodes a conversation with the pictures, tools and template variables of a request.
    fn encode_for(
        &mut self,
        messages: &[Message],
        request: &Request,
        rendered: impl FnOnce(),
    ) -> Result<Encoded> {
        let (frames, keys) = self.pictures_of(messages)?;
        let options = self.render_options(request)?;
        let (template, tokenizer) = (&self.template, &self.tokenizer);
        let text = match frames.is_empty() {
            true => template.render(messages, &options, tokenizer)?,
            false => self
                .vision()?
                .render(template, messages, &options, tokenizer)?,
        };
        rendered();
        self.check_length(text.byte_len(), request)?;
        let placed = match frames.is_empty() {
            true => Placed {
                ids: tokenizer.encode_template(&text)?,
                spans: Vec::new(),
            },
            false => self.vision()?.place(&text, &frames, &keys, tokenizer)?,
        };
        Ok(Encoded {
            placed,
            keys,
            in_thoughts: text.is_in_thoughts(),
        })
    }

    /// Returns the frames in a prompt, with their height and width in rows.
    fn grids_of(&mut self, tokens: &Tokens) -> Vec<(Span, [usize; 2])> {
        let merge = self.info.vision.as_ref().map_or(1, |vision| vision.merge);
        let grid = |span: &Span| {
            let picture = self.pictures.get(tokens.keys.get(span.picture)?)?;
            let grid = picture.frames.grids.get(span.frame)?;
            Some((*span, grid.map(|side| side / merge)))
        };
        tokens.spans.iter().filter_map(grid).collect()
    }

    /// Returns what a request says to the template besides its messages.
    fn render_options(&self, request: &Request) -> Result<RenderOptions> {
        let mut extra = request.chat_template_kwargs.clone().unwrap_or_default();
        if let Some(thinks) = request.enable_thinking {
            let variable = self.template.thinking_variable()?;
            extra.entry(variable).or_insert(thinks.into());
        }
        Ok(RenderOptions {
            add_generation_prompt: true,
            continue_final_message: request.continue_final_message,
            now: Some(wall_clock()),
            tools: request.tools.clone(),
            extra,
        })
    }

    /// Refuses text of `bytes` that cannot fit the context, before the time is taken to cut it into tokens.
    fn check_length(&self, bytes: usize, request: &Request) -> Result<()> {
        match request.context_shift {
            true => Ok(()),
            false => self.check_fits(self.tokenizer.least_tokens(bytes)),
        }
    }

    /// Starts to answer a request; one that was running is cancelled.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`], [`Error::ContextOverflow`], or what the template and tokenizer say.
    pub fn start(&mut self, request: &Request) -> Result<()> {
        self.start_with(request, || ())
    }

    /// Starts to answer a request like [`Engine::start`], and calls `rendered` once its chat template has done its work: a
    /// template is foreign code whose time is limited, while text of any length may still be cut into tokens.
    ///
    /// # Errors
    /// The errors of [`Engine::start`].
    pub fn start_with(&mut self, request: &Request, rendered: impl FnOnce()) -> Result<()> {
        self.cancel();
        let sampling = request.sampling(self.info.sampling.as_ref())?;
        let encoded = match (&request.messages, &request.prompt) {
            (Some(messages), None) => self.encode_for(messages, request, rendered)?,
            (None, Some(prompt)) => {
                self.check_length(prompt.len(), request)?;
                let mut ids = Vec::new();
                ids.extend(self.tokenizer.bos().filter(|_| self.tokenizer.add_bos()));
                ids.extend(self.tokenizer.encode(prompt)?);
                Encoded::of_ids(ids)
            }
            _ => {
                return Err(Error::InvalidRequest {
                    field: "messages".into(),
                    expected: "given, or else prompt".into(),
                    found: "both or neither".into(),
                });
            }
        };
        let Encoded {
            placed: Placed { ids: prompt, spans },
            keys,
            in_thoughts,
        } = encoded;
        let alternatives = request.alternatives()?;
        let resume_ids = &request.resume_ids;
        if request.repeat_resumed && alternatives.is_some() {
            return Err(Error::InvalidRequest {
                field: "resume_ids".into(),
                expected: "absent beside logprobs".into(),
                found: format!("{} tokens", resume_ids.len()),
            });
        }
        let budget = self.thought_budget(request, in_thoughts)?;
        let tokens = Tokens {
            prompt_tokens: prompt.len(),
            prompt,
            answer: resume_ids.clone(),
            earlier: resume_ids.len(),
            spans,
            keys,
        };
        let limits = Limits {
            max_tokens: request.max_tokens,
            keep: (request.context_shift).then(|| request.n_keep.unwrap_or(1)),
        };
        self.use_adapters(&request.adapters)?;
        self.resume_conversation(&[&tokens.prompt[..], resume_ids].concat());
        self.begin(tokens, sampling, limits, &request.stop)?;
        let thought_ids = self.template.thought_tokens(&self.tokenizer);
        if let Some(generation) = &mut self.generation {
            if alternatives.is_some() {
                generation.lockstep().logprobs = alternatives;
            }
            generation.in_thoughts = in_thoughts;
            generation.stream = match (request.skip_special_tokens, &request.messages) {
                (Some(false), _) => self.tokenizer.stream().keep_special(),
                // Some vocabularies have the marks of thoughts as control tokens.
                (_, Some(_)) => self.tokenizer.stream().keeping(thought_ids),
                _ => self.tokenizer.stream(),
            };
            // Text of these tokens has been delivered, unless it is to come again; what has not become text yet is
            // still to come.
            generation.budget = budget;
            let mut delivered = String::new();
            for id in resume_ids {
                let text = generation.stream.push(*id);
                if let Some(budget) = &mut generation.budget {
                    budget.is_spent_by(&text);
                }
                delivered += &(generation.stop).push(&text).0;
            }
            if request.repeat_resumed {
                generation.repeated = Some((resume_ids.clone(), delivered));
            }
        }
        Ok(())
    }

    /// Starts to continue token ids.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for an empty prompt or an id beyond the vocabulary;
    /// [`Error::ContextOverflow`] where no room is left for an answer.
    pub fn start_ids(
        &mut self,
        prompt: Vec<u32>,
        sampling: Sampling,
        max_tokens: Option<usize>,
        stop: &[String],
    ) -> Result<()> {
        let tokens = Tokens {
            prompt_tokens: prompt.len(),
            prompt,
            answer: Vec::new(),
            earlier: 0,
            spans: Vec::new(),
            keys: Vec::new(),
        };
        let limits = Limits {
            max_tokens,
            keep: None,
        };
        self.cancel();
        self.resume_conversation(&tokens.prompt);
        self.begin(tokens, sampling, limits, stop)
    }

    /// Starts to continue a prompt and the answer so far.
    pub(super) fn begin(
        &mut self,
        mut tokens: Tokens,
        mut sampling: Sampling,
        limits: Limits,
        stop: &[String],
    ) -> Result<()> {
        self.cancel();
        self.check_generates()?;
        let n_ctx = self.stepper.model.n_ctx;
        let row_token = self.stepper.model.row_token;
        match tokens.spans.is_empty() {
            true => self.check_ids("prompt", &tokens.prompt)?,
            false => self.check_ids("prompt", &on_device(&tokens.prompt, row_token))?,
        }
        if !tokens.answer.is_empty() {
            self.check_ids("resume_ids", &tokens.answer)?;
        }
        let biased: Vec<u32> = sampling.logit_bias.iter().map(|(id, _)| *id).collect();
        if !biased.is_empty() {
            self.check_ids("logit_bias", &biased)?;
        }
        // Nothing outweighs this, neither a request's own bias nor a penalty.
        const NEVER: f32 = -1e9;
        let suppressed = self.tokenizer.suppressed();
        (sampling.logit_bias).retain(|(id, _)| !suppressed.contains(id));
        (sampling.logit_bias).extend(suppressed.iter().map(|id| (*id, NEVER)));
        // (a cut within a picture would leave rows that mean nothing)
        if let Some(keep) = limits.keep
            && tokens.spans.is_empty()
            && tokens.prompt.len() + tokens.answer.len() >= n_ctx
        {
            let (prompt, answer) = shifted(&tokens.prompt, &tokens.answer, keep, n_ctx);
            (tokens.prompt, tokens.answer) = (prompt, answer);
        }
        self.check_fits(tokens.prompt.len() + 1)?;
        if limits.max_tokens == Some(0) {
            return Err(Error::InvalidRequest {
                field: "max_tokens".into(),
                expected: "at least 1".into(),
                found: "0".into(),
            });
        }
        // Room for the whole answer, of which some tokens may be there already or gone.
        let room = n_ctx - tokens.prompt.len() + (tokens.earlier - tokens.answer.len());
        let most = limits.max_tokens.unwrap_or(room).min(room);
        if tokens.earlier >= most {
            return Err(Error::InvalidRequest {
                field: "resume_ids".into(),
                expected: format!("fewer than {most} tokens"),
                found: tokens.earlier.to_string(),
            });
        }
        let grids = self.grids_of(&tokens);
        let Self {
            stepper, sequence, ..
        } = self;
        sequence.place(&stepper.model, &grids);
        stepper.record(sequence, self.policy.drafts != Drafts::Off)?;
        let ops = &stepper.model.ops;
        if sampling.adjusts() {
            let bias = &sampling.logit_bias;
            let prompt = on_device(&tokens.prompt, row_token);
            (sequence.tables).begin(ops, &prompt, &tokens.answer, bias);
        }
        let ids = [&tokens.prompt[..], &tokens.answer].concat();
        let mut prefix = sequence.keep_prefix(ops, &ids);
        let cut = (tokens.spans.iter())
            .find(|span| (span.start + 1..span.start + span.rows).contains(&prefix.kept));
        if let Some(span) = cut {
            // Rows that see each other are computed together.
            prefix = sequence.keep_prefix(ops, &ids[..=span.start]);
        }
        (sequence.step).set_sampling(ops, sampling.state_words(tokens.earlier));
        self.policy.start(&on_device(&ids, row_token));
        let start = Start {
            marks: sequence.marks(prefix, ids.len()),
            max_tokens: most - tokens.earlier,
            tokens,
            adjust: sampling.adjusts() as u32 * PENALISED,
            sampling,
            limits,
            cached: prefix.kept,
            stop,
        };
        self.generation = Some(Generation::new(start, self.tokenizer.stream()));
        Ok(())
    }
}
