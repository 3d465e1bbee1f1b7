//! Whisper's network on a device, against transformers and against the same rules on the CPU.

use std::path::Path;
use std::rc::Rc;

use burn::tensor::Tensor;
use hearth::engine::speech::{Pick, Speech, SpeechConfig, SpeechLoader};
use hearth::ops::buffer::read_f32;
use hearth::ops::{KvType, Ops};
use hearth::{Device, Result};
use hearth_audio::mel::LogMel;
use hearth_audio::rules::{self, Allowed, Found, Ids};
use hearth_audio::whisper::{Event, Loader, Options, Parts, SegmentText, Transcription, Word};
use hearth_tests::compare::{assert_near, assert_within};
use hearth_tests::whisper::{
    PIECE, PREVIOUS, TEXTS, Tiny, floats, folder, recording, results, text, tiny_en, transcribe,
};
use hearth_tests::{On, borrow, goldens, is_full};
use pollster::block_on;

/// Both goldens: 80 and 128 mel bins, f16 and f32, other numbers of heads and layers.
const MODELS: [&str; 2] = ["whisper_mel80", "whisper_mel128"];
/// Devices that compute differently: through registers or workgroup memory, attention whole or in spans.
const DEVICES: [On; 3] = [On::Cpu, On::Gpu, On::LargeGpu];

/// Largest differences from transformers.
const ENCODER: f32 = 5e-5;
const LOGITS: f32 = 1e-4;
/// Largest difference of a weight of the attention from that of the CPU.
const ALIGNMENTS: f32 = 1e-5;
/// Largest difference of a mean log-probability from that of the CPU, with keys and values in f16.
const LOG_PROB: f32 = 6e-4;

/// Loads a folder's tensors into a network, as the worker does; `change` may do something to them before the end.
fn load_with(
    device: Device,
    path: &Path,
    kv: KvType,
    change: impl Fn(&mut SpeechLoader),
) -> Result<(Rc<Parts>, Speech)> {
    let mut loader = Loader::handing_over();
    for name in TEXTS {
        loader.text(name, &std::fs::read_to_string(path.join(name)).unwrap());
    }
    let mut network = SpeechLoader::new(device);
    let bytes = std::fs::read(path.join("model.safetensors")).unwrap();
    for piece in bytes.chunks(PIECE) {
        loader.push(piece)?;
        while let Some(t) = loader.hand_over() {
            network.tensor(&t.name, [t.rows, t.cols], t.halves, &t.bytes)?;
        }
    }
    let (parts, _) = loader.finish_elsewhere()?;
    change(&mut network);
    let config: SpeechConfig = serde_json::from_str(&parts.network()).unwrap();
    let kv_type = Some(kv);
    let speech = network.finish(&SpeechConfig { kv_type, ..config })?;
    Ok((Rc::new(parts), speech))
}

fn load(device: Device, path: &Path, kv: KvType) -> (Rc<Parts>, Speech) {
    load_with(device, path, kv, |_| ()).unwrap()
}

fn hear(speech: &mut Speech, mel: &[f32]) {
    speech.hear(mel).unwrap();
    while block_on(speech.listen()).unwrap() > 0 {}
}

/// Writes down by the network, as the worker does.
fn transcribe_elsewhere(
    parts: &Rc<Parts>,
    speech: &mut Speech,
    samples: Vec<f32>,
    options: Options,
) -> (Option<(String, f64)>, Vec<SegmentText>) {
    let run = Transcription::elsewhere(Rc::clone(parts), samples, options).unwrap();
    results(run, |run, mut event| {
        // (a language may have to be detected before it is asked for more)
        loop {
            event = match event {
                Event::Encode => {
                    hear(speech, run.mel());
                    run.answer(&[]).unwrap()
                }
                Event::Decode { from, ids, picks } => {
                    let ids: Vec<u32> = ids.iter().map(|id| *id as u32).collect();
                    let numbers = block_on(speech.decode(from, &ids, &picks_of(&picks))).unwrap();
                    run.answer(&numbers).unwrap()
                }
                Event::Align { ids, heads } => {
                    let ids: Vec<u32> = ids.iter().map(|id| *id as u32).collect();
                    let heads = heads
                        .iter()
                        .map(|(layer, head)| [*layer as u32, *head as u32]);
                    let heads: Vec<[u32; 2]> = heads.collect();
                    let weights = block_on(speech.align(&ids, &heads)).unwrap();
                    run.answer(&weights).unwrap()
                }
                other => return other,
            };
        }
    })
}

