//! Adapters in an engine: against transformers' model with merged weights, chosen by request, without a trace afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use hearth::engine::adapters::AdapterUse;
use hearth::engine::request::Request;
use hearth::{Device, Drafts, Engine, Error};
use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{GgmlType, Value};
use hearth_tests::manifest::{self, Kind};
use hearth_tests::reference::check_engine;
use hearth_tests::{
    On, borrow, exact, finish, goldens, greedy, load_file, load_file_with, load_files, open,
};
use pollster::block_on;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    /// Path of the model, relative to the folder of goldens.
    base: String,
    /// Names of adapters and their scales.
    adapters: BTreeMap<String, f32>,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Gguf,
    Peft,
}

fn add(engine: &mut Engine, name: &str, form: Form) {
    let folder = goldens().join("adapters").join(name);
    let read = |file: &str| std::fs::read(folder.join(file)).unwrap();
    match form {
        Form::Gguf => engine.add_adapter(name, None, &read("adapter.gguf"), None),
        Form::Peft => {
            let config = String::from_utf8(read("adapter_config.json")).unwrap();
            let tensors = read("adapter_model.safetensors");
            engine.add_adapter(name, None, &tensors, Some(&config))
        }
    }
    .unwrap_or_else(|e| panic!("{name} as {form:?}: {e}"));
}

fn load(device: Device, path: &Path) -> Engine {
    match path.is_dir() {
        true => load_files(device, path, exact(256)).unwrap(),
        false => load_file_with(device, path, exact(256)),
    }
}

fn named(name: &str, scale: f32) -> AdapterUse {
    AdapterUse {
        name: name.into(),
        scale: Some(scale),
    }
}

/// Bound on the error of a logit, three times what was measured (1.2e-4). The reference's own floats are off by up to 8.8e-5 from float64.
const TOLERANCE: f32 = 3.5e-4;

fn check(on: On) {
    let goldens_of = manifest::of(Kind::Adapter);
    for form in [Form::Gguf, Form::Peft] {
        for golden in &goldens_of {
            let Some(device) = borrow(on, |_| ()) else {
                return;
            };
            let about: Golden = golden.expected();
            let mut engine = load(device.clone(), &goldens().join(&about.base));
            // Another one is there, too, and must not matter.
            if golden.name == "lora_tiny" {
                add(&mut engine, "lora_tiny_q_v", form);
            }
            for name in about.adapters.keys() {
                add(&mut engine, name, form);
            }
            let asked = about.adapters.iter();
            let asked: Vec<_> = asked.map(|(name, scale)| named(name, *scale)).collect();
            engine.use_adapters(&asked).unwrap();
            check_engine(&golden.name, on, &mut engine, TOLERANCE);
            block_on(engine.close());
        }
    }
}

#[test]
fn logits_are_those_of_merged_weights_on_the_cpu() {
    check(On::Cpu);
}

#[test]
fn logits_are_those_of_merged_weights_on_the_gpu() {
    check(On::Gpu);
}

#[test]
fn logits_are_those_of_merged_weights_as_on_a_large_gpu() {
    check(On::LargeGpu);
}

/// Prompt of the answers that are compared here.
const PROMPT: [u32; 12] = [41, 42, 43, 57, 60, 71, 80, 91, 99, 120, 133, 140];

fn tiny(device: Device) -> Engine {
    let path = goldens().join("tiny/tiny_llama_tied_f16.gguf");
    load_file(device, &path, 128)
}

fn answer(engine: &mut Engine, adapters: &[AdapterUse]) -> Vec<u32> {
    engine.use_adapters(adapters).unwrap();
    greedy(engine, &PROMPT, 24).unwrap().0
}

/// Shows that a request gets its own adapters, whatever the one before it had, and never keys and values of others.
#[test]
fn each_request_has_its_own_adapters() {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = open(on) else { return };
        let mut engine = tiny(device);
        let base = answer(&mut engine, &[]);
        let key = engine.adapters_key();
        assert!(key.is_empty());
        add(&mut engine, "lora_tiny", Form::Peft);
        add(&mut engine, "lora_tiny_q_v", Form::Gguf);
        let whole = [named("lora_tiny", 1.0)];
        let changed = answer(&mut engine, &whole);
        assert_ne!(base, changed, "{on:?}");
        assert_ne!(key, engine.adapters_key());
        assert_eq!(base, answer(&mut engine, &[named("lora_tiny", 0.0)]));
        assert_eq!(key, engine.adapters_key());
        for (adapters, expected) in [(&whole[..], &changed), (&[], &base), (&whole, &changed)] {
            assert_eq!(expected, &answer(&mut engine, adapters), "{on:?}");
        }
        let other = answer(&mut engine, &[named("lora_tiny", 0.25)]);
        assert_ne!(other, changed, "{on:?}");
        let both = [named("lora_tiny", 0.5), named("lora_tiny_q_v", 1.25)];
        let found = answer(&mut engine, &both);
        let turned = [both[1].clone(), both[0].clone()];
        let key = engine.adapters_key();
        assert_eq!(found, answer(&mut engine, &turned));
        assert_eq!(key, engine.adapters_key());
        assert!(engine.remove_adapter("lora_tiny"));
        assert!(!engine.remove_adapter("lora_tiny"));
        assert_eq!(engine.adapters().len(), 1);
        assert_eq!(base, greedy(&mut engine, &PROMPT, 24).unwrap().0);
        block_on(engine.close());
    }
}

