//! Answers that begin again with other tokens: the model has thought for long enough, or the context is full.
//!
//! Both end what is in flight and start a generation whose prompt is the conversation so far: with the closing mark of the
//! thoughts, or without the oldest tokens. What the cache holds of it is kept, as for any other request.

use crate::engine::Engine;
use crate::engine::generation::{Mode, Tokens};
use crate::engine::request::{FinishReason, Request, TokenDelta};
use crate::ops::state::MASKED;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::text::MarkedText;
use hearth_modelfile::text::template::{ThoughtMarks, ToolStyle};

/// Reasons for which an answer begins again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// The thoughts have as many tokens as allowed.
    Thoughts,
    /// The context is full.
    Context,
}

/// Limits of an answer's length.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Most tokens of the answer, if the request says.
    pub(crate) max_tokens: Option<usize>,
    /// Tokens at the beginning that stay when the context is full and the oldest others go; `None` ends the answer there.
    pub(crate) keep: Option<usize>,
}

/// Counts the tokens of the model's thoughts.
#[derive(Debug)]
pub(crate) struct ThoughtBudget {
    marks: ThoughtMarks,
    /// Tokens that end the thoughts.
    closing: Vec<u32>,
    left: usize,
    place: Place,
    /// End of the text so far in which a mark may have begun.
    held: String,
}

/// Place of an answer in relation to the thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Inside,
    After,
}

impl ThoughtBudget {
    fn new(marks: ThoughtMarks, closing: Vec<u32>, most: usize, in_thoughts: bool) -> Self {
        Self {
            marks,
            closing,
            left: most,
            place: match in_thoughts {
                true => Place::Inside,
                false => Place::Before,
            },
            held: String::new(),
        }
    }

    /// Notes the text of the next token; returns whether the thoughts have to end after it.
    pub(crate) fn is_spent_by(&mut self, text: &str) -> bool {
        if self.place == Place::After {
            return false;
        }
        self.held.push_str(text);
        if self.place == Place::Before {
            let visible = self.held.trim_start();
            if !visible.starts_with(&self.marks.open) {
                if !self.marks.open.starts_with(visible) {
                    self.place = Place::After;
                }
                return false;
            }
            self.place = Place::Inside;
            self.held = visible[self.marks.open.len()..].to_owned();
        }
        if self.held.contains(&self.marks.close) {
            self.place = Place::After;
            return false;
        }
        let surplus = self.held.len().saturating_sub(self.marks.close.len());
        let cut = (surplus..self.held.len()).find(|at| self.held.is_char_boundary(*at));
        self.held.drain(..cut.unwrap_or(0));
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.place = Place::After;
        }
        self.left == 0
    }
}

/// Returns the prompt and the answer without their oldest tokens but the first `keep`, so that about half of the context
/// is free.
pub(crate) fn shifted(
    prompt: &[u32],
    answer: &[u32],
    keep: usize,
    n_ctx: usize,
) -> (Vec<u32>, Vec<u32>) {
    let keep = keep.clamp(1, (n_ctx / 2).max(1)).min(prompt.len());
    let tail = (n_ctx - keep) / 2;
    let gone = (prompt.len() + answer.len()).saturating_sub(keep + tail);
    let end = keep + gone;
    let rest = &prompt[end.min(prompt.len())..];
    let answer = &answer[end.saturating_sub(prompt.len())..];
    ([&prompt[..keep], rest].concat(), answer.to_vec())
}

impl Engine {
    /// Returns the budget of a request's thoughts, if it has one. `in_thoughts`: the answer begins among them.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] where the thoughts cannot be ended.
    pub(super) fn thought_budget(
        &self,
        request: &Request,
        in_thoughts: bool,
    ) -> Result<Option<ThoughtBudget>> {
        let Some(most) = request.thinking_token_budget else {
            return Ok(None);
        };
        let refused = |expected: &str| Error::InvalidRequest {
            field: "thinking_token_budget".into(),
            expected: expected.into(),
            found: most.to_string(),
        };
        if most == 0 {
            return Err(refused("at least 1 (use enable_thinking for none)"));
        }
        if request.logprobs || request.top_logprobs.is_some() {
            return Err(refused("absent beside logprobs"));
        }
        if self.template.tool_style() == Some(ToolStyle::Harmony) {
            return Err(refused("absent for a model that answers on channels"));
        }
        let marks = self.template.thought_marks().cloned().unwrap_or_default();
        let closing = MarkedText::trusted(format!("\n{}\n\n", marks.close));
        let mut closing = self.tokenizer.encode_template(&closing)?;
        if closing
            .first()
            .is_some_and(|id| Some(*id) == self.tokenizer.bos())
        {
            closing.remove(0);
        }
        Ok(Some(ThoughtBudget::new(marks, closing, most, in_thoughts)))
    }