fn picks_of(mut words: &[usize]) -> Vec<Pick> {
    let mut picks = Vec::new();
    while let [row, n, rest @ ..] = words {
        let ranges = rest[..3 * n].as_chunks::<3>().0.iter();
        picks.push(Pick {
            row: *row,
            ranges: ranges.map(|range| range.map(|word| word as u32)).collect(),
        });
        words = &rest[3 * n..];
    }
    picks
}

fn all_logits(row: usize) -> Pick {
    Pick {
        row,
        ranges: Vec::new(),
    }
}

#[test]
fn the_network_is_as_transformers_has_it() {
    // (a software adapter takes seconds for each encoder)
    for (name, on) in [
        (MODELS[0], On::Cpu),
        (MODELS[0], On::Gpu),
        (MODELS[1], On::Cpu),
        (MODELS[1], On::LargeGpu),
    ] {
        let Some(device) = borrow(on, |_| ()) else {
            return;
        };
        let golden = Tiny::read(name);
        let path = goldens().join("whisper").join(name);
        let (parts, mut speech) = load(device.clone(), &path, KvType::F32);
        let samples = floats(&golden.samples_bin.file);
        let mel = LogMel::new(parts.config.n_mels).unwrap();
        let loudest = mel.loudest(&samples, 0..samples.len().div_ceil(160));
        let window = mel.window(&samples, 0, loudest);
        let d = parts.config.d_model;
        speech.hear(&window).unwrap();
        let encoded = block_on(speech.rows()).unwrap();
        let rows = golden.encoder_bin.rows.iter();
        let rows: Vec<f32> = rows
            .flat_map(|r| encoded[r * d..(r + 1) * d].to_vec())
            .collect();
        let expected = floats(&golden.encoder_bin.file);
        assert_near(
            &format!("{name} {on:?}: encoder"),
            &rows,
            &expected,
            ENCODER,
        );

        // (no layer is left then)
        while block_on(speech.listen()).unwrap() > 0 {}
        let expected = floats(&golden.logits_bin.file);
        let ids = golden.logits_bin.ids.iter().map(|id| *id as u32);
        let ids: Vec<u32> = ids.collect();
        let all: Vec<Pick> = (0..ids.len()).map(all_logits).collect();
        let whole = block_on(speech.decode(0, &ids, &all)).unwrap();
        assert_near(&format!("{name} {on:?}: logits"), &whole, &expected, LOGITS);
        // Prompt and steps are two paths.
        let mut steps = block_on(speech.decode(0, &ids[..5], &all[..5])).unwrap();
        for (at, id) in ids.iter().enumerate().skip(5) {
            steps.extend(block_on(speech.decode(at, &[*id], &[all_logits(0)])).unwrap());
        }
        assert_near(&format!("{name} {on:?}: steps"), &steps, &expected, LOGITS);

        // Where the heads look that times of words come of, as the CPU has it.
        let here = folder(&path);
        let mut encoding = here.encoder.begin(&window);
        let encoded = loop {
            if let Some(encoded) = here.encoder.step(&mut encoding) {
                break encoded;
            }
        };
        let mut context = here.decoder.begin(&here.decoder.sound(&encoded), true);
        here.decoder.run(&golden.logits_bin.ids, &mut context);
        let heads = here.specials.alignment_heads.iter();
        let heads: Vec<[u32; 2]> = heads.map(|(l, h)| [*l as u32, *h as u32]).collect();
        assert!(!heads.is_empty());
        let found = block_on(speech.align(&ids, &heads)).unwrap();
        let what = format!("{name} {on:?}: alignments");
        assert_near(&what, &found, &context.alignments().concat(), ALIGNMENTS);
        block_on(speech.close()).unwrap();
    }
}

