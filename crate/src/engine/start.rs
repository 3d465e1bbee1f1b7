//! The beginning of a request: its token ids, the prefix of them that is cached, the sampler's parameters.

use crate::engine::Engine;
use crate::engine::draft_policy::Drafts;
use crate::engine::generation::{Generation, Start, Tokens};
use crate::engine::interruption::{Limits, shifted};
use crate::engine::request::{Request, Sampling};
use crate::ops::state::PENALISED;
use crate::platform::wall_clock;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::text::template::{Message, RenderOptions};

impl Engine {
    /// The ids of a conversation with the beginning of an answer.
    ///
    /// # Errors
    /// [`Error::Template`] or [`Error::Tokenizer`].
    pub fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>> {
        Ok(self.encode_for(messages, &Request::default(), || ())?.0)
    }

    /// Encodes a conversation with the tools and template variables of a request; also returns whether the answer begins
    /// among thoughts.
    fn encode_for(
        &self,
        messages: &[Message],
        request: &Request,
        rendered: impl FnOnce(),
    ) -> Result<(Vec<u32>, bool)> {
        let mut extra = request.chat_template_kwargs.clone().unwrap_or_default();
        if let Some(thinks) = request.enable_thinking {
            let variable = self.template.thinking_variable()?;
            extra.entry(variable).or_insert(thinks.into());
        }
        let options = RenderOptions {
            add_generation_prompt: true,
            continue_final_message: request.continue_final_message,
            now: Some(wall_clock()),
            tools: request.tools.clone(),
            extra,
        };
        let text = self.template.render(messages, &options, &self.tokenizer)?;
        rendered();
        self.check_length(text.byte_len(), request)?;
        Ok((
            self.tokenizer.encode_template(&text)?,
            text.is_in_thoughts(),
        ))
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
        let (prompt, in_thoughts) = match (&request.messages, &request.prompt) {
            (Some(messages), None) => self.encode_for(messages, request, rendered)?,
            (None, Some(prompt)) => {
                self.check_length(prompt.len(), request)?;
                let mut ids = Vec::new();
                ids.extend(self.tokenizer.bos().filter(|_| self.tokenizer.add_bos()));
                ids.extend(self.tokenizer.encode(prompt)?);
                (ids, false)
            }
            _ => {
                return Err(Error::InvalidRequest {
                    field: "messages".into(),
                    expected: "given, or else prompt".into(),
                    found: "both or neither".into(),
                });
            }
        };
        let alternatives = request.alternatives()?;
        let resume_ids = &request.resume_ids;
        let budget = self.thought_budget(request, in_thoughts)?;
        let tokens = Tokens {
            prompt_tokens: prompt.len(),
            prompt,
            answer: resume_ids.clone(),
            earlier: resume_ids.len(),
        };
        let limits = Limits {
            max_tokens: request.max_tokens,
            keep: (request.context_shift).then(|| request.n_keep.unwrap_or(1)),
        };
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
            // Text of these tokens has been delivered; what has not become text yet is still to come.
            generation.budget = budget;
            for id in resume_ids {
                let text = generation.stream.push(*id);
                if let Some(budget) = &mut generation.budget {
                    budget.is_spent_by(&text);
                }
                (generation.stop).push(&text);
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
        };
        let limits = Limits {
            max_tokens,
            keep: None,
        };
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
        self.check_ids("prompt", &tokens.prompt)?;
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
        if let Some(keep) = limits.keep
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
        let Self {
            stepper, sequence, ..
        } = self;
        stepper.record(sequence, self.policy.drafts != Drafts::Off)?;
        let ops = &stepper.model.ops;
        if sampling.adjusts() {
            let bias = &sampling.logit_bias;
            (sequence.tables).begin(ops, &tokens.prompt, &tokens.answer, bias);
        }
        let ids = [&tokens.prompt[..], &tokens.answer].concat();
        let prefix = sequence.keep_prefix(ops, &ids);
        (sequence.step).set_sampling(ops, sampling.state_words(tokens.earlier));
        self.policy.start(&ids);
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
