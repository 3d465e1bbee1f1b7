//! Messages in OpenAI's shape, adapted to templates that read another one.
//!
//! * Gemma 4's first templates take the results of calls with the calls, and the answer after them, as one message.
//! * LFM2.5's templates call a message's thoughts `thinking`.
//! * Templates that read no `tool_calls` (LFM2, Phi-4-mini) get calls as the text that the model wrote.
//! * Phi-4-mini's template reads the tools from the system message.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

use super::{Message, ToolStyle};

/// Text of the system message that holds Phi-4-mini's tools where a conversation has none, as on its model card.
const WITH_TOOLS: &str = "You are a helpful assistant with some tools.";

/// Differences between OpenAI's messages and those that a template reads.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Adaptations {
    results_in_calls: bool,
    thinking: bool,
    /// The style in which calls are written into the content.
    calls_as_text: Option<ToolStyle>,
    tools_in_message: bool,
}

impl Adaptations {
    /// Finds the differences of a template's source.
    pub(super) fn of(source: &str) -> Self {
        let style = ToolStyle::of(source);
        let reads = |field: &str| {
            let quoted = [
                format!("message['{field}']"),
                format!("message[\"{field}\"]"),
            ];
            source.contains(&format!("message.{field}"))
                || quoted.iter().any(|text| source.contains(text))
        };
        Self {
            results_in_calls: style == Some(ToolStyle::Gemma4)
                && reads("tool_responses")
                && !source.contains("tool_call_id"),
            thinking: reads("thinking"),
            calls_as_text: style
                .filter(|style| style.call_marks().is_some() && !source.contains("tool_calls")),
            tools_in_message: style == Some(ToolStyle::Phi) && reads("tools"),
        }
    }

    /// Returns the texts around calls, if they are written into the content.
    pub(super) fn call_marks(self) -> Option<[&'static str; 2]> {
        self.calls_as_text.and_then(ToolStyle::call_marks)
    }

    /// Returns the messages as the template reads them.
    pub(super) fn apply<'a>(
        self,
        messages: &'a [Message],
        tools: Option<&Json>,
    ) -> Cow<'a, [Message]> {
        if self == Self::default() {
            return Cow::Borrowed(messages);
        }
        let mut adapted = match self.results_in_calls {
            true => with_results(messages),
            false => messages.to_vec(),
        };
        for message in &mut adapted {
            // gpt-oss's template refuses calls with both.
            let is_allowed = calls(message).is_empty() || message.content.as_str() == Some("");
            if let Some(thoughts) = message.extra.get("reasoning_content").cloned()
                && self.thinking
                && is_allowed
            {
                message.extra.entry("thinking").or_insert(thoughts);
            }
            if let Some(style) = self.calls_as_text {
                write_calls(style, message);
            }
        }
        if let Some(tools) = tools
            && self.tools_in_message
        {
            add_tools(&mut adapted, tools);
        }
        Cow::Owned(adapted)
    }
}

/// Returns the calls of a message.
fn calls(message: &Message) -> &[Json] {
    let calls = message.extra.get("tool_calls").and_then(Json::as_array);
    calls.map_or(&[], Vec::as_slice)
}

/// Moves the results after each message with calls, and the answer after them, into that message.
fn with_results(messages: &[Message]) -> Vec<Message> {
    let mut found: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages {
        let turn = found.last_mut().filter(|last| !calls(last).is_empty());
        match (message.role.as_str(), turn) {
            ("tool", Some(turn)) => {
                let mut responses = match turn.extra.remove("tool_responses") {
                    Some(Json::Array(responses)) => responses,
                    _ => Vec::new(),
                };
                let name = name_of(turn, message, responses.len());
                responses.push(json!({"name": name, "response": response(&message.content)}));
                turn.extra.insert("tool_responses".into(), responses.into());
            }
            ("assistant", Some(turn))
                if turn.extra.contains_key("tool_responses")
                    && calls(message).is_empty()
                    && turn.content.as_str().is_none_or(str::is_empty) =>
            {
                turn.content = message.content.clone();
            }
            _ => found.push(message.clone()),
        }
    }
    found
}

