//! Harmless errors in published files: each such file loads, and answers like the correct one. The benchmark is what
//! llama.cpp accepts.

use hearth::{Engine, Result};
use hearth_modelfile::container::{Array, Value};
use hearth_tests::{On, TinyFile, exact, greedy, load_with, open, prompts};

fn load(bytes: &[u8]) -> Result<Engine> {
    let device = open(On::Cpu).expect("the CPU always opens");
    load_with(device, bytes, exact(128), 1 << 20)
}

fn assert_answers(bytes: &[u8], what: &str) {
    let mut engine = load(bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
    let [chat, _] = prompts();
    let (ids, _) = greedy(&mut engine, &chat.ids, 8).unwrap();
    assert_eq!(ids, chat.greedy_ids[..8], "{what}");
}

/// Replaces a text in the tiny model's file with bytes of the same length.
fn with_bytes(file: &TinyFile, text: &str, bytes: &[u8]) -> Vec<u8> {
    let mut whole = file.bytes();
    assert_eq!(text.len(), bytes.len());
    let at = whole.windows(text.len()).position(|w| w == text.as_bytes());
    let at = at.unwrap_or_else(|| panic!("{text:?} is not there"));
    whole[at..at + bytes.len()].copy_from_slice(bytes);
    whole
}

#[test]
fn texts_that_nobody_reads_may_be_anything() {
    let text = |text: &str| Value::String(text.into());
    let tags = Value::Array(Array::String(vec!["marked-tag".into()]));
    let file = TinyFile::read()
        .set("general.description", text("marked description"))
        .set("general.tags", tags);
    let latin1 = with_bytes(&file, "marked description", b"made by M\xfcller, 05");
    assert_answers(&latin1[..], "a description in Latin-1");
    assert_answers(
        &with_bytes(&file, "marked-tag", b"caf\xe9\xff\xfe\xfd\xfc\xfb\xfa"),
        "a tag",
    );
}

#[test]
fn texts_and_keys_may_end_in_nul() {
    let nul = |text: &str| Value::String(format!("{text}\0"));
    let mut file = TinyFile::read()
        .set("general.architecture", nul("llama"))
        .set("tokenizer.ggml.model", nul("gpt2"));
    assert_answers(&file.bytes(), "values");
    let values: Vec<_> = (file.metadata.iter())
        .map(|(key, value)| (format!("{key}\0"), value.clone()))
        .collect();
    file.metadata = values.into_iter().collect();
    assert_answers(&file.bytes(), "keys");
}

#[test]
fn tokens_that_a_file_names_and_has_not_are_none() {
    for (name, value) in [
        ("unknown", Value::U32(99_999)),
        ("unknown", Value::U32(u32::MAX - 5)),
        ("bos", Value::U32(320)),
        ("bos", Value::I32(-1)),
        ("eot", Value::U32(320)),
        ("padding", Value::U32(99_999)),
        ("seperator", Value::U32(99_999)),
        // ("<|im_end|>" ends answers as well)
        ("eos", Value::U32(50_256)),
    ] {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let what = format!("{key} {value:?}");
        assert_answers(&TinyFile::read().set(&key, value).bytes(), &what);
    }
}

#[test]
fn numbers_may_be_given_for_each_layer() {
    let list = |numbers: &[u32]| Value::Array(Array::U32(numbers.to_vec()));
    let keys = [
        ("llama.attention.head_count", 4),
        ("llama.attention.head_count_kv", 2),
        ("llama.feed_forward_length", 160),
    ];
    for (key, number) in keys {
        let file = TinyFile::read();
        assert_eq!(file.metadata.u32(key).unwrap(), number);
        assert_answers(&file.set(key, list(&[number; 2])).bytes(), key);
        for other in [list(&[number; 3]), list(&[])] {
            let error = load(&TinyFile::read().set(key, other).bytes()).err();
            let error = error.unwrap_or_else(|| panic!("{key} is taken"));
            assert_eq!(error.code(), "bad_metadata");
            assert!(error.to_string().contains(key), "{error}");
        }
    }
}

/// Layer 1 gets each key and value head twice, and a feed-forward block with a further part of zeros: its results stay the same.
#[test]
fn layers_may_differ_in_their_sizes() {
    const HEAD: usize = 16;
    let mut file = TinyFile::read();
    for name in ["blk.1.attn_k.weight", "blk.1.attn_v.weight"] {
        let tensor = file.tensor(name);
        let rows = tensor.shape[1] as usize;
        let head = tensor.data.len() / rows * HEAD;
        let twice = tensor
            .data
            .chunks_exact(head)
            .flat_map(|head| [head, head].concat());
        (tensor.data, tensor.shape[1]) = (twice.collect(), 2 * rows as u64);
    }
    for name in ["blk.1.ffn_gate.weight", "blk.1.ffn_up.weight"] {
        let tensor = file.tensor(name);
        let row = tensor.data.len() / tensor.shape[1] as usize;
        tensor.data.extend(vec![0; 32 * row]);
        tensor.shape[1] += 32;
    }
    let down = file.tensor("blk.1.ffn_down.weight");
    let row = down.data.len() / down.shape[1] as usize;
    let block = row * 32 / down.shape[0] as usize;
    let rows = down.data.chunks_exact(row);
    down.data = rows
        .flat_map(|row| [row, &vec![0; block]].concat())
        .collect();
    down.shape[0] += 32;
    let list = |numbers: &[u32]| Value::Array(Array::U32(numbers.to_vec()));
    let file = file
        .set("llama.attention.head_count_kv", list(&[2, 4]))
        .set("llama.feed_forward_length", list(&[160, 192]));
    assert_answers(&file.bytes(), "on the CPU");
    let Some(gpu) = open(On::Gpu) else { return };
    let mut engine = load_with(gpu, &file.bytes(), exact(128), 1 << 20).unwrap();
    let [chat, _] = prompts();
    let (ids, _) = greedy(&mut engine, &chat.ids, 8).unwrap();
    assert_eq!(ids, chat.greedy_ids[..8]);
}

/// A gate on attention, for instance, or the norms of queries in the larger of two models of a family. What is no layer's, and what
/// old converters wrote, is skipped.
#[test]
fn tensors_of_layers_that_nobody_reads_are_refused() {
    let with = |name: &str| {
        let mut file = TinyFile::read();
        let mut tensor = file.tensor("blk.1.attn_norm.weight").clone();
        tensor.name = name.to_owned();
        file.tensors.push(tensor);
        file.bytes()
    };
    for name in ["blk.1.attn_q_norm.weight", "blk.0.attn_gate.weight"] {
        let error = load(&with(name)).err();
        let error = error.unwrap_or_else(|| panic!("{name} is taken"));
        assert!(error.to_string().contains(name), "{error}");
    }
    for name in [
        "blk.1.attn_rot_embd",
        "blk.2.nextn.enorm.weight",
        "v.blk.0.ln1.weight",
    ] {
        assert_answers(&with(name), name);
    }
}

/// A number that would make all others infinite or NaN is refused by name.
#[test]
fn numbers_that_cannot_be_computed_with_are_refused() {
    for (key, value) in [
        ("llama.attention.layer_norm_rms_epsilon", f32::NAN),
        ("llama.attention.layer_norm_rms_epsilon", f32::INFINITY),
        ("llama.attention.layer_norm_rms_epsilon", -1e-5),
        ("llama.attention.layer_norm_rms_epsilon", 0.0),
        ("llama.logit_scale", 0.0),
        ("llama.logit_scale", f32::NAN),
        ("llama.rope.freq_base", f32::INFINITY),
    ] {
        let error = load(&TinyFile::read().set(key, Value::F32(value)).bytes()).err();
        let error = error.unwrap_or_else(|| panic!("{key} = {value} is taken"));
        assert_eq!(error.code(), "bad_metadata", "{error}");
        assert!(error.to_string().contains(key), "{error}");
    }
}

/// In any type that takes a file's numbers as they are, whether the device sees NaN or turns it into a number.
#[test]
fn weights_that_are_not_numbers_are_refused_by_name() {
    let names: Vec<(String, u32)> = (TinyFile::read().tensors.iter())
        .map(|tensor| (tensor.name.clone(), tensor.type_id))
        .collect();
    let mut types = std::collections::BTreeSet::new();
    for (name, type_id) in &names {
        // Types whose blocks begin with a number, and the bits that make it NaN or infinite: F32, F16, Q4_0 to Q5_1,
        // Q8_0, BF16.
        let bits: &[&[u8]] = match type_id {
            0 => &[&[0, 0, 0xc0, 0x7f], &[0, 0, 0x80, 0xff]],
            1..=3 | 6..=8 => &[&[0x00, 0x7e], &[0x00, 0xfc]],
            30 => &[&[0xc0, 0x7f]],
            _ => continue,
        };
        types.insert(*type_id);
        for bits in bits {
            let mut file = TinyFile::read();
            file.tensor(name).data[..bits.len()].copy_from_slice(bits);
            let error = load(&file.bytes()).err();
            let error = error.unwrap_or_else(|| panic!("{name}: {bits:?} is taken"));
            assert_eq!(error.code(), "bad_file", "{name}: {error}");
            let by_name = error.to_string().contains(name) || *type_id == 2;
            assert!(by_name, "{name}: {error}");
        }
    }
    assert!(types.len() >= 4, "{types:?}");
}