/// Tokens of a request that the one before it had computed.
fn cached(engine: &mut Engine, adapters: Vec<AdapterUse>) -> usize {
    let request = Request {
        prompt: Some("One two three four five six seven eight".into()),
        temperature: Some(0.0),
        max_tokens: Some(2),
        adapters,
        ..Default::default()
    };
    engine.start(&request).unwrap();
    let usage = finish(engine).unwrap().usage;
    usage.prompt_tokens_details.cached_tokens
}

#[test]
fn the_prefix_of_another_adapter_is_not_reused() {
    let mut engine = tiny(open(On::Cpu).unwrap());
    add(&mut engine, "lora_tiny", Form::Gguf);
    let with = |scale: f32| vec![named("lora_tiny", scale)];
    assert_eq!(cached(&mut engine, Vec::new()), 0);
    assert!(cached(&mut engine, Vec::new()) > 8);
    assert_eq!(cached(&mut engine, with(1.0)), 0);
    assert!(cached(&mut engine, with(1.0)) > 8);
    assert_eq!(cached(&mut engine, with(0.5)), 0);
    assert_eq!(cached(&mut engine, with(0.0)), 0);
    assert!(cached(&mut engine, Vec::new()) > 8);
}

#[test]
fn drafts_do_not_change_the_answer_with_an_adapter() {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = open(on) else { return };
        let mut engine = tiny(device);
        add(&mut engine, "lora_tiny", Form::Gguf);
        let adapters = [named("lora_tiny", 1.0)];
        engine.set_drafts(Drafts::Off);
        let without = answer(&mut engine, &adapters);
        engine.use_adapters(&[]).unwrap();
        engine.set_drafts(Drafts::Always);
        assert_eq!(answer(&mut engine, &adapters), without, "{on:?}");
        block_on(engine.close());
    }
}

/// Two launches for each of a layer's four projections with an adapter, and what there was before without.
#[test]
fn an_adapter_costs_eight_launches_a_layer() {
    let Some(device) = open(On::Gpu) else { return };
    let mut engine = tiny(device);
    let layers = engine.info().config.n_layers as u64;
    let launches = |engine: &mut Engine, adapters: &[AdapterUse]| {
        answer(engine, adapters);
        engine.stats().dispatches_per_token
    };
    let before = launches(&mut engine, &[]);
    assert_eq!(before, 5 * layers + 4);
    add(&mut engine, "lora_tiny", Form::Gguf);
    add(&mut engine, "lora_tiny_q_v", Form::Gguf);
    assert_eq!(launches(&mut engine, &[]), before);
    let both = [named("lora_tiny", 1.0), named("lora_tiny_q_v", 1.0)];
    assert_eq!(launches(&mut engine, &both[..1]), before + 8 * layers);
    assert_eq!(launches(&mut engine, &both), before + 8 * layers);
    assert_eq!(launches(&mut engine, &both[1..]), before + 2 * layers);
    assert_eq!(launches(&mut engine, &[]), before);
    block_on(engine.close());
}

fn assert_invalid(result: Result<(), Error>, words: &str) {
    match result {
        Err(Error::InvalidRequest { field, .. }) if field == "adapters" => {}
        other => panic!("{words}: {other:?}"),
    }
}

#[test]
fn impossible_choices_are_refused() {
    let mut engine = tiny(open(On::Cpu).unwrap());
    assert_invalid(engine.use_adapters(&[named("none", 1.0)]), "unknown");
    add(&mut engine, "lora_tiny", Form::Gguf);
    let twice = [named("lora_tiny", 1.0), named("lora_tiny", 0.5)];
    assert_invalid(engine.use_adapters(&twice), "twice");
    for scale in [f32::NAN, f32::INFINITY, 101.0] {
        assert_invalid(engine.use_adapters(&[named("lora_tiny", scale)]), "scale");
    }
    let path = goldens().join("adapters/lora_tiny/adapter.gguf");
    let bytes = std::fs::read(path).unwrap();
    for name in ["lora_tiny", ""] {
        let added = engine.add_adapter(name, None, &bytes, None);
        assert_invalid(added.map(|_| ()), name);
    }
    assert_eq!(engine.adapters().len(), 1);
    // The adapter of a model with other shapes.
    let folder = goldens().join("folders/hf_llama3");
    let mut other = load_files(open(On::Cpu).unwrap(), &folder, exact(64)).unwrap();
    let error = other.add_adapter("other", None, &bytes, None).unwrap_err();
    assert!(
        ["tensor_shape", "bad_file"].contains(&error.code()),
        "{error}"
    );
}

/// Refuses adapters of the weights around latents, which would be taken and change nothing.
#[test]
fn weights_of_latents_take_no_adapters() {
    let path = manifest::named("family_youtu").model();
    let mut engine = load_file(open(On::Cpu).unwrap(), &path, 64);
    let text = |text: &str| Value::String(text.into());
    for name in ["q_a", "q_b", "kv_a_mqa", "k_b", "v_b", "output"] {
        let weight = format!("blk.0.attn_{name}.weight");
        let numbers = [0; 4 * 2 * 4];
        let bytes = GgufWriter::new()
            .metadata("general.type", text("adapter"))
            .metadata("general.architecture", text("deepseek2"))
            .metadata("adapter.type", text("lora"))
            .metadata("adapter.lora.alpha", Value::F32(8.0))
            .tensor(
                &format!("{weight}.lora_a"),
                &[4, 2],
                GgmlType::F32,
                &numbers,
            )
            .tensor(
                &format!("{weight}.lora_b"),
                &[2, 4],
                GgmlType::F32,
                &numbers,
            )
            .finish();
        let error = engine.add_adapter(name, None, &bytes, None).unwrap_err();
        assert_eq!(error.code(), "bad_file", "{error}");
        assert!(error.to_string().contains(&weight), "{error}");
    }
}
