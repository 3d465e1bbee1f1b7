//! Chat templates: render messages to the prompt that a model was trained on.
//!
//! A GGUF file contains its template as Jinja source. It is rendered as in Hugging Face's `transformers`
//! (`utils/chat_template_utils.py`: sandbox, `trim_blocks`, `lstrip_blocks`, `tojson`, `raise_exception`,
//! `strftime_now`), its source rewritten where minijinja differs from Jinja2 ([`source`]), with two differences:
//!
//! * A template is untrusted code: its work and its output are limited. One operation escapes
//!   the count: minijinja 3.1.0 joins lists lazily and does not count the items when it finally joins them, so a
//!   template that doubles a list some thirty times (`x = x + x`) runs until memory is exhausted. In a browser the
//!   page's timeout or the exhausted memory ends the worker with a typed error; natively nothing stops it.
//! * Special tokens that occur in a message, a tool or an option stay plain text. A marker character breaks them
//!   while the template runs, so that [`Tokenizer::encode_template`] can distinguish them from those that the
//!   template itself wrote, and it is removed before encoding. A template that compares or measures such texts sees
//!   the marker.

mod adapt;
mod clock;
mod guard;
#[cfg(test)]
mod injection_tests;
mod json;
mod methods;
mod source;
mod style;
#[cfg(test)]
mod tests;
mod thoughts;
mod unfinished;

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub use clock::Clock;
pub use style::ToolStyle;
pub use thoughts::ThoughtMarks;

use crate::error::{Error, Result};
use crate::text::MarkedText;
use crate::text::tokenizer::Tokenizer;
use adapt::Adaptations;
use guard::Guard;
use unfinished::{append_answer, split_answer};

/// Used if the file has no template but its vocabulary has ChatML's tokens.
const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}{{ '\\n' }}\
    {% if m.content is string %}{{ m.content }}\
    {% else %}{% for part in m.content or [] %}{{ part.text }}{% endfor %}{% endif %}\
    <|im_end|>{{ '\\n' }}{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}";

/// Used if the file has neither a template nor those tokens.
const PLAIN: &str = "{% for m in messages %}{{ m.role | capitalize }}: \
    {% if m.content is string %}{{ m.content }}\
    {% else %}{% for part in m.content or [] %}{{ part.text }}{% endfor %}{% endif %}\
    {{ '\\n' }}{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}";

/// Longest template source in bytes; real ones have at most some 20 kB.
const MAX_SOURCE: usize = 1 << 20;
/// minijinja's unit of work: about one instruction, or 64 bytes of data. Real templates use a few hundred per
/// message. This also bounds a render's memory, to about 64 bytes per unit.
const FUEL: u64 = 500_000;
const FUEL_PER_MESSAGE: u64 = 20_000;
/// Maximum depth of nested calls; each takes stack, of which WebAssembly has 1 MiB.
const RECURSION: usize = 200;
/// Longest result in bytes: this much, plus a multiple of the input's size.
const MAX_OUTPUT: usize = 1 << 20;
const MAX_OUTPUT_PER_INPUT: usize = 16;

const NAME: &str = "chat";

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Message {
    /// `"system"`, `"user"`, `"assistant"`, `"tool"`, or another role that the template knows.
    pub role: String,
    /// A string; or, if the template supports them, a list of parts, or null (for a tool call without text).
    #[serde(default)]
    #[cfg_attr(feature = "typescript", ts(as = "Content"))]
    pub content: Json,
    /// Further fields that the template may read: `tool_calls`, `name`, `reasoning_content`, ...
    #[serde(flatten)]
    #[cfg_attr(feature = "typescript", ts(skip))]
    pub extra: Map<String, Json>,
}

/// Content of a message.
#[cfg(feature = "typescript")]
#[derive(ts_rs::TS)]
#[ts(untagged)]
#[expect(dead_code, reason = "it is a type of TypeScript; templates read JSON")]
enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
    Nothing,
}

/// Part of a message's content; a picture is the key of one that was added.
#[cfg(feature = "typescript")]
#[derive(ts_rs::TS)]
#[ts(tag = "type", rename_all = "lowercase")]
#[expect(dead_code, reason = "it is a type of TypeScript; templates read JSON")]
enum ContentPart {
    Text { text: String },
    Image { image: String },
}

impl Message {
    /// Creates a text message.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Message {
            role: role.into(),
            content: Json::String(content.into()),
            extra: Map::new(),
        }
    }
}

/// Variables that a template can read besides the messages.
#[derive(Debug, Clone, Default)]
pub struct RenderOptions {
    /// Ends the prompt with the beginning of the assistant's answer.
    pub add_generation_prompt: bool,
    /// Treats the last message as an unfinished answer to continue: the prompt ends with its text.
    pub continue_final_message: bool,
    /// A list of tool descriptions (JSON schemas as in the OpenAI API).
    pub tools: Option<Json>,
    /// Further variables, e.g. `enable_thinking`. They override the ones set here.
    pub extra: Map<String, Json>,
    /// The time that `strftime_now` returns. Without it the function is undefined; templates test for that and
    /// write a fixed date instead.
    pub now: Option<Clock>,
}