    /// Begins the running answer again; it ends where that is not possible.
    pub(super) fn interrupt(
        &mut self,
        interruption: Interruption,
        step: &mut TokenDelta,
    ) -> Result<()> {
        let Some(mut old) = self.generation.take() else {
            return Ok(());
        };
        old.end(&mut self.stepper, &mut self.sequence);
        let (prompt, mut answer) = old.tokens();
        let mut earlier = old.earlier + old.generated.len();
        if interruption == Interruption::Thoughts
            && let Some(budget) = old.budget.take()
        {
            for id in budget.closing {
                answer.push(id);
                step.ids.push(id);
                let (shown, _) = old.stop.push(&old.stream.push(id));
                step.text += &shown;
                earlier += 1;
            }
        }
        step.usage.completion_tokens = earlier;
        step.usage.total_tokens = step.usage.prompt_tokens + earlier;
        let n_ctx = self.stepper.model.n_ctx;
        let is_full = prompt.len() + answer.len() >= n_ctx;
        let is_over = (old.limits.max_tokens).is_some_and(|most| earlier >= most);
        let can_shift = old.limits.keep.is_some() && old.spans.is_empty();
        if is_over || (is_full && !can_shift) {
            step.text += &old.finish_text();
            step.finish_reason = Some(FinishReason::Length);
            return Ok(());
        }
        let tokens = Tokens {
            prompt,
            answer,
            earlier,
            prompt_tokens: old.prompt_tokens,
            spans: old.spans,
            keys: old.keys,
        };
        self.begin(tokens, old.sampling.clone(), old.limits, &[])?;
        let Some(generation) = &mut self.generation else {
            return Ok(());
        };
        generation.stream = old.stream;
        generation.stop = old.stop;
        generation.in_thoughts = old.in_thoughts;
        generation.budget = old.budget;
        generation.predictions = old.predictions;
        if let Mode::Lockstep(lockstep) = old.mode {
            if lockstep.constraint.is_some() {
                let bits = generation.adjust | MASKED;
                (self.sequence.step).set_adjust(&self.stepper.model.ops, bits);
            }
            generation.mode = Mode::Lockstep(lockstep);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_counted_between_their_marks() {
        let spent = |texts: &[&str], most, in_thoughts| {
            let mut budget = ThoughtBudget::new(ThoughtMarks::default(), vec![], most, in_thoughts);
            texts.iter().position(|text| budget.is_spent_by(text))
        };
        assert_eq!(spent(&["a", "b", "c"], 2, true), Some(1));
        assert_eq!(spent(&["a", "</think>", "b", "c", "d"], 3, true), None);
        assert_eq!(spent(&["a", "</th", "ink>", "c", "d"], 4, true), None);
        assert_eq!(spent(&[" ", "<th", "ink>", "a", "b"], 2, false), Some(3));
        assert_eq!(spent(&["Hi", "<think>", "a", "b"], 1, false), None);
        assert_eq!(spent(&["é", "日", "本"], 3, true), Some(2));
    }

    #[test]
    fn a_shift_keeps_the_beginning_and_the_end() {
        let ids = |range: std::ops::Range<u32>| range.collect::<Vec<u32>>();
        let (prompt, answer) = shifted(&ids(0..10), &ids(10..16), 2, 16);
        assert_eq!((prompt, answer), (vec![0, 1, 9], ids(10..16)));
        let (prompt, answer) = shifted(&ids(0..4), &ids(4..16), 2, 16);
        assert_eq!((prompt, answer), (vec![0, 1], ids(9..16)));
        let (prompt, answer) = shifted(&ids(0..100), &[], 0, 16);
        assert_eq!((prompt.len(), prompt[0], prompt[7]), (8, 0, 99));
        assert!(answer.is_empty());
        let (prompt, _) = shifted(&ids(0..100), &[], 90, 16);
        assert_eq!(prompt.len(), 12, "at most half of the context is kept");
    }
}