/// Returns the name of the function whose result a message is: the one with its id, or else the next one.
fn name_of(turn: &Message, result: &Message, index: usize) -> Json {
    let calls = calls(turn);
    let id = result.extra.get("tool_call_id");
    let by_id = calls
        .iter()
        .find(|call| id.is_some() && call.get("id") == id);
    (by_id.or(calls.get(index)))
        .and_then(|call| call.pointer("/function/name"))
        .or(result.extra.get("name"))
        .cloned()
        .unwrap_or_else(|| json!("unknown"))
}

/// Returns a result as an object, if it is one, or as the text it is.
fn response(content: &Json) -> Json {
    let object = content
        .as_str()
        .and_then(|text| serde_json::from_str::<Map<_, _>>(text).ok());
    object.map_or_else(|| content.clone(), Json::Object)
}

/// Adds a message's calls to its text, as the model wrote them.
fn write_calls(style: ToolStyle, message: &mut Message) {
    let calls: Vec<Json> = match message.extra.remove("tool_calls") {
        Some(Json::Array(calls)) => calls,
        _ => return,
    };
    let Some([open, close]) = style.call_marks().filter(|_| !calls.is_empty()) else {
        return;
    };
    let mut text = message.content.as_str().unwrap_or_default().to_owned();
    text.push_str(open);
    text.push('[');
    for (i, call) in calls.iter().enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        let field = |path: &str| call.pointer(path).cloned().unwrap_or_default();
        let (name, arguments) = (field("/function/name"), field("/function/arguments"));
        match style {
            ToolStyle::Pythonic => write_python_call(&name, &arguments, &mut text),
            _ => text += &json!({"name": name, "arguments": arguments}).to_string(),
        }
    }
    text.push(']');
    text.push_str(close);
    message.content = text.into();
}

/// Writes `NAME(key=value, ...)`.
fn write_python_call(name: &Json, arguments: &Json, text: &mut String) {
    text.push_str(name.as_str().unwrap_or_default());
    text.push('(');
    for (i, (key, value)) in arguments.as_object().into_iter().flatten().enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(key);
        text.push('=');
        write_python(value, text);
    }
    text.push(')');
}

/// Writes a Python literal.
fn write_python(value: &Json, text: &mut String) {
    let separate = |i: usize, text: &mut String| {
        if i > 0 {
            text.push_str(", ");
        }
    };
    match value {
        Json::Null => text.push_str("None"),
        Json::Bool(true) => text.push_str("True"),
        Json::Bool(false) => text.push_str("False"),
        Json::Number(number) => *text += &number.to_string(),
        Json::String(string) => {
            text.push('\'');
            for c in string.chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    '\'' => text.push_str("\\'"),
                    '\n' => text.push_str("\\n"),
                    c => text.push(c),
                }
            }
            text.push('\'');
        }
        Json::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                separate(i, text);
                write_python(item, text);
            }
            text.push(']');
        }
        Json::Object(fields) => {
            text.push('{');
            for (i, (key, value)) in fields.iter().enumerate() {
                separate(i, text);
                write_python(&Json::String(key.clone()), text);
                text.push_str(": ");
                write_python(value, text);
            }
            text.push('}');
        }
    }
}

