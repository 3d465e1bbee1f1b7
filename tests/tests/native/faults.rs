//! A GPU that runs out of memory, refuses a shader or is lost, in each of the places where that happens: the call that is
//! at work fails with the fault's code, nothing panics or hangs, and where the device is still there the next request
//! succeeds.

use hearth::device::Fault;
use hearth::{Device, Engine, Error, Loader, Result};
use hearth_tests::{
    GREEDY, On, exact, finish, golden_bytes, goldens, greedy, load_file_with, open, prompts,
};
use pollster::block_on;

/// Faults that a device survives, and their codes.
const SURVIVED: [(Fault, &str); 2] = [
    (Fault::OutOfMemory, "out_of_memory"),
    (Fault::RefusedPipeline, "gpu_error"),
];

fn tiny(device: &Device) -> Engine {
    let path = goldens().join("tiny_llama.gguf");
    load_file_with(device.clone(), &path, exact(128))
}

fn assert_code<T>(result: Result<T>, code: &str, what: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{what}: no error"));
    assert_eq!(error.code(), code, "{what}: {error}");
}

/// The engine answers as transformers does.
fn assert_works(engine: &mut Engine) {
    let [chat, _] = prompts();
    let (ids, _) = greedy(engine, &chat.ids, 8).unwrap();
    assert_eq!(ids, chat.greedy_ids[..8]);
}

#[test]
fn a_fault_is_an_error_of_the_load() {
    let Some(device) = open(On::Gpu) else { return };
    let bytes = golden_bytes("tiny_llama.gguf");
    for (fault, code) in SURVIVED {
        // In the middle of the weights, and behind the last of them.
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
    let Some(device) = open(On::Gpu) else { return };
    let mut engine = tiny(&device);
    let [chat, text] = prompts();
    for (fault, code) in SURVIVED {
        // Before the prompt is computed, and in the answer.
        for steps in [0, 1, 3] {
            (engine.start_ids(text.ids.clone(), GREEDY, Some(40), &[])).unwrap();
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
    let Some(device) = open(On::Gpu) else { return };
    let path = goldens().join("embed_bert.gguf");
    let mut engine = load_file_with(device.clone(), &path, exact(64));
    for (fault, code) in SURVIVED {
        device.provoke(fault);
        assert_code(block_on(engine.embed("a fire", true)), code, "embed");
        block_on(engine.embed("a fire", true)).unwrap();
    }
}

/// Whatever comes first says so; the engine is of no more use.
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
        let Some(device) = open(On::Gpu) else { return };
        let mut engine = tiny(&device);
        match work(&mut engine, &device, &chat.ids) {
            Err(Error::DeviceLost { .. } | Error::Gpu { .. }) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
}