/// The recorded step of one token, and the rules over what it brings back.
#[test]
fn texts_are_those_of_the_cpu() {
    // (a software adapter takes seconds for each text)
    for (name, on, runs) in [
        (MODELS[0], On::Cpu, &["times", "no_times", "previous"][..]),
        (MODELS[0], On::Gpu, &["times"]),
        (MODELS[1], On::LargeGpu, &["no_times"]),
    ] {
        let Some(device) = borrow(on, |_| ()) else {
            return;
        };
        let golden = Tiny::read(name);
        let path = goldens().join("whisper").join(name);
        let (parts, mut speech) = load(device.clone(), &path, KvType::F16);
        let here = Rc::new(folder(&path));
        let samples = floats(&golden.samples_bin.file);
        let mut worst = 0.0_f64;
        for run in golden
            .runs
            .iter()
            .filter(|run| runs.contains(&run.name.as_str()))
        {
            let options = Options {
                task: run.task,
                language: Some(run.language.clone()),
                prompt: (run.name == "previous").then(|| PREVIOUS.to_owned()),
                temperatures: vec![0.0],
                timestamps: run.with_times,
                words: run.with_times,
                ..Options::default()
            };
            let (_, expected) = transcribe(&here, samples.clone(), options.clone());
            let (_, found) = transcribe_elsewhere(&parts, &mut speech, samples.clone(), options);
            let ids = |all: &[SegmentText]| -> Vec<usize> {
                all.iter().flat_map(|s| s.tokens.clone()).collect()
            };
            assert_eq!(ids(&found), ids(&expected), "{name} {on:?}: {}", run.name);
            assert!(!found.is_empty());
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.text, expected.text);
                assert_eq!((found.start, found.end), (expected.start, expected.end));
                // (their times are the tiny models' guesses)
                let words = |segment: &SegmentText| -> Option<Vec<String>> {
                    let words = segment.words.as_ref()?.iter();
                    Some(words.map(|word| word.word.clone()).collect())
                };
                assert_eq!(words(found), words(expected));
                worst = worst.max((found.avg_logprob - expected.avg_logprob).abs());
                worst = worst.max((found.no_speech_prob - expected.no_speech_prob).abs());
            }
        }
        assert_within(
            &format!("{name} {on:?}: log-probabilities"),
            worst as f32,
            LOG_PROB,
        );
        block_on(speech.close()).unwrap();
    }
}

/// A language that is detected, and tokens that are drawn, are read from all logits.
#[test]
fn languages_are_detected_and_tokens_drawn_elsewhere() {
    let device = borrow(On::Cpu, |_| ()).unwrap();
    let golden = Tiny::read(MODELS[1]);
    let path = goldens().join("whisper").join(MODELS[1]);
    let (parts, mut speech) = load(device.clone(), &path, KvType::F32);
    let here = Rc::new(folder(&path));
    let samples = floats(&golden.samples_bin.file);
    for seed in 0..3 {
        let options = Options {
            temperatures: vec![0.0, 0.4],
            logprob_threshold: 0.0,
            best_of: 2,
            no_speech_threshold: 1.0,
            seed,
            ..Options::default()
        };
        let (language, expected) = transcribe(&here, samples.clone(), options.clone());
        let (found, all) = transcribe_elsewhere(&parts, &mut speech, samples.clone(), options);
        let (Some((code, probability)), Some((same, wanted))) = (found, language) else {
            panic!("no language");
        };
        assert_eq!(code, same);
        assert!(
            (probability - wanted).abs() < 1e-4,
            "{probability}, {wanted}"
        );
        assert!(!all.is_empty());
        for (found, expected) in all.iter().zip(&expected) {
            assert_eq!(found.temperature, 0.4);
            assert_eq!(found.tokens, expected.tokens);
        }
    }
    block_on(speech.close()).unwrap();
}

/// Draws numbers in 0..1.
fn drawn(state: &mut u32) -> f32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 8) as f32 / (1 << 24) as f32
}

