//! Log-mel spectrograms and the rules of timestamps against transformers, whose results
//! `tests/goldens/generator/gold_audio.py` writes.

use std::path::Path;

use hearth_audio::{mel::LogMel, rules, segments};

fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("HEARTH_ROOT"))
        .join("audio/tests/data")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state >> 8) / f64::from(1 << 23) - 1.0) as f32
    };
    (0..count).map(|_| next()).collect()
}

fn signal(name: &str) -> Vec<f32> {
    let mut click = vec![0.0; 4_000];
    click[0] = 1.0;
    match name {
        "noise" => noise(16_000, 1),
        "sweep" => (0..24_000_u64)
            .map(|n| ((n * n / 160 % 400) as f64 / 200.0 - 1.0) as f32)
            .collect(),
        "click" => click,
        "silence" => vec![0.0; 8_000],
        _ => noise(9_999, 7)
            .iter()
            .map(|value| value / 1_024.0)
            .collect(),
    }
}

#[test]
fn spectrograms_are_those_of_transformers() {
    for bins in [80, 128] {
        for name in ["noise", "sweep", "click", "silence", "quiet"] {
            let mel = LogMel::new(bins).unwrap().compute(&signal(name)).unwrap();
            let frames = mel.len() / bins;
            let golden = data(&format!("mel-{name}-{bins}.f32"));
            let golden: Vec<f32> = golden
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect();
            let kept: Vec<usize> = (0..frames)
                .filter(|f| *f < 2 || f % 13 == 0 || f + 2 >= frames)
                .collect();
            assert_eq!(golden.len(), kept.len() * bins, "{name} {bins}");
            let mut worst = 0.0_f32;
            for (frame, golden) in kept.iter().zip(golden.chunks(bins)) {
                for (m, value) in golden.iter().enumerate() {
                    let difference = (mel[m * frames + frame] - value).abs();
                    assert!(
                        difference <= 1e-4,
                        "{name} {bins}, frame {frame}, bin {m}: {difference}"
                    );
                    worst = worst.max(difference);
                }
            }
            println!("{name} {bins}: largest difference {worst:.1e}");
        }
    }
    assert_eq!(
        LogMel::new(64).err().map(|error| error.code()),
        Some("bad_metadata")
    );
    assert_eq!(
        LogMel::new(80).unwrap().compute(&[0.0; 159]).unwrap(),
        [0.0; 0]
    );
}

#[test]
fn timestamps_follow_the_rules_of_transformers() {
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&data("rules.json")).unwrap();
    assert!(cases.len() >= 60);
    let list = |value: &serde_json::Value| -> Vec<usize> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_u64().unwrap() as usize)
            .collect()
    };
    for case in &cases {
        let scale = case["scale"].as_u64().unwrap() as f32;
        let mut logits: Vec<f32> = noise(40, case["seed"].as_u64().unwrap() as u32)
            .iter()
            .map(|v| v * scale)
            .collect();
        let first = case["first"].as_u64().map(|first| first as usize);
        let ids = rules::Ids {
            eot: 10,
            no_timestamps: 19,
            max_initial_timestamp: first,
        };
        rules::timestamps(&mut logits, &list(&case["ids"]), &ids).unwrap();
        let kept: Vec<usize> = (0..40).filter(|i| logits[*i] > f32::NEG_INFINITY).collect();
        assert_eq!(kept, list(&case["kept"]), "{case}");
    }
}

#[test]
fn segments_are_those_of_transformers() {
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&data("segments.json")).unwrap();
    assert!(cases.len() >= 30);
    let number = |value: &serde_json::Value| value.as_u64().unwrap() as usize;
    let ids = rules::Ids {
        eot: 10,
        no_timestamps: 19,
        max_initial_timestamp: None,
    };
    for case in &cases {
        let sequence: Vec<usize> = case["ids"].as_array().unwrap().iter().map(number).collect();
        let (found, advance) = segments::retrieve(
            &sequence,
            number(&case["seek"]),
            number(&case["frames"]),
            &ids,
        );
        assert_eq!(advance, number(&case["advance"]), "{case}");
        let golden = case["segments"].as_array().unwrap();
        assert_eq!(found.len(), golden.len(), "{case}");
        for (segment, golden) in found.iter().zip(golden) {
            let tokens: Vec<usize> = golden[2].as_array().unwrap().iter().map(number).collect();
            assert_eq!(segment.tokens, tokens, "{case}");
            let near = |a: f64, b: &serde_json::Value| (a - b.as_f64().unwrap()).abs() < 1e-9;
            assert!(
                near(segment.start, &golden[0]) && near(segment.end, &golden[1]),
                "{segment:?} {case}"
            );
        }
    }
}

#[test]
fn a_window_always_moves_on() {
    let ids = rules::Ids {
        eot: 10,
        no_timestamps: 19,
        max_initial_timestamp: None,
    };
    for sequence in [
        &[][..],
        &[20],
        &[20, 20],
        &[20, 20, 3],
        &[39, 39, 20, 20, 1],
    ] {
        let (segments, advance) = segments::retrieve(sequence, 0, 0, &ids);
        assert!(
            advance > 0 && segments.iter().all(|segment| segment.end >= segment.start),
            "{sequence:?}"
        );
    }
}
