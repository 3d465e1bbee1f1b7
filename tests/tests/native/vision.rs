//! Models that see, against transformers' rows, ids and answers: folders and pairs of GGUF files, on the CPU and the GPU.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hearth::engine::request::Request;
use hearth::{Device, Engine, Error, Loader};
use hearth_modelfile::container::overrides::Overrides;
use hearth_modelfile::files::folder;
use hearth_modelfile::text::template::Message;
use hearth_modelfile::vision::Frames;
use hearth_tests::compare::assert_near;
use hearth_tests::{On, exact, golden, golden_bytes, golden_f32, goldens, open};
use pollster::block_on;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) const KINDS: [&str; 10] = [
    "smolvlm",
    "gemma3",
    "qwen3_vl",
    "lfm2_vl",
    "qwen2_vl",
    "mistral3",
    "pixtral",
    "qwen2_5_vl",
    "qwen3_5",
    "gemma4",
];

/// Largest difference of a picture's rows: three times the one measured.
const TOLERANCE: f32 = 2e-5;

#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) gguf: [String; 2],
    folder: String,
    image_token: u32,
    pub(crate) pictures: Vec<Picture>,
    pub(crate) cases: Vec<Case>,
    pub(crate) dims: Dims,
}

#[derive(Deserialize)]
pub(crate) struct Dims {
    d_model: usize,
    pub(crate) tower: TowerDims,
}

#[derive(Deserialize)]
pub(crate) struct TowerDims {
    pub(crate) block_count: u64,
}

#[derive(Deserialize)]
pub(crate) struct Picture {
    tiles_high: usize,
    tiles_wide: usize,
    pub(crate) grids: Vec<[usize; 2]>,
    pixels_start: usize,
    pixels_length: usize,
    rows_start: usize,
    n_rows: usize,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    name: String,
    messages: Vec<Value>,
    pub(crate) ids: Vec<u32>,
    pub(crate) shown: Vec<usize>,
    greedy_ids: Vec<u32>,
}

/// A golden, and its files.
pub(crate) struct Golden {
    name: String,
    pub(crate) expected: Expected,
    pixels: Vec<u8>,
    rows: Vec<f32>,
}

impl Golden {
    pub(crate) fn read(kind: &str) -> Self {
        let name = format!("vision/vision_{kind}");
        Self {
            expected: golden(&format!("{name}.json")),
            pixels: golden_bytes(&format!("{name}_pixels.bin")),
            rows: golden_f32(&format!("{name}_rows.bin")),
            name,
        }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        goldens().join("vision").join(file)
    }

    /// Adds the pictures; returns their keys.
    pub(crate) fn add(&self, engine: &mut Engine) -> Vec<String> {
        let add = |picture: &Picture| {
            let frames = Frames {
                tiles: [picture.tiles_high, picture.tiles_wide],
                grids: picture.grids.clone(),
            };
            let pixels = &self.pixels[picture.pixels_start..][..picture.pixels_length];
            engine.add_picture(frames, pixels.to_vec()).unwrap()
        };
        self.expected.pictures.iter().map(add).collect()
    }
}

/// The forms in which a model is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Folder,
    Pair,
}

pub(crate) fn load(golden: &Golden, form: Form, device: &Device) -> Engine {
    let expected = &golden.expected;
    let (model, projector) = match form {
        Form::Folder => (golden.path(&expected.folder), None),
        Form::Pair => (
            golden.path(&expected.gguf[0]),
            Some(golden.path(&expected.gguf[1])),
        ),
    };
    load_pair(device.clone(), &model, projector.as_deref()).unwrap()
}

pub(crate) fn load_pair(
    device: Device,
    model: &Path,
    projector: Option<&Path>,
) -> hearth::Result<Engine> {
    let (files, paths) = folder::open_with(model, projector)?;
    block_on(async {
        let mut loader = Loader::of_files(device, exact(256), files, &Overrides::default())?;
        for path in paths {
            for chunk in std::fs::read(&path).unwrap().chunks(1 << 16) {
                loader.push(chunk).await?;
            }
        }
        loader.finish().await
    })
}

