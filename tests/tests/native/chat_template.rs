//! Chat templates against transformers' own renderer.

use hearth::Error;
use hearth_modelfile::text::MarkedText;
use hearth_modelfile::text::template::{ChatTemplate, Clock, Message, RenderOptions};
use hearth_modelfile::text::tokenizer::Tokenizer;
use hearth_tests::{golden, golden_bytes, header};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

#[derive(Deserialize)]
struct Golden {
    now: String,
    templates: Map<String, Json>,
    cases: Vec<Case>,
    expressions: Expressions,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    template: String,
    messages: Vec<Message>,
    options: Map<String, Json>,
    text: Option<String>,
    error: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Expressions {
    messages: Vec<Message>,
    options: Map<String, Json>,
    cases: Vec<Expression>,
}

#[derive(Deserialize)]
struct Expression {
    source: String,
    text: String,
}

/// Returns the instant that the golden uses as the current time.
fn now(golden: &Golden) -> Clock {
    assert_eq!(golden.now, "2025-07-04T09:08:07");
    Clock {
        unix_seconds: 1_751_620_087,
        utc_offset_seconds: 0,
    }
}

/// Returns a tokenizer with ChatML's special tokens, so that the marking of look-alikes is active, too.
fn tokenizer() -> Tokenizer {
    Tokenizer::from_gguf(&header(&golden_bytes("tiny/tiny_llama.gguf")).metadata).unwrap()
}

/// Renders like transformers: its keyword arguments are our options.
fn render(
    source: &str,
    messages: &[Message],
    arguments: &Map<String, Json>,
    now: Clock,
    tokenizer: &Tokenizer,
) -> Result<MarkedText, Error> {
    let mut extra = arguments.clone();
    let mut text = |key: &str| match extra.remove(key) {
        Some(Json::String(text)) => text,
        None => String::new(),
        other => panic!("{key}: {other:?}"),
    };
    let (bos, eos) = (text("bos_token"), text("eos_token"));
    let options = RenderOptions {
        add_generation_prompt: extra.remove("add_generation_prompt") == Some(Json::Bool(true)),
        tools: extra.remove("tools").filter(|tools| !tools.is_null()),
        extra,
        now: Some(now),
        ..RenderOptions::default()
    };
    ChatTemplate::new(source, &bos, &eos)?.render(messages, &options, tokenizer)
}

#[test]
fn every_template_renders_or_raises_as_in_transformers() {
    let golden: Golden = golden("templates/templates.json");
    let (now, tokenizer) = (now(&golden), tokenizer());
    let (mut rendered, mut raised, mut wrong) = (0, 0, Vec::new());
    for case in &golden.cases {
        let source = golden.templates[&case.template].as_str().unwrap();
        let result = render(source, &case.messages, &case.options, now, &tokenizer);
        let right = match (&result, &case.text, &case.error) {
            (Ok(found), Some(text), None) => {
                rendered += 1;
                found.plain() == *text
            }
            (Err(Error::Template { message }), None, Some(_)) => {
                raised += 1;
                !message.is_empty() && case.message.as_ref().is_none_or(|m| m == message)
            }
            _ => false,
        };
        if !right {
            wrong.push(format!(
                "{}:\n   found {:?}\nexpected {:?} {:?} {:?}",
                case.name,
                result.map(|r| r.plain()),
                case.text,
                case.error,
                case.message
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(rendered + raised, golden.cases.len());
    assert!(
        rendered > 20 && raised > 10,
        "{rendered} rendered, {raised} raised"
    );
}

#[test]
fn every_template_is_used() {
    let golden: Golden = golden("templates/templates.json");
    for name in golden.templates.keys() {
        assert!(
            golden.cases.iter().any(|case| case.template == *name),
            "{name}"
        );
    }
}

/// Differences between minijinja and Jinja2 that Hearth accepts: part of the expression, its result (`None`: an error
/// that names the expression), and the reason.
const DIFFERENCES: &[(&str, Option<&str>, &str)] = &[
    (
        "%s",
        None,
        "minijinja has no printf-style formatting with %",
    ),
    ("{{ +1 }}", None, "nor a sign + before a number"),
    (
        "varargs",
        None,
        "nor macros that take more arguments than they name",
    ),
    ("1e-7", Some("0.0000001"), "nor exponents in what it prints"),
    ("truncate(7, true", None, "its truncate takes names only"),
    ("dictsort(true)", None, "and so does its dictsort"),
    (
        "casefold",
        None,
        "Unicode's case folding is a table of its own",
    ),
    ("wordwrap", None, "no chat template wraps lines"),
    ("striptags", None, "no chat template reads HTML"),
    ("filesizeformat", None, "no chat template speaks of sizes"),
    ("center(5)", None, "no chat template centres lines"),
];

#[test]
fn every_expression_means_what_it_means_in_jinja2() {
    let golden: Golden = golden("templates/templates.json");
    let (now, tokenizer) = (now(&golden), tokenizer());
    let Expressions {
        messages,
        options,
        cases,
    } = &golden.expressions;
    let (mut wrong, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
    for case in cases {
        let found = render(&case.source, messages, options, now, &tokenizer).map(|r| r.plain());
        let known = DIFFERENCES
            .iter()
            .find(|(part, ..)| case.source.contains(part));
        if let Some((part, expected, _)) = known {
            seen.insert(*part);
            match expected {
                Some(text) => assert_eq!(found.as_deref(), Ok(*text), "{}", case.source),
                None => assert!(matches!(found, Err(Error::Template { .. })), "{found:?}"),
            }
            continue;
        }
        if found.as_ref() != Ok(&case.text) {
            let (source, text) = (&case.source, &case.text);
            wrong.push(format!("{source}\n   found {found:?}\nexpected {text:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cases.len() > 200, "{}", cases.len());
    assert_eq!(seen.len(), DIFFERENCES.len(), "of these: {seen:?}");
}

/// The date comes from the clock passed in, not from the machine's.
#[test]
fn the_clock_is_the_callers() {
    let tokenizer = tokenizer();
    let source = "{{ strftime_now('%d %b %Y %H:%M:%S') }}";
    let at = |unix_seconds, utc_offset_seconds| {
        let now = Clock {
            unix_seconds,
            utc_offset_seconds,
        };
        render(source, &[], &Map::new(), now, &tokenizer)
            .unwrap()
            .plain()
    };
    assert_eq!(at(0, 0), "01 Jan 1970 00:00:00");
    assert_eq!(at(1_751_620_087, 0), "04 Jul 2025 09:08:07");
    assert_eq!(at(1_751_620_087, -36_000), "03 Jul 2025 23:08:07");
    assert_eq!(at(1_709_164_800, 0), "29 Feb 2024 00:00:00");
}

/// Without a clock the function does not exist, and templates that test for it write their fixed date.
#[test]
fn without_a_clock_there_is_no_strftime_now() {
    let tokenizer = tokenizer();
    let render = |source: &str| {
        let template = ChatTemplate::new(source, "", "").unwrap();
        template.render(&[], &RenderOptions::default(), &tokenizer)
    };
    let rendered = render("{{ strftime_now is defined }}").unwrap();
    assert_eq!(rendered.plain(), "False");
    let result = render("{{ strftime_now('%d') }}");
    assert!(matches!(result, Err(Error::Template { .. })), "{result:?}");
}

/// Checks the lines of published templates that distinguish models, a line or two from each.
#[test]
fn templates_tell_how_tools_are_called() {
    use hearth_modelfile::text::template::ToolStyle;

    let cases = [
        // Qwen 2.5 and 3, Hermes, SmolLM3
        (
            "{%- if tools %}\nreturn a json object within <tool_call></tool_call> XML tags{% endif %}",
            Some(ToolStyle::Hermes),
        ),
        // Qwen3-Coder
        (
            "{%- if tools %}<tool_call>\n<function=a>\n<parameter=b>\nvalue\n</parameter>\n</function>\n</tool_call>{% endif %}",
            Some(ToolStyle::Xml),
        ),
        // GLM 4.5, and 4.7, which breaks no lines
        (
            "{%- if tools %}<tool_call>{function-name}\n<arg_key>{arg-key-1}</arg_key>\n<arg_value>{arg-value-1}</arg_value>{% endif %}",
            Some(ToolStyle::Glm),
        ),
        (
            "{%- if tools %}<tool_call>{function-name}<arg_key>{arg-key-1}</arg_key><arg_value>{arg-value-1}</arg_value>{% endif %}",
            Some(ToolStyle::Glm),
        ),
        // (half of it: not parsed, so that the prompt describes the tools instead)
        (
            "{%- if tools %}<tool_call>{function-name}\n<arg_key>{arg-key-1}</arg_key>{% endif %}",
            None,
        ),
        // Llama 3.1: its built-in tools are called after this token
        (
            "{%- if builtin_tools is defined %}{{- \"<|python_tag|>\" + tool_call.name }}{% endif %}{{ tools }}",
            Some(ToolStyle::Llama),
        ),
        // Llama 3.2
        (
            "{%- if tools is not none %}\nRespond in the format {\"name\": function name, \"parameters\": dictionary}{% endif %}",
            Some(ToolStyle::Llama),
        ),
        // Mistral Nemo, Mistral Small 3.1
        (
            "[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS][TOOL_CALLS]",
            Some(ToolStyle::Mistral),
        ),
        // Devstral 2507, Mistral Small 3.2
        (
            "{{ tools }}[TOOL_CALLS]{{ name }}[CALL_ID]{{ id }}[ARGS]{{ arguments }}",
            Some(ToolStyle::MistralIds),
        ),
        // Ministral 3, Magistral 2509
        (
            "{{ tools }}{{- '[TOOL_CALLS]' + name + '[ARGS]' + arguments }}",
            Some(ToolStyle::MistralArgs),
        ),
        // Gemma 4
        (
            "{%- if tools -%}<|tool>{% endif %}{{- '<|tool_call>call:' + function['name'] + '{' -}}",
            Some(ToolStyle::Gemma4),
        ),
        // LFM2, LFM2.5
        (
            "{%- if tools -%}List of tools: <|tool_list_start|>[{% endif %}",
            Some(ToolStyle::Pythonic),
        ),
        (
            "{%- if tools -%}{% endif %}{{- \"<|tool_call_start|>[\" + calls + \"]<|tool_call_end|>\" -}}",
            Some(ToolStyle::Pythonic),
        ),
        // Granite 3.3
        (
            "{%- if tools %}respond with <|tool_call|> followed by a JSON list of tools used{% endif %}<|start_of_role|>",
            Some(ToolStyle::Granite),
        ),
        // Phi-4-mini, and llama.cpp's template for it
        (
            "{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' }}",
            Some(ToolStyle::Phi),
        ),
        (
            "{% for tool in tools %}respond in this format: <|tool_call|>{\"name\": \"foo\"}<|/tool_call|>{% endfor %}",
            Some(ToolStyle::Phi),
        ),
        // Command R7B
        (
            "{% for tool in tools %}{\"parameters\": 1}{% endfor %}<|START_ACTION|>[<|END_ACTION|>",
            Some(ToolStyle::Cohere),
        ),
        // gpt-oss
        (
            "{%- if tools -%}namespace functions {% endif %}<|start|>assistant<|channel|>analysis<|message|>",
            Some(ToolStyle::Harmony),
        ),
        // Without tools, whatever else it contains
        ("{{ messages }}<tool_call>", None),
        (
            "{% for message in messages %}{{ message.content }}{% endfor %}",
            None,
        ),
        // With tools in an unknown style
        ("{{ tools }}", None),
    ];
    for (source, style) in cases {
        let template = ChatTemplate::new(source, "", "").unwrap();
        assert_eq!(template.tool_style(), style, "{source}");
    }
}
