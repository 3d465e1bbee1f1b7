//! Invalid files, end to end through the loader: an error that describes the fault, never a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hearth::{Device, Engine, Error, LoadOptions, Loader, Result};
use hearth_modelfile::container::{Array, GgmlType, Value};
use hearth_tests::{GREEDY, On, TensorData, TinyFile, generate, golden_bytes, header, load, open};
use pollster::block_on;

fn tiny() -> Vec<u8> {
    golden_bytes("tiny/tiny_llama.gguf")
}

fn cpu() -> Device {
    open(On::Cpu).expect("the CPU always opens")
}

fn options(total_bytes: Option<u64>) -> LoadOptions {
    LoadOptions {
        context_size: Some(64),
        total_bytes,
        ..Default::default()
    }
}

/// Loads without announcing the file's length.
fn load_unsized(device: Device, bytes: &[u8], chunk: usize) -> Result<Engine> {
    block_on(async {
        let mut loader = Loader::new(device, options(None));
        for chunk in bytes.chunks(chunk) {
            loader.push(chunk).await?;
        }
        loader.finish().await
    })
}

/// Returns the error of a load.
fn error(device: Device, bytes: &[u8]) -> Error {
    match load(device, bytes, 64, 4096) {
        Err(error) => error,
        Ok(_) => panic!("the file was loaded"),
    }
}

/// Returns the errors with and without a known length, in small and large chunks.
fn errors(bytes: &[u8]) -> Vec<Error> {
    let mut errors = vec![error(cpu(), bytes)];
    for chunk in [97, usize::MAX] {
        errors.extend(load_unsized(cpu(), bytes, chunk).err());
    }
    assert_eq!(errors.len(), 3, "the file was loaded");
    errors
}

fn logits(engine: &mut Engine) -> Vec<f32> {
    block_on(engine.logits(&[1, 87, 85, 264, 201])).unwrap()
}

/// Checks that the unchanged file still loads on the same device.
fn assert_still_loads(device: &Device) {
    let mut engine = load(device.clone(), &tiny(), 64, 4096).unwrap();
    assert!(logits(&mut engine).iter().all(|x| x.is_finite()));
}

#[test]
fn a_rebuilt_file_is_the_same_model() {
    let mut original = load(cpu(), &tiny(), 64, 4096).unwrap();
    let mut rebuilt = load(cpu(), &TinyFile::read().bytes(), 64, 4096).unwrap();
    assert_eq!(logits(&mut original), logits(&mut rebuilt));
}

#[test]
fn other_files_are_named() {
    let html = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>".repeat(40);
    let wrong_magic = [b"GGUX", &tiny()[4..]].concat();
    let swapped = [b"GGUF\0\0\0\x03", &tiny()[8..]].concat();
    let future = [b"GGUF\x63\0\0\0", &tiny()[8..]].concat();
    for (file, what, found) in [
        (&b""[..], "", ""),
        (b"G", "", ""),
        (b"GGUF", "", ""),
        (b"{\"error\": \"not found\"}", "magic", "JSON"),
        (&html, "magic", "HTML"),
        (&wrong_magic, "magic", ""),
        (&swapped, "version", "big-endian"),
        (&future, "version", "99"),
        (&[0; 5000], "magic", ""),
    ] {
        for error in errors(file) {
            let message = error.to_string();
            match &error {
                Error::BadFile { what: w, .. } => assert!(w.contains(what), "{message}"),
                Error::Truncated { .. } if what.is_empty() => {}
                _ => panic!("{message}"),
            }
            assert!(message.contains(found), "{message} does not say {found}");
        }
    }
    assert_still_loads(&cpu());
}

#[test]
fn a_truncated_file_says_so() {
    let tiny = tiny();
    for i in 1..50 {
        let cut = &tiny[..tiny.len() * i / 50];
        let mut all = errors(cut);
        // The length of the whole file is announced, but fewer bytes arrive.
        let short = block_on(async {
            let mut loader = Loader::new(cpu(), options(Some(tiny.len() as u64)));
            for chunk in cut.chunks(4096) {
                loader.push(chunk).await?;
            }
            loader.finish().await
        });
        all.push(short.err().expect("an error"));
        for error in all {
            match error {
                Error::Truncated {
                    needed: n,
                    available: a,
                    ..
                } => {
                    assert!(n > a && a <= cut.len() as u64, "{i}/50: {n}, {a}");
                }
                _ => panic!("{i}/50: {error:?}"),
            }
        }
    }
}

#[test]
fn more_bytes_than_announced_are_refused() {
    let tiny = tiny();
    let mut loader = Loader::new(cpu(), options(Some(tiny.len() as u64)));
    block_on(loader.push(&tiny)).unwrap();
    block_on(loader.push(&[])).unwrap();
    let error = block_on(loader.push(&[0])).unwrap_err();
    assert_eq!(error.code(), "bad_file", "{error}");
    let message = error.to_string();
    assert!(message.contains(&(tiny.len() + 1).to_string()), "{message}");
}