/// The device's search and the rules over it choose what the host's rules choose of all logits.
#[test]
fn a_search_chooses_as_the_rules_on_all_logits() {
    const VOCAB: usize = 2_051;
    let ids = Ids {
        eot: 1_500,
        no_timestamps: 1_549,
        max_initial_timestamp: Some(50),
    };
    let begin = ids.timestamp_begin();
    let suppressed: Vec<usize> = (0..VOCAB)
        .step_by(37)
        .chain([ids.no_timestamps - 1])
        .collect();
    for on in DEVICES {
        let Some(device) = borrow(on, |_| ()) else {
            return;
        };
        let ops = Ops::new(&device.handle, device.tuning(1));
        let words = VOCAB.div_ceil(32);
        let mut banned = vec![0; 2 * words];
        for id in &suppressed {
            banned[words + id / 32] |= 1 << (id % 32);
        }
        let banned = ops.write_words(ops.alloc_words(2 * words), 0, banned);
        let (mut state, mut worst, mut times_won) = (7, 0.0_f64, 0);
        for case in 0..60 {
            // Logits of which now the text and now the times are likelier, with equals among them.
            let lift = (drawn(&mut state) - 0.5) * 6.0;
            let logits: Vec<f32> = (0..VOCAB)
                .map(|id| {
                    let logit = (drawn(&mut state) * 64.0).round() / 8.0;
                    if id >= begin { logit + lift } else { logit }
                })
                .collect();
            let len = case % 5;
            let sequence: Vec<usize> = (0..len)
                .map(|_| match drawn(&mut state) < 0.5 {
                    true => begin + (drawn(&mut state) * 400.0) as usize,
                    false => (drawn(&mut state) * 1_400.0) as usize,
                })
                .collect();
            let with_times = case % 7 != 0;
            let mut masked = logits.clone();
            rules::suppress(&mut masked, &suppressed);
            if with_times {
                rules::timestamps(&mut masked, &sequence, &ids).unwrap();
            }
            let expected = (0..VOCAB).fold(0, |best, id| match masked[id] > masked[best] {
                true => id,
                false => best,
            });
            let log_prob = rules::log_prob(&masked, expected).unwrap();

            let allowed = match with_times {
                true => Allowed::after(&sequence, &ids, VOCAB).unwrap(),
                false => Allowed::all(VOCAB),
            };
            let of = |range: &std::ops::Range<usize>| [range.start as u32, range.end as u32, 1, 0];
            let ranges = [of(&allowed.text), of(&allowed.times)].concat();
            let ranges = ops.write_words(ops.alloc_words(8), 0, ranges);
            let logits: Tensor<2> = ops.upload_f32(&logits, [1, VOCAB]);
            let found = block_on(read_f32(&ops.search_ranges(&logits, &banned, &ranges))).unwrap();
            let found = found.as_chunks::<4>().0;
            assert!(found.iter().all(|numbers| numbers[3] == 0.0));
            let [text, times] = [Found::read(&found[0]), Found::read(&found[1])];
            let (id, found) = rules::likeliest(&text, &times);
            assert_eq!(id, expected, "{on:?} {case}: after {sequence:?}");
            worst = worst.max((found - log_prob).abs());
            times_won += usize::from(id >= begin);
        }
        assert!((10..50).contains(&times_won), "{times_won} times");
        assert_within(&format!("{on:?}: log-probabilities"), worst as f32, 1e-5);
        // A logit that is no number is told.
        let mut logits = vec![0.0; VOCAB];
        logits[77] = f32::NAN;
        let ranges = ops.write_words(ops.alloc_words(4), 0, vec![0, VOCAB as u32, 0, 0]);
        let logits: Tensor<2> = ops.upload_f32(&logits, [1, VOCAB]);
        let found = block_on(read_f32(&ops.search_ranges(&logits, &banned, &ranges))).unwrap();
        assert_eq!(found[3], 1.0, "{on:?}");
    }
}

/// Launches of a layer of the decoder: norm, q, k and v, attention with their bias and caches, its projection and bias; norm, q, its
/// bias, attention to the sound, its projection and bias; norm, up, its bias and function, down and bias.
const A_LAYER: u64 = 5 + 6 + 5;
/// Embedding and positions; norm, head and search.
const AROUND: u64 = 2 + 3;

