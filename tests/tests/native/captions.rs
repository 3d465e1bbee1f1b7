//! Models that compare pictures with texts, against transformers' embeddings and logits: folders, on the CPU and the GPU.

use hearth::engine::embed::EmbedInput;
use hearth::{Engine, Loader};
use hearth_modelfile::config::SimilarityFunction;
use hearth_modelfile::container::overrides::Overrides;
use hearth_modelfile::files::folder;
use hearth_modelfile::vision::{Frames, Processor};
use hearth_tests::compare::{assert_near, assert_within, worst_error};
use hearth_tests::{On, exact, golden, golden_bytes, golden_f32, goldens, open};
use pollster::block_on;
use serde::Deserialize;

const KINDS: [&str; 3] = ["clip", "siglip", "siglip2"];

/// Largest differences of a number of an embedding, and of a logit: three times those measured.
const TOLERANCE: f32 = 6e-6;
const OF_LOGITS: f32 = 3e-5;

#[derive(Deserialize)]
struct Expected {
    folder: String,
    n_ctx: usize,
    scale: f32,
    bias: f32,
    function: String,
    sizes: Vec<[usize; 2]>,
    grid: [usize; 2],
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

struct Golden {
    name: String,
    expected: Expected,
}

impl Golden {
    fn read(kind: &str) -> Self {
        let name = format!("captions/captions_{kind}");
        Self {
            expected: golden(&format!("{name}.json")),
            name,
        }
    }

    fn floats(&self, of: &str) -> Vec<f32> {
        golden_f32(&format!("{}_{of}.bin", self.name))
    }

    fn load(&self, on: On, context: usize) -> Option<Engine> {
        let device = open(on)?;
        let path = goldens().join("captions").join(&self.expected.folder);
        let (files, paths) = folder::open_with(&path, None).unwrap();
        let engine = block_on(async {
            let mut loader =
                Loader::of_files(device, exact(context), files, &Overrides::default())?;
            for path in paths {
                for chunk in std::fs::read(&path).unwrap().chunks(1 << 16) {
                    loader.push(chunk).await?;
                }
            }
            loader.finish().await
        });
        Some(engine.unwrap())
    }