/// Loads a damaged file and, if that works, generates an answer: the result is an answer from finite logits, or an
/// error, but never a panic.
fn survives(bytes: &[u8], sized: bool) -> Result<()> {
    let engine = match sized {
        true => load(cpu(), bytes, 64, 4096),
        false => load_unsized(cpu(), bytes, 4096),
    };
    let (mut engine, mut warm) = (engine?, GREEDY);
    (warm.temperature, warm.top_p) = (1.0, 0.9);
    for sampling in [GREEDY, warm] {
        generate(&mut engine, &[1, 87, 85, 3], 3, sampling)?;
    }
    let logits = block_on(engine.logits(&[1, 87, 85, 3]))?;
    assert!(logits.iter().all(|v| v.is_finite()), "it answers from NaN");
    Ok(())
}

/// Flips bytes in `from .. to`; returns how many of the files loaded.
fn flip(from: usize, to: usize, n: usize) -> usize {
    let tiny = tiny();
    let (mut survived, mut random) = (0, 0x2545_f491_4f6c_dd1d_u64);
    for i in 0..n {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let at = from + (random % (to - from) as u64) as usize;
        let flip = (random >> 40) as u8 | 1;
        let mut bytes = tiny.clone();
        bytes[at] ^= flip;
        match catch_unwind(AssertUnwindSafe(|| survives(&bytes, i % 2 == 0))) {
            Ok(Ok(())) => survived += 1,
            Ok(Err(Error::Internal { what, message })) => {
                panic!("byte {at} ^ {flip:#x}: {what}: {message}")
            }
            Ok(Err(_)) => {}
            Err(_) => panic!("byte {at} ^ {flip:#x} panics"),
        }
    }
    survived
}

#[test]
fn flipped_bytes_in_the_header_never_panic() {
    let end = header(&tiny()).data_offset as usize;
    let survived = flip(0, end, 200);
    // Part of a header is text that is never read, but most of it is used.
    assert!((25..100).contains(&survived), "{survived} of 200 load");
    // The fields that everything else depends on.
    flip(0, 24, 60);
}

#[test]
fn flipped_bytes_in_the_weights_never_panic() {
    let (tiny, from) = (tiny(), header(&tiny()).data_offset as usize);
    let survived = flip(from, tiny.len(), 60);
    assert!((50..=60).contains(&survived), "{survived} of 60 load");
}

