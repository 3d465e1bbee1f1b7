//! A GPU that runs out of memory, rejects a shader or is lost, at every point where that can happen: the current call
//! fails with the fault's code, nothing panics or hangs, and if the device is still usable the next request succeeds.

use hearth::device::Fault;
use hearth::engine::embed::EmbedInput;
use hearth::engine::request::Sampling;
use hearth::{Device, Drafts, Engine, Error, LoadOptions, Loader, Result};
use hearth_tests::{
    GREEDY, On, TinyFile, exact, finish, golden_bytes, goldens, greedy, load_file_with, load_with,
    open_new, prompts,
};
use pollster::block_on;

/// Faults that a device survives, and their codes.
const SURVIVED: [(Fault, &str); 2] = [
    (Fault::OutOfMemory, "out_of_memory"),
    (Fault::RefusedPipeline, "gpu_error"),
];

fn tiny(device: &Device) -> Engine {
    let path = goldens().join("tiny/tiny_llama.gguf");
    load_file_with(device.clone(), &path, exact(256))
}

fn assert_code<T>(result: Result<T>, code: &str, what: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{what}: no error"));
    assert_eq!(error.code(), code, "{what}: {error}");
}

/// Checks that the engine answers as transformers does.
fn assert_works(engine: &mut Engine) {
    let [chat, _] = prompts();
    let (ids, _) = greedy(engine, &chat.ids, 8).unwrap();
    assert_eq!(ids, chat.greedy_ids[..8]);
}

#[test]
fn a_fault_is_an_error_of_the_load() {
    let Some(device) = open_new(On::Gpu) else {
        return;
    };
    let bytes = golden_bytes("tiny/tiny_llama.gguf");
    for (fault, code) in SURVIVED {
        // In the middle of the weights, and after the last of them.
        for at in [bytes.len() / 2, bytes.len()] {
            let loaded = block_on(async {
                let mut loader = Loader::new(device.clone(), exact(128));
                for chunk in bytes[..at].chunks(4096) {
                    loader.push(chunk).await?;
                }
                device.provoke(fault);
                for chunk in bytes[at..].chunks(4096) {
                    loader.push(chunk).await?;
                }
                loader.finish().await
            });
            assert_code(loaded, code, "load");
        }
        assert_works(&mut tiny(&device));
    }
}

#[test]
fn a_fault_is_an_error_of_the_answer() {
    let Some(device) = open_new(On::Gpu) else {
        return;
    };
    let mut engine = tiny(&device);
    let [chat, text] = prompts();
    for (fault, code) in SURVIVED {
        // Before the prompt is computed, and in an answer that takes more than three submissions, however fast the
        // device is.
        for steps in [0, 1, 3] {
            (engine.start_ids(text.ids.clone(), GREEDY, Some(200), &[])).unwrap();
            for _ in 0..steps {
                block_on(engine.next()).unwrap();
            }
            device.provoke(fault);
            let rest = finish(&mut engine);
            assert_code(rest, code, &format!("behind {steps} steps"));
            assert_works(&mut engine);
        }
        device.provoke(fault);
        assert_code(block_on(engine.logits(&chat.ids)), code, "logits");
        assert_works(&mut engine);
    }
}

#[test]
fn a_fault_is_an_error_of_the_embedding() {
    let Some(device) = open_new(On::Gpu) else {
        return;
    };
    let path = goldens().join("embeddings/embed_bert.gguf");
    let mut engine = load_file_with(device.clone(), &path, exact(64));
    for (fault, code) in SURVIVED {
        device.provoke(fault);
        let input = EmbedInput::text("a fire");
        assert_code(block_on(engine.embed(&input)), code, "embed");
        block_on(engine.embed(&input)).unwrap();
    }
}

/// The first call after the loss reports it; the engine is unusable from then on.
#[test]
fn a_lost_device_is_an_error_wherever_it_happens() {
    let [chat, _] = prompts();
    type Work = fn(&mut Engine, &Device, &[u32]) -> Result<()>;
    let works: [(&str, Work); 2] = [
        ("prompt", |engine, device, ids| {
            engine.start_ids(ids.to_vec(), GREEDY, Some(40), &[])?;
            device.provoke(Fault::Lost);
            finish(engine).map(|_| ())
        }),
        ("answer", |engine, device, ids| {
            engine.start_ids(ids.to_vec(), GREEDY, Some(40), &[])?;
            block_on(engine.next())?;
            device.provoke(Fault::Lost);
            finish(engine).map(|_| ())
        }),
    ];
    for (what, work) in works {
        let Some(device) = open_new(On::Gpu) else {
            return;
        };
        let mut engine = tiny(&device);
        match work(&mut engine, &device, &chat.ids) {
            Err(Error::DeviceLost { .. } | Error::Gpu { .. }) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// Weights that are finite but produce non-finite values when multiplied: no device continues as if nothing were
/// wrong.
#[test]
fn logits_that_are_not_numbers_end_the_answer() {
    let mut file = TinyFile::read();
    for value in file.tensor("output_norm.weight").data.chunks_exact_mut(4) {
        value.copy_from_slice(&3e38f32.to_le_bytes());
    }
    let bytes = file.bytes();
    let [chat, _] = prompts();
    let sampled = Sampling {
        temperature: 1.0,
        top_p: 0.9,
        ..GREEDY
    };
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = open_new(on) else { continue };
        for drafts in [Drafts::Off, Drafts::Always] {
            let options = LoadOptions {
                drafts,
                ..exact(128)
            };
            let mut engine = load_with(device.clone(), &bytes, options, 1 << 20).unwrap();
            for sampling in [GREEDY, sampled.clone()] {
                let started = engine.start_ids(chat.ids.clone(), sampling, Some(8), &[]);
                let answer = started.and_then(|()| finish(&mut engine));
                let error = answer.expect_err("an answer from NaN");
                assert_eq!(error.code(), "not_finite", "{on:?}, {drafts:?}");
            }
        }
    }
}
