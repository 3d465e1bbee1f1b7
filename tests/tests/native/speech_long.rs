//! A recording of minutes with noise by the real whisper-tiny.en.

use std::rc::Rc;

use hearth_audio::whisper::{Options, Whisper};
use hearth_tests::real_model;

use crate::speech::{folder, recording, transcribe};

const RATE: usize = 16_000;

fn model() -> Option<(Rc<Whisper>, Vec<f32>)> {
    let path = real_model("HEARTH_WHISPER_TINY_EN", "whisper-tiny.en")?;
    Some((Rc::new(folder(&path)), recording()?))
}

/// Noise before, between and after speech, from which a model makes words up, is cut out; times stay those of the whole.
#[test]
fn speech_in_noise_is_written_down_alone() {
    let Some((model, sound)) = model() else {
        return;
    };
    let mut random = 1_u32;
    let mut noise = |len: usize| -> Vec<f32> {
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((random >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.02
        };
        (0..len).map(|_| next()).collect()
    };
    let spoken = &sound[..5 * RATE];
    let mut samples = [
        noise(20 * RATE),
        spoken.to_vec(),
        noise(20 * RATE),
        spoken.to_vec(),
        noise(15 * RATE),
    ]
    .concat();
    let under = noise(samples.len());
    for (sample, noise) in samples.iter_mut().zip(under) {
        *sample += noise * 0.25;
    }
    let options = Options {
        vad_filter: true,
        words: true,
        ..Options::default()
    };
    let (_, found) = transcribe(&model, samples.clone(), options.clone());
    for segment in &found {
        println!("{:.2} {:.2}{}", segment.start, segment.end, segment.text);
    }
    let inside =
        |seconds: f64| (19.0..=26.0).contains(&seconds) || (44.0..=51.0).contains(&seconds);
    assert!(found.len() >= 2);
    for segment in &found {
        assert!(inside(segment.start) && inside(segment.end), "{segment:?}");
        for word in segment.words.iter().flatten() {
            assert!(inside(word.start) && inside(word.end), "{word:?}");
        }
    }
    let text: String = found.iter().map(|segment| segment.text.as_str()).collect();
    assert_eq!(text.matches("best of times").count(), 2, "{text}");
    // Noise alone is nothing at all.
    let (_, found) = transcribe(&model, samples[..20 * RATE].to_vec(), options);
    assert!(found.is_empty());
}
