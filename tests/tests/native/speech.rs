//! Whisper against transformers: tiny models with drawn weights, and the real ones on a recording.

use std::collections::HashMap;
use std::rc::Rc;

use hearth_audio::mel::LogMel;
use hearth_audio::rules;
use hearth_audio::whisper::{Loader, Options, SegmentText, Task, Transcription, Whisper};
use hearth_tests::compare::assert_near;
use hearth_tests::whisper::{
    LongForm, PREVIOUS, Tiny, Token, floats, folder, push, sound, text, tiny_en, transcribe,
};
use hearth_tests::{golden_bytes, goldens, is_full, real_model};
use serde::Deserialize;

/// Largest difference between the encoder's rows and transformers'.
const ENCODER: f32 = 1e-4;

/// Compares what became of the whole recording with the golden.
fn same_text(golden: &LongForm, found: &[SegmentText]) {
    assert_eq!(text(found).trim(), golden.text.trim());
    let times = |start: f64, end: f64| format!("{start:.2} {end:.2}");
    let all = found
        .iter()
        .map(|s| (times(s.start, s.end), s.text.as_str()));
    let expected = golden.segments.iter();
    let expected = expected.map(|s| (times(s.start, s.end), s.text.as_str()));
    assert_eq!(all.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn a_recording_is_written_down_as_transformers_does() {
    let Some((golden, path, samples)) = tiny_en() else {
        return;
    };
    let model = Rc::new(folder(&path));
    let first: Vec<f32> = samples[..30 * 16_000].to_vec();
    // The encoder by itself: what differs here differs in every token.
    let mel = LogMel::new(80).unwrap();
    let loudest = mel.loudest(&first, 0..3_000);
    let mut encoding = model.encoder.begin(&mel.window(&first, 0, loudest));
    let encoded = loop {
        if let Some(encoded) = model.encoder.step(&mut encoding) {
            break encoded;
        }
    };
    let d = model.config.d_model;
    let rows: Vec<f32> = encoded
        .chunks(d)
        .step_by(100)
        .flat_map(|row| row[..8].to_vec())
        .collect();
    assert_near(
        "encoder of tiny.en",
        &rows,
        &golden.encoder.concat(),
        ENCODER,
    );

    let options = Options {
        timestamps: false,
        ..Options::default()
    };
    let (_, found) = transcribe(&model, first.clone(), options);
    assert_eq!(
        found
            .iter()
            .flat_map(|s| s.tokens.clone())
            .collect::<Vec<_>>(),
        golden.ids
    );

    let options = Options {
        words: true,
        ..Options::default()
    };
    let (_, found) = transcribe(&model, samples, options);
    same_text(&golden.long_form, &found);
    // A token that begins with a space begins a word, where the one before it ends.
    let begins = |pair: &&[Token]| model.vocabulary.text(&[pair[1].id]).starts_with(' ');
    let starts = golden.tokens.windows(2).filter(begins);
    let first_window = found.iter().filter(|segment| segment.seek == 0);
    let words = first_window.flat_map(|segment| segment.words.clone().unwrap());
    let (mut worst, mut compared) = (0.0_f64, 0);
    for (found, pair) in words.zip(starts) {
        assert!(found.end >= found.start, "{found:?}");
        worst = worst.max((found.start - pair[0].end).abs());
        compared += 1;
    }
    assert!(compared > 70, "{compared} words");
    // One row of the encoder's output.
    assert!(worst < 0.021, "a word begins {worst} s elsewhere");
}

#[test]
fn a_file_of_whisper_cpp_is_the_same_model() {
    let Some((golden, path, samples)) = tiny_en() else {
        return;
    };
    let bytes = std::fs::read(path.join("ggml-tiny.en.bin")).unwrap();
    let (model, same) = (push(Loader::default(), &bytes).unwrap(), folder(&path));
    // The ids that are never written are computed from the vocabulary here, and listed there.
    let mut listed = same.specials.suppress.clone();
    listed.sort_unstable();
    let mut computed = model.specials.suppress.clone();
    computed.sort_unstable();
    assert_eq!(computed, listed);
    assert_eq!(model.specials.ids, same.specials.ids);
    let heads = |model: &Whisper| {
        let mut heads = model.specials.alignment_heads.clone();
        heads.sort_unstable();
        heads
    };
    assert_eq!(heads(&model), heads(&same));
    assert_eq!(
        (model.parameters, model.bytes),
        (same.parameters, same.bytes)
    );
    for text in ["", " Hello, it's 1859!", "Zürich  \n\n日本語"] {
        assert_eq!(
            model.vocabulary.encode(text),
            same.vocabulary.encode(text),
            "{text}"
        );
    }
    // They write the whole recording down alike, id by id.
    let ids = |model: Whisper| {
        let (_, found) = transcribe(&Rc::new(model), samples.clone(), Options::default());
        same_text(&golden.long_form, &found);
        let ids = found.into_iter().flat_map(|segment| segment.tokens);
        ids.collect::<Vec<_>>()
    };
    let found = ids(model);
    assert!(found.len() > 100, "{} ids", found.len());
    assert_eq!(found, ids(same));
    let cut = push(Loader::default(), &bytes[..bytes.len() - 1])
        .err()
        .map(|error| error.code());
    assert_eq!(cut, Some("truncated_file"));
}

#[test]
fn nothing_is_heard_where_nothing_is_said() {
    let Some((_, path, _)) = tiny_en() else {
        return;
    };
    let model = Rc::new(folder(&path));
    let mut random = 1u32;
    let mut noise = move |level: f32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((random >> 8) as f32 / (1 << 23) as f32 - 1.0) * level
    };
    let hum = |n: usize| (n as f32 * std::f32::consts::TAU * 50.0 / 16_000.0).sin() * 0.1;
    for (name, samples) in [
        ("silence", vec![0.0; 35 * 16_000]),
        ("noise", (0..30 * 16_000).map(|_| noise(0.05)).collect()),
        ("hum", (0..30 * 16_000).map(hum).collect()),
        ("no samples", Vec::new()),
        ("one sample", vec![0.5]),
    ] {
        let (_, found) = transcribe(&model, samples, Options::default());
        assert!(found.is_empty(), "{name}: {}", text(&found));
    }
}

#[test]
fn requests_that_a_model_cannot_serve_are_refused_by_name() {
    let Some((_, path, _)) = tiny_en() else {
        return;
    };
    let model = Rc::new(folder(&path));
    let refused = |options: Options| {
        let error = Transcription::new(Rc::clone(&model), vec![0.0; 100], options)
            .err()
            .unwrap();
        assert_eq!(error.code(), "invalid_request");
        error.to_string()
    };
    let language = Some("de".to_owned());
    assert!(
        refused(Options {
            language,
            ..Options::default()
        })
        .contains("language")
    );
    let task = Task::Translate;
    assert!(
        refused(Options {
            task,
            ..Options::default()
        })
        .contains("multilingual")
    );
    let temperatures = vec![f32::NAN];
    assert!(
        refused(Options {
            temperatures,
            ..Options::default()
        })
        .contains("temperature")
    );
    let error = Transcription::new(model, vec![f32::NAN], Options::default())
        .err()
        .unwrap();
    assert_eq!(error.code(), "bad_audio");
    // A model of text is none of speech.
    let mut loader = Loader::default();
    let bytes = std::fs::read(goldens().join("tiny/tiny_llama.gguf")).unwrap();
    let error = loader.push(&bytes).unwrap_err();
    assert!(
        error.code() == "bad_file" && error.to_string().contains("GGUF"),
        "{error}"
    );
}

/// Two sizes of spectrogram, f16 and f32, other numbers of heads and layers.
#[test]
fn tiny_models_are_as_transformers_has_them() {
    for name in ["whisper_mel80", "whisper_mel128"] {
        let golden = Tiny::read(name);
        let model = Rc::new(folder(&goldens().join("whisper").join(name)));
        let samples = floats(&golden.samples_bin.file);
        let mel = LogMel::new(model.config.n_mels).unwrap();
        let loudest = mel.loudest(&samples, 0..samples.len().div_ceil(160));
        let mut encoding = model.encoder.begin(&mel.window(&samples, 0, loudest));
        let encoded = loop {
            if let Some(encoded) = model.encoder.step(&mut encoding) {
                break encoded;
            }
        };
        let d = model.config.d_model;
        let rows = golden.encoder_bin.rows.iter();
        let rows: Vec<f32> = rows
            .flat_map(|r| encoded[r * d..(r + 1) * d].to_vec())
            .collect();
        let expected = floats(&golden.encoder_bin.file);
        assert_near(&format!("{name}: encoder"), &rows, &expected, 5e-5);

        let sound = model.decoder.sound(&encoded);
        let expected = floats(&golden.logits_bin.file);
        let logits = |states: &[f32]| -> Vec<f32> {
            states
                .chunks(d)
                .flat_map(|state| model.decoder.logits(state))
                .collect()
        };
        let ids = &golden.logits_bin.ids;
        let whole = model
            .decoder
            .run(ids, &mut model.decoder.begin(&sound, false));
        assert_near(&format!("{name}: logits"), &logits(&whole), &expected, 1e-4);
        // Prompt and steps are two paths.
        let mut context = model.decoder.begin(&sound, false);
        let mut steps = model.decoder.run(&ids[..5], &mut context);
        for id in &ids[5..] {
            steps.extend(model.decoder.run(&[*id], &mut context));
        }
        assert_near(&format!("{name}: steps"), &logits(&steps), &expected, 1e-4);

        let languages = &model.specials.languages;
        let ids: Vec<usize> = languages.iter().map(|(_, id)| *id).collect();
        let first = &expected[..model.config.n_vocab];
        let (best, probability) = rules::language(first, &ids).unwrap();
        let wanted = golden.languages[&format!("<|{}|>", languages[best].0)];
        assert!(
            (probability - wanted).abs() < 1e-4,
            "{probability}, expected {wanted}"
        );

        for run in &golden.runs {
            let options = Options {
                task: run.task,
                language: Some(run.language.clone()),
                prompt: (run.name == "previous").then(|| PREVIOUS.to_owned()),
                temperatures: vec![0.0],
                timestamps: run.with_times,
                ..Options::default()
            };
            let (_, found) = transcribe(&model, samples.clone(), options);
            let ids: Vec<usize> = found.iter().flat_map(|s| s.tokens.clone()).collect();
            // Tokens after the last pair of times belong to the next window.
            let most = ids.len().min(run.greedy_ids.len());
            assert!(most >= if run.with_times { 8 } else { 24 }, "{most} ids");
            assert_eq!(ids[..most], run.greedy_ids[..most], "{name}: {}", run.name);
            println!("{name}: {}: {most} ids", run.name);
        }
    }
}

#[derive(Deserialize)]
struct Transcripts {
    recordings: Vec<Transcript>,
}

#[derive(Deserialize)]
struct Transcript {
    file: String,
    languages: HashMap<String, f64>,
    short: Windows,
    translation: Option<Windows>,
}

#[derive(Deserialize)]
struct Windows {
    windows: Vec<Ids>,
}

#[derive(Deserialize)]
struct Ids {
    ids: Vec<usize>,
}

/// The real whisper-base finds languages, writes them down and translates them; in a full run, since it is 145 MB.
#[test]
fn base_finds_languages_and_translates() {
    if !is_full() {
        return;
    }
    let Some(path) = real_model("HEARTH_WHISPER_BASE", "whisper-base") else {
        return;
    };
    let model = Rc::new(folder(&path));
    let golden: Transcripts =
        serde_json::from_slice(&golden_bytes("real/transcripts_base.json")).unwrap();
    let mut translated = 0;
    for expected in &golden.recordings {
        let Some(translation) = &expected.translation else {
            continue;
        };
        let file = goldens().join("../recordings").join(&expected.file);
        let samples = sound(&file);
        let options = Options {
            timestamps: false,
            temperatures: vec![0.0],
            ..Options::default()
        };
        let (language, found) = transcribe(&model, samples.clone(), options.clone());
        let (code, probability) = language.unwrap();
        let wanted = expected.languages[&format!("<|{code}|>")];
        assert!(
            (probability - wanted).abs() < 1e-3,
            "{probability}, expected {wanted}"
        );
        assert_eq!(
            found[0].tokens, expected.short.windows[0].ids,
            "{}",
            expected.file
        );
        let task = Task::Translate;
        let (_, found) = transcribe(&model, samples, Options { task, ..options });
        assert_eq!(
            found[0].tokens, translation.windows[0].ids,
            "{}",
            expected.file
        );
        translated += 1;
    }
    assert_eq!(translated, 2);
}