#[test]
fn absurd_counts_are_refused_at_once() {
    let tiny = tiny();
    // Tensor count, metadata count, and the length of the first key.
    for at in [8, 16, 24] {
        for count in [u64::MAX, 1 << 63, 1 << 40, 1 << 28] {
            let mut bytes = tiny.clone();
            bytes[at..at + 8].copy_from_slice(&count.to_le_bytes());
            for error in errors(&bytes) {
                assert_eq!(error.code(), "bad_file", "{at}: {count}: {error}");
            }
        }
    }
    for (key, value) in [
        ("llama.block_count", 0),
        ("llama.block_count", u32::MAX),
        ("llama.embedding_length", 0),
        ("llama.embedding_length", u32::MAX),
        ("llama.attention.head_count", 0),
        ("llama.attention.head_count", u32::MAX),
        ("llama.attention.head_count_kv", 0),
        ("llama.attention.head_count_kv", 3),
        ("llama.feed_forward_length", u32::MAX),
        ("llama.context_length", 0),
        ("llama.rope.dimension_count", 17),
        ("llama.rope.dimension_count", 18),
    ] {
        for error in errors(&TinyFile::read().set(key, Value::U32(value)).bytes()) {
            let Error::Metadata { key: named, .. } = &error else {
                panic!("{key} = {value}: {error}");
            };
            assert_eq!(named, key, "{error}");
        }
    }
    let mut file = TinyFile::read();
    file.tensor("output.weight").shape = vec![64, 1 << 60];
    for error in errors(&file.bytes()) {
        assert!(
            ["bad_file", "truncated_file"].contains(&error.code()),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_architecture_lists_the_known_ones() {
    let file = TinyFile::read().set("general.architecture", Value::String("mamba".into()));
    for error in errors(&file.bytes()) {
        assert_eq!(error.code(), "unsupported_architecture", "{error}");
        let message = error.to_string();
        assert!(
            message.contains("\"mamba\"") && message.contains("llama"),
            "{message}"
        );
    }
}

/// Returns files with one tensor in Q5_0, and in a type that does not exist.
fn unsupported() -> [(Vec<u8>, &'static str); 2] {
    let name = "blk.1.attn_k.weight";
    let mut q8_1 = TinyFile::read();
    *q8_1.tensor(name) = TensorData {
        name: name.into(),
        shape: vec![64, 32],
        type_id: GgmlType::Q8_1.id(),
        data: vec![0; 64 * 32 / 32 * 36],
    };
    let mut unknown = TinyFile::read();
    unknown.tensor(name).type_id = 99;
    [(q8_1.bytes(), "Q8_1"), (unknown.bytes(), "99")]
}

#[test]
fn an_unsupported_quant_names_the_tensor() {
    for (bytes, name) in unsupported() {
        for error in errors(&bytes) {
            assert_eq!(error.code(), "unsupported_quant", "{error}");
            for part in [name, "blk.1.attn_k.weight", "Q4_0", "Q4_1", "Q8_0"] {
                assert!(error.to_string().contains(part), "{error}");
            }
        }
    }
}

#[test]
fn every_tensor_is_missed_and_its_shape_checked() {
    let file = TinyFile::read();
    for t in &file.tensors {
        let mut without = file.clone();
        without.tensors.retain(|other| other.name != t.name);
        if t.name == "output.weight" {
            // The embedding is used instead.
            load(cpu(), &without.bytes(), 64, 4096).unwrap();
        } else {
            let name = t.name.clone();
            let error = error(cpu(), &without.bytes());
            assert_eq!(error, Error::MissingTensor { name });
        }
        // Half of the tensor.
        let mut half = file.clone();
        let changed = half.tensor(&t.name);
        *changed.shape.last_mut().unwrap() /= 2;
        changed.data.truncate(t.data.len() / 2);
        let wrong = Error::TensorShape {
            name: t.name.clone(),
            found: changed.shape.clone(),
            expected: t.shape.clone(),
        };
        match error(cpu(), &half.bytes()) {
            // Fewer rows than tokens.
            Error::Metadata { key, .. } if t.name == "token_embd.weight" => {
                assert_eq!(key, "tokenizer.ggml.tokens");
            }
            error => assert_eq!(error, wrong),
        }
    }
}

#[test]
fn more_tokens_than_embeddings_are_refused() {
    let mut file = TinyFile::read();
    let tokens = file.metadata.strings("tokenizer.ggml.tokens");
    let mut tokens = tokens.unwrap().to_vec();
    let types = file.metadata.i32s("tokenizer.ggml.token_type");
    let mut types = types.unwrap().to_vec();
    tokens.push("one too many".into());
    types.push(1);
    file = file.set("tokenizer.ggml.tokens", Value::Array(Array::String(tokens)));
    file = file.set("tokenizer.ggml.token_type", Value::Array(Array::I32(types)));
    for error in errors(&file.bytes()) {
        let Error::Metadata { key, found, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((&key[..], &found[..]), ("tokenizer.ggml.tokens", "321"));
    }
}

#[test]
fn a_cache_beyond_the_binding_limit_is_refused() {
    let Some(device) = open(On::PlainGpu) else {
        return;
    };
    let limit = device.info().limits.max_storage_buffer_binding_size;
    let file = TinyFile::read().set("llama.context_length", Value::U32(1 << 26));
    // 2 heads of 16 f16 values per position.
    let context = limit as usize / 64 + 1;
    let error = load(device.clone(), &file.bytes(), context, 4096).err();
    let expected = Error::OutOfMemory {
        what: format!("the KV cache of {context} tokens"),
        needed: context as u64 * 64,
        available: limit,
    };
    assert_eq!(error, Some(expected));
    assert_still_loads(&device);
}

#[test]
fn after_an_error_the_device_is_as_good_as_new() {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = open(on) else { continue };
        let tiny = tiny();
        let cut = &tiny[..tiny.len() - 100];
        let mut found = vec![error(device.clone(), cut).code()];
        found.extend(
            load_unsized(device.clone(), cut, 4096)
                .err()
                .map(|e| e.code()),
        );
        for (bytes, _) in unsupported() {
            found.push(error(device.clone(), &bytes).code());
        }
        // Noticed only when the whole file has arrived.
        let mut file = TinyFile::read();
        file.tensor("output_norm.weight").shape = vec![32];
        found.push(error(device.clone(), &file.bytes()).code());
        let (cut, quant) = ("truncated_file", "unsupported_quant");
        assert_eq!(found, [cut, cut, quant, quant, "tensor_shape"], "{on:?}");
        assert_still_loads(&device);
    }
}

#[test]
fn the_chunks_size_does_not_matter() {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = open(on) else { continue };
        let tiny = tiny();
        let mut whole = load(device.clone(), &tiny, 64, usize::MAX).unwrap();
        let whole = logits(&mut whole);
        for chunk in [1, 7, 4096] {
            let mut engine = load(device.clone(), &tiny, 64, chunk).unwrap();
            assert_eq!(logits(&mut engine), whole, "{on:?}, chunks of {chunk}");
        }
        let mut engine = load_unsized(device, &tiny, 4096).unwrap();
        assert_eq!(logits(&mut engine), whole, "{on:?}, length unknown");
    }
}

/// A few kilobytes that claim terabytes, from a source that does not announce its length.
#[test]
fn claims_beyond_memory_are_refused() {
    let mut file = TinyFile::read().set("llama.embedding_length", Value::U32(1 << 17));
    file.tensors.truncate(1);
    file.tensors[0].type_id = GgmlType::F32.id();
    file.tensors[0].shape = vec![1 << 17, 1 << 22];
    let error = load_unsized(cpu(), &file.bytes(), 4096).err().unwrap();
    assert_ne!(error.code(), "internal_error", "{error}");
}