/// A compiled chat template.
#[derive(Debug)]
pub struct ChatTemplate {
    env: Environment<'static>,
    source: String,
    thought_marks: Option<ThoughtMarks>,
    adaptations: Adaptations,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Compiles `source`. `bos` and `eos` are the texts of the special tokens that a template refers to as
    /// `bos_token` and `eos_token`; empty if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Template`] with the line of a syntax error.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<Self> {
        if source.len() > MAX_SOURCE {
            return Err(failed(format!(
                "the source has {} bytes, the limit is {MAX_SOURCE}",
                source.len()
            )));
        }
        // Jinja treats all kinds of line ends alike.
        let text = &source.replace("\r\n", "\n").replace('\r', "\n");
        let mut env = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        env.set_syntax(syntax.map_err(|e| failed(e.to_string()))?);
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_unknown_method_callback(methods::python_method);
        env.set_recursion_limit(RECURSION);
        env.add_filter("tojson", json::tojson);
        env.add_filter("wordcount", minijinja_contrib::filters::wordcount);
        env.add_filter("truncate", minijinja_contrib::filters::truncate);
        env.add_filter("indent", methods::indent);
        env.add_filter("default", methods::default);
        env.add_filter("d", methods::default);
        env.add_test("sequence", methods::is_sequence);
        env.add_filter(source::LOOPED, source::looped);
        env.add_function("cycler", methods::cycler);
        env.add_function("joiner", minijinja_contrib::globals::joiner);
        env.add_function(
            "raise_exception",
            |message: Value| -> Result<Value, minijinja::Error> {
                let message = message.to_string();
                Err(
                    minijinja::Error::new(ErrorKind::InvalidOperation, message.clone())
                        .with_source(Raised(message)),
                )
            },
        );
        env.add_template_owned(NAME, source::rewritten(text))
            .map_err(|e| explain(&e))?;
        Ok(ChatTemplate {
            env,
            source: text.to_owned(),
            thought_marks: ThoughtMarks::of(text),
            adaptations: Adaptations::of(text),
            bos: bos.to_owned(),
            eos: eos.to_owned(),
        })
    }

    /// Compiles a file's template (`tokenizer.chat_template`). Without one it uses ChatML if the vocabulary
    /// has `<|im_start|>`, else lines of `User: ...` and `Assistant: ...`.
    ///
    /// # Errors
    ///
    /// Any error of [`ChatTemplate::new`].
    pub fn for_tokenizer(source: Option<&str>, tokenizer: &Tokenizer) -> Result<Self> {
        let chatml = tokenizer.token_to_id("<|im_start|>").is_some();
        let source = source.unwrap_or(if chatml { CHATML } else { PLAIN });
        let text = |id: Option<u32>| {
            id.and_then(|id| tokenizer.token_text(id))
                .unwrap_or_default()
        };
        Self::new(source, text(tokenizer.bos()), text(tokenizer.eos()))
    }

    /// Returns the format in which the model writes tool calls; `None` if its template knows none, or none that can
    /// be parsed.
    pub fn tool_style(&self) -> Option<ToolStyle> {
        ToolStyle::of(&self.source)
    }

    /// Returns the texts around the model's thoughts; `None` if its template does not mention thoughts.
    pub fn thought_marks(&self) -> Option<&ThoughtMarks> {
        self.thought_marks.as_ref()
    }

    /// Returns the variable that switches thoughts on and off: `enable_thinking` in most templates, `thinking` in those
    /// of Granite and DeepSeek.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if the template has no such variable.
    pub fn thinking_variable(&self) -> Result<&'static str> {
        let template = self.env.get_template(NAME).map_err(|e| explain(&e))?;
        let read = template.undeclared_variables(false);
        (["enable_thinking", "thinking"].into_iter())
            .find(|variable| read.contains(*variable))
            .ok_or_else(|| Error::InvalidRequest {
                field: "enable_thinking".into(),
                expected: "absent for a model whose chat template has no switch for thoughts"
                    .into(),
                found: "a value".into(),
            })
    }

    /// Returns the special tokens that are marks of the model's thoughts.
    pub fn thought_tokens(&self, tokenizer: &Tokenizer) -> Vec<u32> {
        let marks = self.thought_marks.as_ref();
        marks.map_or_else(Vec::new, |marks| marks.tokens(tokenizer))
    }

    /// Returns the special tokens that an answer in a conversation may contain: the marks of its thoughts, which
    /// templates look for, and those of calls that are written into its text.
    fn answer_tokens(&self, tokenizer: &Tokenizer) -> Vec<u32> {
        let calls = self.adaptations.call_marks().into_iter().flatten();
        let mut ids = self.thought_tokens(tokenizer);
        ids.extend(calls.filter_map(|mark| tokenizer.token_to_id(mark)));
        ids
    }

    /// Returns the Jinja source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders a conversation.
    ///
    /// # Errors
    ///
    /// [`Error::Template`] with the text of a `raise_exception`, with the place of another error in the
    /// template, or if it works for too long or writes too much; [`Error::InvalidRequest`] if there is no answer
    /// to continue.
    pub fn render(
        &self,
        messages: &[Message],
        options: &RenderOptions,
        tokenizer: &Tokenizer,
    ) -> Result<MarkedText> {
        let text = self.render_as_given(messages, options, tokenizer)?;
        if shows(&text, messages) || !self.may_take_parts_only() {
            return Ok(text);
        }
        // Templates of some models that see show the parts of a content, and nothing of one that is a text.
        let in_parts = |message: &Message| Message {
            content: match message.content.as_str() {
                Some(text) => serde_json::json!([{"type": "text", "text": text}]),
                None => message.content.clone(),
            },
            ..message.clone()
        };
        let parts: Vec<Message> = messages.iter().map(in_parts).collect();
        match self.render_as_given(&parts, options, tokenizer) {
            Ok(second) if shows(&second, messages) => Ok(second),
            _ => Ok(text),
        }
    }

    /// Returns whether the source looks at the types of parts, and does not ask whether a content is a text.
    fn may_take_parts_only(&self) -> bool {
        let looks = ["['type']", "[\"type\"]", ".type"];
        looks.iter().any(|way| self.source.contains(way)) && !self.source.contains("is string")
    }

    /// Renders a conversation whose contents are texts or parts as they are.
    fn render_as_given(
        &self,
        messages: &[Message],
        options: &RenderOptions,
        tokenizer: &Tokenizer,
    ) -> Result<MarkedText> {
        let (messages, answer) = match options.continue_final_message {
            false => (messages, None),
            true => {
                let (messages, answer) = split_answer(messages, self.tool_style())?;
                (messages, Some(answer))
            }
        };
        let messages = &*self.adaptations.apply(messages, options.tools.as_ref());
        let guard = Guard::new(
            tokenizer,
            [&self.source, &self.bos, &self.eos],
            messages.iter().chain(answer),
            options,
            self.answer_tokens(tokenizer),
        )?;
        let size = guard.input_size();
        let mut env = self.env.clone();
        env.set_fuel(Some(
            FUEL + FUEL_PER_MESSAGE * messages.len() as u64 + size as u64 / 2,
        ));
        if let Some(clock) = options.now {
            env.add_function("strftime_now", move |format: &str| clock.format(format));
        }
        let messages: Vec<Value> = messages
            .iter()
            .map(|m| guard.message(m))
            .collect::<Result<_>>()?;
        let mut context = vec![
            ("messages".to_owned(), Value::from(messages)),
            (
                "tools".to_owned(),
                options
                    .tools
                    .as_ref()
                    .map_or(Ok(Value::from(())), |t| guard.value(t))?,
            ),
            ("documents".to_owned(), Value::from(())),
            (
                "add_generation_prompt".to_owned(),
                Value::from(options.add_generation_prompt),
            ),
            ("bos_token".to_owned(), Value::from(self.bos.as_str())),
            ("eos_token".to_owned(), Value::from(self.eos.as_str())),
        ];
        for (key, value) in &options.extra {
            context.push((key.clone(), guard.value(value)?));
        }
        let mut output = Limited {
            bytes: Vec::new(),
            limit: MAX_OUTPUT + MAX_OUTPUT_PER_INPUT * size,
        };
        let template = env.get_template(NAME).map_err(|e| explain(&e))?;
        template
            .render_captured_to(Value::from_pairs(context), &mut output)
            .map_err(|e| explain(&e))?;
        let mut text = String::from_utf8(output.bytes).map_err(|e| failed(e.to_string()))?;
        let marks = self.thought_marks.clone().unwrap_or_default();
        let in_thoughts = match answer {
            Some(answer) => append_answer(&mut text, answer, &guard, &marks),
            None => marks.are_open(&text),
        };
        Ok(MarkedText {
            text,
            marker: guard.marker(),
            in_thoughts,
        })
    }
}

/// Returns whether a prompt has the text of the last message of a user, if its content is a text.
fn shows(prompt: &MarkedText, messages: &[Message]) -> bool {
    let last = messages.iter().rfind(|message| message.role == "user");
    match last.and_then(|message| message.content.as_str()) {
        Some(text) => prompt.plain().contains(text.trim()),
        None => true,
    }
}

/// Message passed to `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

/// Error of a result that would exceed its limit.
#[derive(Debug, thiserror::Error)]
#[error("the result is longer than {0} bytes")]
struct TooLong(usize);

/// A buffer that refuses to grow beyond a limit.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other(TooLong(self.limit)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failed(message: String) -> Error {
    Error::Template { message }
}

fn explain(error: &minijinja::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(Raised(message)) = inner.downcast_ref() {
            return failed(message.clone());
        }
        if let Some(too_long) = inner.downcast_ref::<io::Error>() {
            return failed(too_long.to_string());
        }
        if inner
            .downcast_ref::<minijinja::Error>()
            .is_some_and(|e| e.kind() == ErrorKind::OutOfFuel)
        {
            return failed(
                "it was stopped because it works for too long or builds too much text".to_owned(),
            );
        }
        cause = inner.source();
    }
    failed(error.to_string())
}
