//! Texts that are drawn at a temperature: of several the likeliest counts.

// A test ends where one of its helpers does.
#![allow(clippy::unwrap_used)]

mod tiny;

use std::rc::Rc;

use hearth_audio::whisper::{Event, Options, SegmentText, Transcription, Whisper};

fn sound() -> Vec<f32> {
    (0..16_000_u32)
        .map(|n| ((n * n / 160 % 400) as f32 / 200.0 - 1.0) * 0.5)
        .collect()
}

fn drawn(model: &Rc<Whisper>, best_of: usize, seed: u64) -> Vec<SegmentText> {
    let options = Options {
        language: Some("en".into()),
        temperatures: vec![0.7],
        timestamps: false,
        best_of,
        seed,
        // Nothing is silence here.
        no_speech_threshold: 1.0,
        ..Options::default()
    };
    let mut run = Transcription::new(Rc::clone(model), sound(), options).unwrap();
    let mut all = Vec::new();
    while let Some(event) = run.next().unwrap() {
        if let Event::Segments { segments } = event {
            all.extend(segments);
        }
    }
    all
}

#[test]
fn of_several_texts_the_likeliest_counts() {
    let model = Rc::new(tiny::whisper());
    let mut better = 0;
    for seed in 0..4 {
        // The first of several is the one that is drawn alone.
        let (one, best) = (drawn(&model, 1, seed), drawn(&model, 4, seed));
        let [one, best] = [&one[0], &best[0]];
        assert!(best.avg_logprob >= one.avg_logprob, "seed {seed}");
        assert!(best.avg_logprob > one.avg_logprob || best.tokens == one.tokens);
        better += usize::from(best.avg_logprob > one.avg_logprob);
        println!(
            "seed {seed}: {:.4} of one, {:.4} of four",
            one.avg_logprob, best.avg_logprob
        );
    }
    assert!(better > 0);
}

#[test]
fn numbers_of_texts_that_make_no_sense_are_refused() {
    let model = Rc::new(tiny::whisper());
    for best_of in [0, 17] {
        let options = Options {
            best_of,
            ..Options::default()
        };
        let error = Transcription::new(Rc::clone(&model), sound(), options)
            .err()
            .unwrap();
        assert_eq!(error.code(), "invalid_request");
        assert!(error.to_string().contains("best_of"), "{error}");
    }
}