#[test]
fn a_token_takes_one_replay_and_32_bytes() {
    let Some(device) = borrow(On::Gpu, |_| ()) else {
        return;
    };
    let path = goldens().join("whisper").join(MODELS[0]);
    let (parts, mut speech) = load(device.clone(), &path, KvType::F16);
    let config = &parts.config;
    hear(&mut speech, &vec![0.0; config.n_mels * 3_000]);
    let search = Pick {
        row: 0,
        ranges: vec![[0, 100, 0], [100, config.n_vocab as u32, 1]],
    };
    block_on(speech.decode(0, &[1, 2, 3], &[])).unwrap();
    let before = speech.stats();
    for at in 3..7 {
        let picks = std::slice::from_ref(&search);
        let found = block_on(speech.decode(at, &[5], picks)).unwrap();
        assert_eq!(found.len(), 8);
    }
    let after = speech.stats();
    let a_token = A_LAYER * config.decoder_layers as u64 + AROUND;
    assert_eq!(after.dispatches_per_token, a_token);
    assert_eq!(after.dispatches - before.dispatches, 4 * a_token);
    assert_eq!(after.replays - before.replays, 4);
    assert_eq!(after.readbacks - before.readbacks, 4);
    assert_eq!(after.bytes_read - before.bytes_read, 4 * 32);
    block_on(speech.close()).unwrap();
}

#[test]
fn what_is_not_computed_is_refused_by_name() {
    let path = goldens().join("whisper").join(MODELS[0]);
    let device = borrow(On::Cpu, |_| ()).unwrap();
    let refused = |change: fn(&mut SpeechLoader)| {
        let loaded = load_with(device.clone(), &path, KvType::F32, change);
        let error = loaded.err().unwrap();
        (error.code(), error.to_string())
    };
    let (code, message) = refused(|loader| {
        let bytes = [0; 16];
        loader
            .tensor("decoder.extra.weight", [1, 4], false, &bytes)
            .unwrap();
    });
    assert_eq!(code, "unsupported_architecture");
    assert!(message.contains("decoder.extra.weight"), "{message}");
    let (code, _) = refused(|loader| {
        let bytes = [0; 16];
        loader
            .tensor("encoder.layer_norm.weight", [1, 4], false, &bytes)
            .unwrap();
    });
    assert_eq!(code, "tensor_shape");

    let (parts, mut speech) = load(device.clone(), &path, KvType::F32);
    // A step without a window, and one that does not fit.
    let step = |speech: &mut Speech, from: usize| block_on(speech.decode(from, &[1], &[]));
    assert_eq!(step(&mut speech, 0).unwrap_err().code(), "internal_error");
    hear(&mut speech, &vec![0.0; parts.config.n_mels * 3_000]);
    step(&mut speech, parts.config.text_ctx - 1).unwrap();
    assert!(step(&mut speech, parts.config.text_ctx).is_err());
    // An answer that nobody asked for.
    let options = Options::default();
    let mut run = Transcription::elsewhere(parts, vec![0.5; 16_000], options).unwrap();
    assert_eq!(run.answer(&[1.0]).unwrap_err().code(), "internal_error");
}

/// The real whisper-tiny.en, in a full run: a software adapter takes a minute for its encoder.
#[test]
fn tiny_en_writes_down_what_the_cpu_does() {
    if !is_full() {
        return;
    }
    let (Some((_, path, _)), Some(samples)) = (tiny_en(), recording()) else {
        return;
    };
    let Some(device) = borrow(On::LargeGpu, |_| ()) else {
        return;
    };
    let (parts, mut speech) = load(device.clone(), &path, KvType::F16);
    // 28.6 s, to the end of a sentence: what a model makes of one that is cut off is no clear choice.
    let first = samples[..28 * 16_000 + 9_600].to_vec();
    let options = Options {
        words: true,
        ..Options::default()
    };
    let (_, expected) = transcribe(&Rc::new(folder(&path)), first.clone(), options.clone());
    let (_, found) = transcribe_elsewhere(&parts, &mut speech, first, options);
    assert_eq!(text(&found), text(&expected));
    assert!(!found.is_empty());
    let words = |all: &[SegmentText]| -> Vec<Word> {
        all.iter()
            .flat_map(|segment| segment.words.clone().unwrap())
            .collect()
    };
    for (found, expected) in words(&found).iter().zip(&words(&expected)) {
        assert_eq!(found.word, expected.word);
        // One row of the encoder's output.
        assert!(
            (found.start - expected.start).abs() < 0.021,
            "{found:?}, {expected:?}"
        );
    }
    let differences = found.iter().zip(&expected);
    let worst = differences.fold(0.0_f64, |worst, (found, expected)| {
        worst.max((found.avg_logprob - expected.avg_logprob).abs())
    });
    assert_within("tiny.en: log-probabilities", worst as f32, 1e-2);
    block_on(speech.close()).unwrap();
}
