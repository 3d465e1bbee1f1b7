//! Log-probabilities against the logits.

use hearth::request::Request;
use hearth_tests::{On, exact, goldens, load_file_with, open, prompts};
use pollster::block_on;

#[test]
fn log_probabilities_are_those_of_the_logits() {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = open(on) else { continue };
        let mut engine = load_file_with(device, &goldens().join("tiny_llama.gguf"), exact(512));
        let [chat, _] = prompts();
        let prompt = engine.tokenizer().decode(&chat.ids);
        let request = Request {
            prompt: Some(prompt.clone()),
            max_tokens: Some(6),
            temperature: Some(0.0),
            top_logprobs: Some(3),
            ..Default::default()
        };
        engine.start(&request).unwrap();
        let mut found = Vec::new();
        loop {
            let step = block_on(engine.next()).unwrap();
            assert_eq!(step.ids.len(), step.logprobs.len());
            found.extend(step.logprobs);
            if step.finish_reason.is_some() {
                break;
            }
        }
        assert_eq!(found.len(), 6);
        let mut ids: Vec<u32> = engine
            .tokenizer()
            .bos()
            .filter(|_| engine.tokenizer().add_bos())
            .into_iter()
            .collect();
        ids.extend(engine.tokenizer().encode(&prompt).unwrap());
        for token in found {
            let logits = block_on(engine.logits(&ids)).unwrap();
            let sum: f64 = logits.iter().map(|v| f64::from(*v).exp()).sum();
            let expected = |id: u32| f64::from(logits[id as usize]) - sum.ln();
            assert_eq!(
                token.top[0].id, token.sampled.id,
                "greedy takes the likeliest"
            );
            assert_eq!(token.top.len(), 3);
            for one in token.top.iter().chain([&token.sampled]) {
                let error = (f64::from(one.logprob) - expected(one.id)).abs();
                assert!(
                    error < 2e-2,
                    "{on:?}: {one:?}, expected {}",
                    expected(one.id)
                );
            }
            assert!(token.top.is_sorted_by(|a, b| a.logprob >= b.logprob));
            ids.push(token.sampled.id);
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
