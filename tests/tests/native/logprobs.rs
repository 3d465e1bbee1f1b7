//! Compares log-probabilities with the logits.

use std::collections::BTreeMap;

use hearth::Engine;
use hearth::engine::logprobs::TokenLogprobs;
use hearth::engine::request::Request;
use hearth_grammar::Format;
use hearth_tests::compare::assert_near;
use hearth_tests::structured::{constraint, vocabulary};
use hearth_tests::{On, exact, goldens, load_file_with, open, prompts};
use pollster::block_on;

fn tiny(on: On) -> Option<(Engine, Request)> {
    let engine = load_file_with(
        open(on)?,
        &goldens().join("tiny/tiny_llama.gguf"),
        exact(512),
    );
    let [chat, _] = prompts();
    let request = Request {
        prompt: Some(engine.tokenizer().decode(&chat.ids)),
        max_tokens: Some(6),
        temperature: Some(0.0),
        top_logprobs: Some(3),
        ..Default::default()
    };
    Some((engine, request))
}

/// Generates an answer and checks that each token has the log-probabilities of the logits before it.
fn check(
    engine: &mut Engine,
    on: On,
    request: &Request,
    format: Option<&Format>,
) -> Vec<TokenLogprobs> {
    engine.start(request).unwrap();
    if let Some(format) = format {
        let constraint = constraint(&vocabulary(engine), format).unwrap();
        engine.constrain(constraint).unwrap();
    }
    let mut tokens = Vec::new();
    loop {
        let step = block_on(engine.next()).unwrap();
        assert_eq!(step.ids.len(), step.logprobs.len());
        tokens.extend(step.logprobs);
        if step.finish_reason.is_some() {
            break;
        }
    }
    assert_eq!(Some(tokens.len()), request.max_tokens);
    let tokenizer = engine.tokenizer();
    let bos = tokenizer.bos().filter(|_| tokenizer.add_bos());
    let prompt = tokenizer.encode(request.prompt.as_ref().unwrap()).unwrap();
    let mut ids: Vec<u32> = bos.into_iter().chain(prompt).collect();
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    for token in &tokens {
        let logits = block_on(engine.logits(&ids)).unwrap();
        let sum: f64 = logits.iter().map(|v| f64::from(*v).exp()).sum();
        let of = |id: u32| (f64::from(logits[id as usize]) - sum.ln()) as f32;
        assert_eq!(Some(token.top.len()), request.top_logprobs);
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        assert_eq!(logits[token.top[0].id as usize], largest, "the likeliest");
        assert!(token.top.is_sorted_by(|a, b| a.logprob >= b.logprob));
        for one in token.top.iter().chain([&token.sampled]) {
            found.push(one.logprob);
            expected.push(of(one.id));
        }
        ids.push(token.sampled.id);
    }
    // Several tokens meet weights of floats in another order than one does, so that integers of later inputs differ by one.
    let tolerance = if on == On::Cpu { 1.8e-3 } else { 2e-5 };
    assert_near(&format!("{on:?}"), &found, &expected, tolerance);
    tokens
}

#[test]
fn log_probabilities_are_those_of_the_logits() {
    for on in [On::Cpu, On::Gpu] {
        let Some((mut engine, request)) = tiny(on) else {
            continue;
        };
        for token in check(&mut engine, on, &request, None) {
            let likeliest = token.top[0].id;
            assert_eq!(likeliest, token.sampled.id, "greedy takes the likeliest");
        }
        let too_many = Request {
            top_logprobs: Some(21),
            ..request
        };
        assert_eq!(
            engine.start(&too_many).unwrap_err().code(),
            "invalid_request"
        );
    }
}

/// Temperature, penalties, biases and a format change the choice of tokens, but not how likely the model found them.
#[test]
fn log_probabilities_are_of_the_model_before_anything_is_adjusted() {
    for on in [On::Cpu, On::Gpu] {
        let Some((mut engine, greedy)) = tiny(on) else {
            continue;
        };
        let likely = check(&mut engine, on, &greedy, None);
        let biases = likely.iter().zip([-4.0, 3.0, -2.0, 5.0, -1.0, 2.0]);
        let request = Request {
            max_tokens: Some(12),
            top_logprobs: Some(20),
            temperature: Some(1.4),
            top_p: Some(0.95),
            seed: Some(3),
            repetition_penalty: Some(1.7),
            frequency_penalty: Some(0.8),
            presence_penalty: Some(-0.6),
            logit_bias: BTreeMap::from_iter(
                biases.map(|(token, bias)| (token.sampled.id.to_string(), bias)),
            ),
            ..greedy
        };
        let letters = Format::Regex("[a-z ]{200}".into());
        for format in [None, Some(&letters)] {
            let tokens = check(&mut engine, on, &request, format);
            let others = tokens
                .iter()
                .filter(|token| token.top[0].id != token.sampled.id);
            assert!(others.count() > 3, "nothing was adjusted");
        }
    }
}