/// Returns the messages of a case with the pictures' keys.
pub(crate) fn messages(case: &Case, keys: &[String]) -> Vec<Message> {
    let mut all = case.messages.clone();
    for message in &mut all {
        for part in message["content"].as_array_mut().into_iter().flatten() {
            if let Some(number) = part["image"].as_u64() {
                part["image"] = json!(keys[number as usize]);
            }
        }
    }
    all.into_iter()
        .map(|message| serde_json::from_value(message).unwrap())
        .collect()
}

/// Answers greedily; returns the ids.
fn answer(engine: &mut Engine, messages: Vec<Message>, n: usize) -> hearth::Result<Vec<u32>> {
    let request = Request {
        messages: Some(messages),
        temperature: Some(0.0),
        max_tokens: Some(n),
        ..Request::default()
    };
    engine.start(&request)?;
    let mut ids = Vec::new();
    loop {
        let step = block_on(engine.next())?;
        ids.extend(step.ids);
        if step.finish_reason.is_some() {
            return Ok(ids);
        }
    }
}

/// Checks a model in one form: its pictures' rows, its prompts' ids, its answers.
fn check(golden: &Golden, form: Form, on: On, device: &Device, tolerance: f32) {
    let mut engine = load(golden, form, device);
    let (name, expected) = (&golden.name, &golden.expected);
    assert!(engine.info().vision.is_some());
    let keys = golden.add(&mut engine);
    for (picture, key) in expected.pictures.iter().zip(&keys) {
        let found = block_on(engine.picture_rows(key)).unwrap();
        let width = expected.dims.d_model;
        let rows = &golden.rows[picture.rows_start * width..][..picture.n_rows * width];
        assert_near(
            &format!("{name} rows, {form:?}, {on:?}"),
            &found,
            rows,
            tolerance,
        );
    }
    for case in &expected.cases {
        let messages = messages(case, &keys);
        let placed = engine.place_chat(&messages).unwrap();
        let plain: Vec<u32> = (placed.ids.iter())
            .map(|id| {
                if *id >= 1 << 31 {
                    expected.image_token
                } else {
                    *id
                }
            })
            .collect();
        assert_eq!(plain, case.ids, "{name} {}, {form:?}", case.name);
        let all_rows = placed.ids.iter().filter(|id| **id >= 1 << 31).count();
        let rows: usize = placed.spans.iter().map(|span| span.rows).sum();
        assert_eq!(rows, all_rows, "{name} {}, {form:?}", case.name);
        let shown: Vec<usize> = placed.spans.iter().map(|span| span.picture).collect();
        assert!(shown.is_sorted() && shown.last().map_or(0, |last| last + 1) == case.shown.len());
        let n = case.greedy_ids.len();
        let ids = answer(&mut engine, messages, n).unwrap();
        assert_eq!(
            ids, case.greedy_ids,
            "{name} {}, {form:?}, {on:?}",
            case.name
        );
    }
    // Each frame was looked at once, whatever the conversations.
    let frames: usize = expected.pictures.iter().map(|p| p.grids.len()).sum();
    assert_eq!(engine.stats().frames, frames as u64);
    block_on(engine.close());
}

#[test]
fn folders_and_pairs_on_the_cpu() {
    let device = open(On::Cpu).unwrap();
    for kind in KINDS {
        let golden = Golden::read(kind);
        for form in [Form::Folder, Form::Pair] {
            check(&golden, form, On::Cpu, &device, TOLERANCE);
        }
    }
}

#[test]
fn pairs_on_the_gpu() {
    // (one for all kinds, which share most of its pipelines)
    let Some(device) = open(On::Gpu) else { return };
    for kind in KINDS {
        let golden = Golden::read(kind);
        check(&golden, Form::Pair, On::Gpu, &device, TOLERANCE);
    }
}

/// A template that shows parts only gets texts as parts.
#[test]
fn a_text_is_shown_by_a_template_of_parts() {
    let golden = Golden::read(KINDS[0]);
    let mut engine = load(&golden, Form::Pair, &open(On::Cpu).unwrap());
    let text = golden
        .expected
        .cases
        .iter()
        .find(|case| case.shown.is_empty());
    let text = text.unwrap();
    let mut message = text.messages[0].clone();
    message["content"] = message["content"][0]["text"].clone();
    let message: Message = serde_json::from_value(message).unwrap();
    assert!(message.content.is_string());
    let ids = answer(&mut engine, vec![message], text.greedy_ids.len()).unwrap();
    assert_eq!(ids, text.greedy_ids);
}

