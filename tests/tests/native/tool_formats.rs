//! The formats of required calls, as the package asks for them, accept calls as models of each style write them.

use std::collections::BTreeMap;

use hearth_grammar::{Format, Vocabulary};

/// Marks that are special tokens in some files and text in others.
const MARKS: [&str; 16] = [
    "<|[TOOL_CALLS]|>",
    "<|[CALL_ID]|>",
    "<|[ARGS]|>",
    "<|channel|>",
    "<|constrain|>",
    "<|message|>",
    "<|tool_call>",
    "<tool_call|>",
    "<|\"|>",
    "<|tool_call_start|>",
    "<|tool_call_end|>",
    "<|tool_call|>",
    "<|/tool_call|>",
    "<|START_ACTION|>",
    "<|END_ACTION|>",
    "<|end|>",
];
/// Id of the token that ends an answer.
const END: usize = 256 + MARKS.len() - 1;

/// Calls by style: those that its format accepts, and those that it does not.
const CALLS: &[(&str, &[&str], &[&str])] = &[
    (
        "hermes",
        &[
            "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>",
            "<tool_call>\n{\"name\": \"time\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": \"time\", \"arguments\": {}}\n</tool_call>",
        ],
        &["<tool_call>\n{\"name\": \"rain\""],
    ),
    (
        "xml",
        &[
            "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
        ],
        &["<tool_call>\n<function=weather>\n</function>"],
    ),
    (
        "glm",
        &[
            "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n</tool_call>",
            "<tool_call>time</tool_call>\n<tool_call>weather<arg_key>city</arg_key><arg_value>a\n<b></arg_value></tool_call>",
        ],
        &["<tool_call>weather</tool_call>", "<tool_call>rain"],
    ),
    (
        "llama",
        &["{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\"}}"],
        &["{\"name\": \"weather\", \"parameters\": {\"city\": 1"],
    ),
    (
        "mistral",
        &[
            "<|[TOOL_CALLS]|>[{\"name\": \"time\", \"arguments\": {}}, {\"name\": \"weather\", \"arguments\": {\"city\": \"\"}}]",
        ],
        &["[TOOL_CALLS]", "<|[TOOL_CALLS]|>[]"],
    ),
    (
        "mistral_ids",
        &[
            "<|[TOOL_CALLS]|>weather<|[CALL_ID]|>abcdef123<|[ARGS]|>{\"city\": \"Oslo\"}<|[TOOL_CALLS]|>time<|[CALL_ID]|>abcdef124<|[ARGS]|>{}",
        ],
        &["<|[TOOL_CALLS]|>weather<|[ARGS]|>"],
    ),
    (
        "mistral_args",
        &["<|[TOOL_CALLS]|>weather<|[ARGS]|>{\"city\": \"Oslo\"}<|[TOOL_CALLS]|>time<|[ARGS]|>{}"],
        &["<|[TOOL_CALLS]|>weather<|[ARGS]|>{}"],
    ),
    (
        "harmony",
        &[
            "<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{\"city\": \"Oslo\"}",
        ],
        &["<|channel|>final"],
    ),
    (
        "gemma4",
        &[
            "<|tool_call>call:weather{city:<|\"|>St. John's \"<x>\"\n<|\"|>}<tool_call|>",
            "<|tool_call>call:time{}<tool_call|><|tool_call>call:weather{city:<|\"|><|\"|>}<tool_call|>",
        ],
        &[
            "<|tool_call>call:weather{}",
            "<|tool_call>call:weather{city:1",
        ],
    ),
    (
        "pythonic",
        &[
            "<|tool_call_start|>[weather(city=\"Oslo\")]<|tool_call_end|>",
            "<|tool_call_start|>[time(), weather(city=\"it's\")]<|tool_call_end|>",
        ],
        &[
            "<|tool_call_start|>[weather()",
            "<|tool_call_start|>[weather(city=1",
        ],
    ),
    (
        "granite",
        &["<|tool_call|>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}]"],
        &["<|tool_call|>{", "<|tool_call|>[]"],
    ),
    (
        "phi",
        &[
            "<|tool_call|>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}]<|/tool_call|>",
        ],
        &["<|tool_call|>{", "<|tool_call|>[]"],
    ),
    (
        "cohere",
        &[
            "<|START_ACTION|>[{\"tool_call_id\": \"0\", \"tool_name\": \"weather\", \"parameters\": {\"city\": \"Oslo\"}}]<|END_ACTION|>",
        ],
        &["<|START_ACTION|>[]", "<|START_ACTION|>[{\"name\""],
    ),
];

fn vocabulary(special: bool) -> Vocabulary {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.extend(
        MARKS
            .iter()
            .enumerate()
            .map(|(i, mark)| match special || 256 + i == END {
                true => [b"\xff", mark.as_bytes()].concat(),
                false => mark.as_bytes().to_vec(),
            }),
    );
    Vocabulary::new(&tokens, &[END as u32]).unwrap()
}

/// Returns the part of a text that the format allows; `Err` at its first token that it does not.
fn follow<'t>(vocabulary: &Vocabulary, format: &Format, text: &'t str) -> Result<(), &'t str> {
    let mut grammar = vocabulary.grammar(format).unwrap();
    let mut bits = [0; (END + 1).div_ceil(32)];
    let mut rest = text;
    while !rest.is_empty() {
        let mark = MARKS.iter().position(|mark| rest.starts_with(mark));
        let (id, length) = match mark {
            Some(i) => (256 + i, MARKS[i].len()),
            None => (usize::from(rest.as_bytes()[0]), 1),
        };
        if !grammar.allow(&mut bits).unwrap() || bits[id / 32] >> (id % 32) & 1 == 0 {
            return Err(rest);
        }
        grammar.accept(&[id as u32]).unwrap();
        rest = &rest[length..];
    }
    // The answer may end here.
    match grammar.allow(&mut bits).unwrap() && bits[END / 32] >> (END % 32) & 1 == 0 {
        true => Err("the end"),
        false => Ok(()),
    }
}

#[test]
fn calls_in_every_style_are_what_their_format_allows() {
    let snapshot = include_str!("../../../pkg/test/snapshots/tool-formats.json");
    let formats: BTreeMap<String, Format> = serde_json::from_str(snapshot).unwrap();
    assert!(
        formats
            .keys()
            .all(|style| CALLS.iter().any(|(name, ..)| name == style))
    );
    for special in [true, false] {
        let vocabulary = vocabulary(special);
        for (style, calls, others) in CALLS {
            for call in *calls {
                let found = follow(&vocabulary, &formats[*style], call);
                assert_eq!(found, Ok(()), "{style}, special: {special}, in {call}");
            }
            for other in *others {
                let found = follow(&vocabulary, &formats[*style], other);
                assert!(
                    found.is_err_and(|at| at != "the end"),
                    "{style}: {other} is allowed"
                );
            }
        }
    }
}
