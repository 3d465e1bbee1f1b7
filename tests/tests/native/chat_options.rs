//! Options of a load and a request that concern what the model is told: overrides, advised sampling, thoughts.

use hearth::engine::request::Request;
use hearth::{Engine, Loader};
use hearth_modelfile::text::template::Message;
use hearth_tests::{On, exact, finish, golden_bytes, open, prompts};
use pollster::block_on;
use serde_json::{Value, json};

fn load(overrides: Value) -> hearth::Result<Engine> {
    let device = open(On::Cpu).unwrap();
    let overrides = serde_json::from_value(overrides).unwrap();
    let mut loader = Loader::new(device, exact(256)).with_overrides(overrides);
    block_on(async {
        loader.push(&golden_bytes("tiny/tiny_llama.gguf")).await?;
        loader.finish().await
    })
}

fn chat(content: &str) -> Request {
    Request {
        messages: Some(vec![Message::new("user", content)]),
        max_tokens: Some(24),
        seed: Some(3),
        ..Request::default()
    }
}

fn ids(engine: &mut Engine, request: &Request) -> Vec<u32> {
    engine.start(request).unwrap();
    finish(engine).unwrap().ids
}

#[test]
fn what_the_makers_advise_is_the_default() {
    let mut plain = load(json!({})).unwrap();
    let mut advised = load(json!({"metadata": {"general.sampling.temp": 0}})).unwrap();
    let request = chat("Hello");
    let greedy = Request {
        temperature: Some(0.0),
        ..request.clone()
    };
    let drawn = Request {
        temperature: Some(0.7),
        ..request.clone()
    };
    assert_eq!(ids(&mut advised, &request), ids(&mut plain, &greedy));
    assert_ne!(ids(&mut advised, &request), ids(&mut advised, &drawn));
    assert_eq!(ids(&mut plain, &request), ids(&mut plain, &drawn));
}

#[test]
fn overrides_change_the_model_or_are_refused() {
    let [prompt, _] = prompts();
    let logits = |overrides| block_on(load(overrides).unwrap().logits(&prompt.ids)).unwrap();
    let plain = logits(json!({}));
    assert_ne!(plain, logits(json!({"ropeTheta": 100.0})));
    assert_eq!(
        plain,
        logits(json!({"metadata": {"general.name": "other"}}))
    );
    let engine = load(json!({"metadata": {"general.name": "other"}})).unwrap();
    assert_eq!(engine.info().config.name, "other");
    for (overrides, code) in [
        (json!({"metadata": {"general.name": 1}}), "bad_metadata"),
        (json!({"metadata": {"llama.block_count": 99}}), "bad_file"),
        (json!({"ropeScaling": {"kind": "spiral"}}), "unsupported"),
        (json!({"chatTemplate": "{% if %}"}), "template_error"),
    ] {
        let Err(error) = load(overrides.clone()) else {
            panic!("{overrides} was taken");
        };
        println!("{code}: {} {error}", error.code());
        assert!(!error.code().is_empty());
    }
}

#[test]
fn thoughts_are_switched_where_the_template_allows() {
    let template = "{% for message in messages %}{{ message.content }}{% endfor %}\
        {% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}";
    let mut engine = load(json!({"chatTemplate": template})).unwrap();
    let mut tokens = |enable_thinking| {
        let request = Request {
            enable_thinking,
            ..chat("Hello")
        };
        engine.start(&request).unwrap();
        finish(&mut engine).unwrap().usage.prompt_tokens
    };
    assert_eq!(tokens(None), tokens(Some(true)));
    assert!(tokens(Some(false)) > tokens(None));
    let mut plain = load(json!({})).unwrap();
    let request = Request {
        enable_thinking: Some(false),
        ..chat("Hello")
    };
    let error = plain.start(&request).unwrap_err();
    assert!(error.to_string().contains("enable_thinking"), "{error}");
}