    /// Adds the pictures; returns their keys.
    fn add(&self, engine: &mut Engine) -> Vec<String> {
        let pixels = golden_bytes(&format!("{}_pixels.bin", self.name));
        let each = pixels.chunks_exact(pixels.len() / self.expected.sizes.len());
        each.map(|pixels| {
            let frames = Frames {
                tiles: [0, 0],
                grids: vec![self.expected.grid],
            };
            engine.add_picture(frames, pixels.to_vec()).unwrap()
        })
        .collect()
    }
}

fn picture(key: &str) -> EmbedInput {
    EmbedInput {
        image: Some(key.to_owned()),
        ..EmbedInput::default()
    }
}

fn embed(engine: &mut Engine, input: &EmbedInput) -> Vec<f32> {
    let values = block_on(engine.embed(input)).unwrap().values;
    let length: f32 = values.iter().map(|v| v * v).sum();
    assert!((length - 1.0).abs() < 1e-5, "{length}");
    values
}

fn check(on: On) {
    for kind in KINDS {
        let golden = Golden::read(kind);
        let Some(mut engine) = golden.load(on, 64) else {
            return;
        };
        let expected = &golden.expected;
        let width = engine.info().config.embedding_dim;
        assert_eq!(engine.info().n_ctx, expected.n_ctx);
        let keys = golden.add(&mut engine);
        let pictures: Vec<Vec<f32>> = keys
            .iter()
            .map(|key| embed(&mut engine, &picture(key)))
            .collect();
        let texts: Vec<Vec<f32>> = (expected.texts.iter())
            .map(|Text { text, ids }| {
                let found = engine.tokenizer().encode_whole(text).unwrap();
                assert_eq!(found, *ids, "{kind} {text:?}");
                let of_ids = EmbedInput {
                    ids: Some(found),
                    ..EmbedInput::default()
                };
                let by_ids = embed(&mut engine, &of_ids);
                let by_text = embed(&mut engine, &EmbedInput::text(text));
                assert_eq!(by_ids, by_text, "{kind} {text:?}");
                by_text
            })
            .collect();
        for (what, found) in [("texts", &texts), ("pictures", &pictures)] {
            let expected = golden.floats(what);
            assert_eq!(expected.len(), found.len() * width, "{kind} {what}");
            let mut worst = 0.0f32;
            for (found, expected) in found.iter().zip(expected.chunks_exact(width)) {
                worst = worst.max(worst_error(kind, found, expected));
            }
            assert_within(&format!("{kind} {what} on {on:?}"), worst, TOLERANCE);
        }
        let similarity = engine.info().similarity.unwrap();
        assert!((similarity.scale / expected.scale - 1.0).abs() < 1e-6);
        assert!((similarity.bias - expected.bias).abs() < 1e-6);
        let function = match similarity.function {
            SimilarityFunction::Softmax => "softmax",
            SimilarityFunction::Sigmoid => "sigmoid",
        };
        assert_eq!(function, expected.function);
        let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let logits: Vec<f32> = (pictures.iter())
            .flat_map(|picture| texts.iter().map(|text| cosine(picture, text)))
            .map(|cosine| similarity.scale * cosine + similarity.bias)
            .collect();
        let name = format!("{kind} logits on {on:?}");
        assert_near(&name, &logits, &golden.floats("logits"), OF_LOGITS);
        // A model of embeddings writes no text.
        let error = block_on(engine.logits(&[5, 6, 7])).unwrap_err();
        assert_eq!(error.code(), "invalid_request");
        block_on(engine.close());
    }
}

#[test]
fn captions_on_the_cpu() {
    check(On::Cpu);
}

#[test]
fn captions_on_the_gpu() {
    check(On::Gpu);
}

/// The rules of the folder make transformers' pixels.
#[test]
fn pictures_are_prepared_by_the_folders_rules() {
    for kind in KINDS {
        let golden = Golden::read(kind);
        let engine = golden.load(On::Cpu, 64).unwrap();
        let rules: Processor = engine.info().vision.clone().unwrap();
        let sources = golden_bytes(&format!("{}_sources.bin", golden.name));
        let mut rest = &sources[..];
        let mut found = Vec::new();
        for [width, height] in golden.expected.sizes.iter().copied() {
            let (rgb, after) = rest.split_at(3 * width * height);
            rest = after;
            let rgba = rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]);
            let detail = hearth_pictures::Detail::Auto;
            let prepared =
                hearth_pictures::prepare(rgba.collect(), width, height, &rules, detail).unwrap();
            assert_eq!(prepared.grids, [golden.expected.grid]);
            found.extend(prepared.pixels);
        }
        let expected = golden_bytes(&format!("{}_pixels.bin", golden.name));
        assert!(found == expected, "{kind}: other pixels");
    }
}

#[test]
fn what_is_no_text_of_the_model_is_refused_or_ends() {
    let golden = Golden::read("clip");
    let mut engine = golden.load(On::Cpu, 64).unwrap();
    let first = &golden.expected.texts[0];
    let mut padded = first.ids.clone();
    padded.resize(golden.expected.n_ctx, *first.ids.last().unwrap());
    let input = EmbedInput {
        ids: Some(padded),
        ..EmbedInput::default()
    };
    let found = embed(&mut engine, &input);
    assert_eq!(found, embed(&mut engine, &EmbedInput::text(&first.text)));
    for wrong in [
        picture("00"),
        EmbedInput::default(),
        EmbedInput {
            text: Some("a".into()),
            ..picture("00")
        },
    ] {
        let error = block_on(engine.embed(&wrong)).unwrap_err();
        assert_eq!(error.code(), "invalid_request", "{error}");
    }
    // Texts that are padded to more than there is room for.
    let mut short = Golden::read("siglip").load(On::Cpu, 8).unwrap();
    let error = block_on(short.embed(&EmbedInput::text("a"))).unwrap_err();
    assert!(error.to_string().contains("contextSize"), "{error}");
}
