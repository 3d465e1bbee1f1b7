//! Recordings of minutes, with noise, with a word said again and again, and with words at windows' edges, by the real whisper-tiny.en.

use std::rc::Rc;
use std::time::Instant;

use hearth_audio::subtitles::{Cue, srt};
use hearth_audio::whisper::{Options, Whisper};
use hearth_tests::whisper::{folder, recording, text, transcribe};
use hearth_tests::{golden_bytes, is_full, real_model};
use serde::Deserialize;

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
    let said = text(&found);
    assert_eq!(said.matches("best of times").count(), 2, "{said}");
    // Noise alone is nothing at all.
    let (_, found) = transcribe(&model, samples[..20 * RATE].to_vec(), options);
    assert!(found.is_empty());
}

#[derive(Deserialize)]
struct LongForm {
    pieces: Vec<Piece>,
    samples: usize,
    /// Frames at which windows begin.
    seeks: Vec<usize>,
    segments: Vec<Cue>,
    srt: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    /// Samples of the recording, from and to.
    Speech([usize; 2]),
    /// Samples of silence.
    Silence(usize),
}

/// Three minutes with pauses: the same windows, texts and times as transformers' long form, and the same file of subtitles; in a
/// full run, since it takes most of a minute.
#[test]
fn three_minutes_are_written_down_as_transformers_does() {
    if !is_full() {
        return;
    }
    let Some((model, sound)) = model() else {
        return;
    };
    let golden: LongForm =
        serde_json::from_slice(&golden_bytes("real/whisper_long_form.json")).unwrap();
    let parts: Vec<Vec<f32>> = (golden.pieces.iter())
        .map(|piece| match *piece {
            Piece::Speech([from, to]) => sound[from..to].to_vec(),
            Piece::Silence(samples) => vec![0.0; samples],
        })
        .collect();
    let samples = parts.concat();
    assert_eq!(samples.len(), golden.samples);
    assert!(samples.len() >= 180 * RATE);
    let options = Options {
        temperatures: vec![0.0],
        ..Options::default()
    };
    let start = Instant::now();
    let (_, found) = transcribe(&model, samples, options);
    let seconds = start.elapsed().as_secs_f64();
    let length = golden.samples as f64 / RATE as f64;
    println!(
        "{length:.1} s of sound in {seconds:.1} s, {:.1} times as fast as it was said",
        length / seconds
    );
    let mut seeks: Vec<usize> = found.iter().map(|segment| segment.seek).collect();
    seeks.dedup();
    assert_eq!(seeks, golden.seeks);
    let cues: Vec<Cue> = (found.iter())
        .map(|segment| Cue {
            start: segment.start,
            end: segment.end,
            text: segment.text.clone(),
        })
        .collect();
    for (found, wanted) in cues.iter().zip(&golden.segments) {
        assert_eq!(found.text, wanted.text, "at {} s", wanted.start);
        assert!(
            (found.start - wanted.start).abs() < 1e-6 && (found.end - wanted.end).abs() < 1e-6,
            "{found:?}, expected {wanted:?}"
        );
    }
    assert_eq!(cues.len(), golden.segments.len());
    assert_eq!(srt(&cues), golden.srt);
}

/// Returns the samples of the first word that is `wanted`, found by the times of words.
fn word(model: &Rc<Whisper>, sound: &[f32], wanted: &str) -> Vec<f32> {
    let options = Options {
        words: true,
        ..Options::default()
    };
    let (_, found) = transcribe(model, sound[..8 * RATE].to_vec(), options);
    let mut words = found
        .iter()
        .flat_map(|segment| segment.words.iter().flatten());
    let word = words.find(|word| word.word.trim_matches([' ', ',', '.']) == wanted);
    let word = word.unwrap_or_else(|| panic!("no {wanted:?} in {}", text(&found)));
    let at = |seconds: f64| (seconds * RATE as f64) as usize;
    sound[at(word.start)..at(word.end)].to_vec()
}

/// A word that is said 60 times, on which models go round in circles, has an end, and is not written much more often; in a full
/// run, since all temperatures are tried.
#[test]
fn a_word_said_sixty_times_ends() {
    if !is_full() {
        return;
    }
    let Some((model, sound)) = model() else {
        return;
    };
    let mut once = word(&model, &sound, "times");
    once.extend(vec![0.0; RATE / 4]);
    let samples = once.repeat(60);
    let seconds = samples.len() as f64 / RATE as f64;
    let start = Instant::now();
    let (_, found) = transcribe(&model, samples, Options::default());
    let text = text(&found);
    println!(
        "{seconds:.1} s in {:.1} s: {} segments:{text}",
        start.elapsed().as_secs_f64(),
        found.len()
    );
    assert!(!found.is_empty());
    let mut last = 0.0;
    for segment in &found {
        assert!(
            segment.start >= last && segment.end <= seconds + 1e-6,
            "{segment:?}"
        );
        last = segment.start;
    }
    assert!(text.split_whitespace().count() <= 90, "{text}");
}

/// A phrase in the middle of which a window of 30 s ends is written once, as are those around it.
#[test]
fn a_word_across_the_edge_of_a_window_survives() {
    let Some((model, sound)) = model() else {
        return;
    };
    let options = Options {
        temperatures: vec![0.0],
        ..Options::default()
    };
    // Windows end in different words.
    for tenths in [250, 262] {
        let silence = vec![0.0; tenths * RATE / 10];
        let samples = [&silence, &sound[..9 * RATE]].concat();
        let (_, found) = transcribe(&model, samples, options.clone());
        let text = text(&found).to_lowercase();
        println!("{tenths}: {text}");
        for phrase in [
            "best of times",
            "worst of times",
            "age of wisdom",
            "age of foolishness",
        ] {
            assert_eq!(text.matches(phrase).count(), 1, "{phrase}: {text}");
        }
        let seeks: Vec<usize> = found.iter().map(|segment| segment.seek).collect();
        assert!(
            seeks.first() != seeks.last(),
            "one window has it all: {seeks:?}"
        );
    }
}