/// Puts the tools, as JSON, into the system message.
fn add_tools(messages: &mut Vec<Message>, tools: &Json) {
    let functions: Vec<&Json> = (tools.as_array().into_iter().flatten())
        .map(|tool| tool.get("function").unwrap_or(tool))
        .collect();
    if functions.is_empty() {
        return;
    }
    if messages.first().is_none_or(|first| first.role != "system") {
        messages.insert(0, Message::new("system", WITH_TOOLS));
    }
    let text = json!(functions).to_string();
    (messages[0].extra).insert("tools".into(), text.into());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::RenderOptions;
    use super::super::tests::try_render;

    fn rendered(source: &str, messages: serde_json::Value) -> String {
        let tools = json!([{"type": "function", "function": {"name": "weather"}}]);
        let options = RenderOptions {
            tools: Some(tools),
            ..RenderOptions::default()
        };
        try_render(source, messages, &options).unwrap().plain()
    }

    fn conversation(results: &[&str]) -> serde_json::Value {
        let call = |id: &str, city: &str| json!({"id": id, "type": "function", "function": {"name": format!("weather_{id}"), "arguments": {"city": city, "day": null}}});
        let mut messages = vec![
            json!({"role": "user", "content": "Hot?"}),
            json!({"role": "assistant", "content": "", "reasoning_content": "Hm", "tool_calls": [call("a", "Bo's"), call("b", "Rome")]}),
        ];
        for (id, result) in ["b", "a"].iter().zip(results) {
            messages.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
        }
        messages.push(json!({"role": "assistant", "content": "Yes"}));
        json!(messages)
    }

    /// Gemma 4's first template, reduced to what it reads.
    const GEMMA4: &str = "{% for message in messages %}<|turn>{{ message.role }}:\
        {% for c in message['tool_calls'] or [] %}<|tool_call>call:{{ c.function.name }}<tool_call|>{% endfor %}\
        {% for r in message['tool_responses'] or [] %}<|tool_response>{{ r.name }}{{ r.response is mapping }}{{ r.response }}{% endfor %}\
        {{ message.content }}<turn|>{% endfor %}{{ tools | length }}";

    #[test]
    fn results_join_their_calls_and_the_answer() {
        assert_eq!(
            rendered(GEMMA4, conversation(&["{\"t\": 30}", "[1]"])),
            "<|turn>user:Hot?<turn|><|turn>assistant:<|tool_call>call:weather_a<tool_call|>\
             <|tool_call>call:weather_b<tool_call|><|tool_response>weather_bTrue{'t': 30}\
             <|tool_response>weather_aFalse[1]Yes<turn|>1"
        );
        // A template that reads OpenAI's results gets them as they are.
        let modern = [GEMMA4, "{# message.tool_call_id #}"].concat();
        let text = rendered(&modern, conversation(&["1"]));
        assert!(text.contains("<|turn>tool:1<turn|>"), "{text}");
    }

    #[test]
    fn calls_become_text_where_the_template_reads_none() {
        let lfm2 = "List of tools: [{{ tools | length }}]{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}";
        assert_eq!(
            rendered(lfm2, conversation(&["30"])),
            "List of tools: [1]user:Hot?\nassistant:<|tool_call_start|>[weather_a(city='Bo\\'s', day=None), \
             weather_b(city='Rome', day=None)]<|tool_call_end|>\ntool:30\nassistant:Yes\n"
        );
        let own = [lfm2, "{# tool_calls #}"].concat();
        assert!(!rendered(&own, conversation(&[])).contains("<|tool_call_start|>"));
    }

    #[test]
    fn thoughts_have_the_name_that_the_template_reads() {
        let source =
            "{{ tools | length }}{% for message in messages %}{{ message.thinking }}{% endfor %}";
        assert_eq!(rendered(source, conversation(&[])), "1Hm");
        let mut with_text = conversation(&[]);
        with_text[1]["content"] = json!("I look.");
        assert_eq!(rendered(source, with_text), "1");
    }

    #[test]
    fn tools_go_into_the_system_message() {
        let phi = "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and \
            message['tools'] is not none %}<|system|>{{ message['content'] }}<|tool|>{{ message['tools'] }}<|/tool|>\
            {% else %}<|{{ message['role'] }}|>{{ message['content'] }}{% endif %}<|end|>{% endfor %}";
        let tools = "<|tool|>[{\"name\":\"weather\"}]<|/tool|><|end|>";
        let text = rendered(phi, conversation(&["30"]));
        assert_eq!(
            text,
            format!(
                "<|system|>You are a helpful assistant with some tools.{tools}<|user|>Hot?<|end|><|assistant|>\
                 <|tool_call|>[{{\"name\":\"weather_a\",\"arguments\":{{\"city\":\"Bo's\",\"day\":null}}}}, \
                 {{\"name\":\"weather_b\",\"arguments\":{{\"city\":\"Rome\",\"day\":null}}}}]<|/tool_call|><|end|>\
                 <|tool|>30<|end|><|assistant|>Yes<|end|>"
            )
        );
        let messages = json!([{"role": "system", "content": "Be brief."}]);
        assert_eq!(
            rendered(phi, messages),
            format!("<|system|>Be brief.{tools}")
        );
    }
}
