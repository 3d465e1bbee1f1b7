//! Voice activity against the published Silero VAD, in noise too, whose results `tests/goldens/generator/gold_vad.py` writes.

// A test ends where one of its helpers does.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use hearth_audio::vad::{FRAME, Listener, Spans, Vad, Voice};
use hearth_audio::{resample, wav};
use serde::Deserialize;

/// Seconds of noise around a recording.
const AROUND: usize = 3;
/// Largest difference of a probability: f16 weights against f32.
const NEAR: f32 = 0.0125;

#[derive(Deserialize)]
struct Case {
    file: Option<String>,
    noise: f32,
    probabilities: Vec<f32>,
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("HEARTH_ROOT")).join(path)
}

fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state >> 8) / f64::from(1 << 23) - 1.0) as f32
    };
    (0..count).map(|_| next()).collect()
}

fn sound(case: &Case) -> Vec<f32> {
    let Some(file) = &case.file else {
        return noise(5 * 16_000, 1)
            .iter()
            .map(|v| v * case.noise)
            .collect();
    };
    let bytes = std::fs::read(folder("tests/goldens/recordings").join(file)).unwrap();
    let sound = wav::read(&bytes).unwrap();
    let spoken = resample::to_16k(&sound.samples, sound.rate).unwrap();
    let silence = vec![0.0; AROUND * 16_000];
    let mut all = [silence.as_slice(), &spoken, &silence].concat();
    let noise = noise(all.len(), 1);
    for (sample, noise) in all.iter_mut().zip(noise) {
        *sample += noise * case.noise;
    }
    all
}

fn cases() -> Vec<Case> {
    serde_json::from_slice(&std::fs::read(folder("audio/tests/data/vad.json")).unwrap()).unwrap()
}

#[test]
fn probabilities_are_those_of_the_published_program() {
    let vad = Vad::new().unwrap();
    let mut worst = 0.0_f32;
    for case in cases() {
        let mut samples = sound(&case);
        samples.resize(samples.len().next_multiple_of(FRAME), 0.0);
        let mut voice = Voice::default();
        // Pieces of several frames are the same as the whole.
        let found: Vec<f32> = samples
            .chunks(7 * FRAME)
            .flat_map(|piece| vad.hear(&mut voice, piece))
            .collect();
        assert_eq!(found.len(), case.probabilities.len());
        let mut of_case = 0.0_f32;
        for (found, golden) in found.iter().zip(&case.probabilities) {
            let difference = (found - golden).abs();
            assert!(difference < NEAR, "{found}, expected {golden}");
            of_case = of_case.max(difference);
        }
        println!("{:?} noise {}: {of_case:.5}", case.file, case.noise);
        worst = worst.max(of_case);
    }
    println!("largest difference {worst:.5}, bound {NEAR}");
}

#[test]
fn speech_is_found_in_noise_and_noise_is_none() {
    let vad = Vad::new().unwrap();
    for case in cases() {
        let samples = sound(&case);
        let mut spans = Spans::new(2.0);
        spans.push(&vad.hear(&mut Voice::default(), &samples));
        let found = spans.finish(samples.len());
        if case.file.is_none() {
            assert!(found.is_empty(), "{found:?}");
            continue;
        }
        let [span] = found.as_slice() else {
            panic!("{:?} in noise of {}: {found:?}", case.file, case.noise);
        };
        // Noise around it is cut off, up to half a second.
        let (from, to) = (AROUND * 16_000, samples.len() - AROUND * 16_000);
        println!(
            "{:?} noise {}: {span:?} of {from}..{to}",
            case.file, case.noise
        );
        assert!(span.from.abs_diff(from) < 12_000 && span.to.abs_diff(to) < 12_000);
    }
}

#[test]
fn a_stream_in_blocks_is_heard_as_the_whole() {
    let bytes = std::fs::read(folder("tests/goldens/recordings/french.wav")).unwrap();
    let spoken = wav::read(&bytes).unwrap().samples;
    // At any rate the recording is sound; it has to be the same sound in blocks.
    for rate in [16_000, 44_100, 48_000] {
        let at_16k = resample::to_16k(&spoken, rate).unwrap();
        let whole = Vad::new().unwrap().hear(&mut Voice::default(), &at_16k);
        for block in [128, 5_000] {
            let mut listener = Listener::new(rate).unwrap();
            let blocks = spoken.chunks(block);
            let found: Vec<f32> = blocks.flat_map(|b| listener.hear(b).unwrap()).collect();
            // 160 ms and a frame are not heard yet.
            assert!(found.len() + 7 >= whole.len(), "{rate} {block}");
            for (found, whole) in found.iter().zip(&whole) {
                assert!((found - whole).abs() < 1e-3, "{rate} {block}");
            }
        }
    }
    let error = Listener::new(11_025 + 1).err().unwrap();
    assert_eq!(error.code(), "bad_audio");
    let mut listener = Listener::new(16_000).unwrap();
    assert_eq!(
        listener.hear(&[f32::NAN; 9_999]).unwrap_err().code(),
        "bad_audio"
    );
}