/// Another picture is no prefix of what is cached, and the same one is; a change of the text does not look again.
#[test]
fn a_picture_is_known_by_what_it_shows() {
    let golden = Golden::read(KINDS[0]);
    let mut engine = load(&golden, Form::Pair, &open(On::Cpu).unwrap());
    let keys = golden.add(&mut engine);
    let again = golden.add(&mut engine);
    assert_eq!(keys, again);
    let ask = |engine: &mut Engine, key: &str, text: &str| {
        let message = json!({"role": "user", "content": [
            {"type": "image", "image": key}, {"type": "text", "text": text}]});
        let messages = vec![serde_json::from_value(message).unwrap()];
        let request = Request {
            messages: Some(messages),
            temperature: Some(0.0),
            max_tokens: Some(4),
            ..Request::default()
        };
        engine.start(&request).unwrap();
        loop {
            let step = block_on(engine.next()).unwrap();
            if step.finish_reason.is_some() {
                let usage = step.usage;
                return (
                    usage.prompt_tokens,
                    usage.prompt_tokens_details.cached_tokens,
                );
            }
        }
    };
    let (_, cached) = ask(&mut engine, &keys[0], "abc");
    assert_eq!(cached, 0);
    let frames = engine.stats().frames;
    let (tokens, cached) = ask(&mut engine, &keys[0], "abd");
    assert!(
        cached > golden.expected.pictures[0].n_rows && cached < tokens,
        "{cached} of {tokens}"
    );
    assert_eq!(engine.stats().frames, frames);
    let (_, cached) = ask(&mut engine, &keys[1], "abd");
    assert!(cached < golden.expected.pictures[1].n_rows, "{cached}");
}

#[test]
fn what_is_missing_is_named() {
    let golden = Golden::read(KINDS[0]);
    let [model, projector] = golden
        .expected
        .gguf
        .each_ref()
        .map(|file| golden.path(file));
    // A projector alone, and a model without one.
    let device = || open(On::Cpu).unwrap();
    let alone = load_pair(device(), &projector, None).err().unwrap();
    assert!(alone.to_string().contains("mmproj"), "{alone}");
    let mut blind = load_pair(device(), &model, None).unwrap();
    assert!(blind.info().vision.is_none());
    let picture = &golden.expected.pictures[0];
    let frames = Frames {
        tiles: [picture.tiles_high, picture.tiles_wide],
        grids: picture.grids.clone(),
    };
    let error = blind.add_picture(frames.clone(), vec![]).unwrap_err();
    assert!(error.to_string().contains("mmproj"), "{error}");
    // Another model's projector.
    let other = Golden::read(KINDS[1]);
    let mut header = load_pair(device(), &model, Some(&other.path(&other.expected.gguf[1])));
    if let Ok(engine) = &mut header {
        // (of one width by chance: then its tokens are missing)
        assert!(engine.place_chat(&[]).is_ok());
    }
    // Frames and keys that are not what they should be.
    let mut engine = load(&golden, Form::Pair, &open(On::Cpu).unwrap());
    let errors: HashMap<&str, Error> = HashMap::from([
        (
            "pixels",
            engine.add_picture(frames.clone(), vec![0; 3]).unwrap_err(),
        ),
        (
            "grid",
            engine
                .add_picture(
                    Frames {
                        tiles: [0, 0],
                        grids: vec![[1, 1]],
                    },
                    vec![],
                )
                .unwrap_err(),
        ),
        (
            "frames",
            engine
                .add_picture(
                    Frames {
                        tiles: [2, 2],
                        grids: vec![],
                    },
                    vec![],
                )
                .unwrap_err(),
        ),
    ]);
    for (what, error) in errors {
        assert_eq!(error.code(), "invalid_request", "{what}: {error}");
    }
    let message = json!({"role": "user", "content": [{"type": "image", "image": "00"}]});
    let unknown = answer(
        &mut engine,
        vec![serde_json::from_value(message).unwrap()],
        1,
    );
    assert_eq!(unknown.unwrap_err().code(), "invalid_request");
}
