//! Models that are not one GGUF file: safetensors folders, split files, separate experts, and floats quantised at
//! load.

use std::path::{Path, PathBuf};

use hearth::{Engine, Error, LoadOptions};
use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{GgmlType, Metadata, Parsed, Value, safetensors};
use hearth_modelfile::files::folder;
use hearth_modelfile::quant::block_format;
use hearth_modelfile::quant::quantize::{Quantize, quantize_q4_1, quantize_q8_0};
use hearth_tests::compare::assert_near;
use hearth_tests::manifest::{self, Kind};
use hearth_tests::reference::{check_engine, check_prompts};
use hearth_tests::{
    On, TinyFile, borrow, exact, golden_bytes, goldens, header, load_files, load_with, open,
};
use pollster::block_on;

fn check_folders(on: On, names: &[&str]) {
    for name in names {
        let Some(device) = borrow(on, |_| ()) else {
            return;
        };
        let mut engine = load_files(device.clone(), &manifest::named(name).model(), exact(256))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        check_prompts(name, &engine);
        // Floats are exact; the CPU rounds the factors that blocks are multiplied with.
        let tolerance = match (on, *name) {
            (On::Cpu, "hf_gpt_oss_mxfp4") => 5e-3,
            _ => 2e-4,
        };
        check_engine(name, on, &mut engine, tolerance);
        block_on(engine.close());
    }
}

#[test]
fn folders_on_the_cpu() {
    let folders = manifest::of(Kind::Folder).into_iter();
    let names: Vec<_> = folders.map(|folder| folder.name.as_str()).collect();
    check_folders(On::Cpu, &names);
}

/// A folder converts to the same weights on every device, so on the GPU each way of storing and each way of
/// transposing weights is tested once: BF16, F16, F32 in two files, by columns, MXFP4, experts, a part of a larger
/// model, norms of groups, FP8.
#[test]
fn folders_on_the_gpu() {
    check_folders(
        On::Gpu,
        &[
            "hf_qwen2",
            "hf_qwen3",
            "hf_llama3",
            "hf_gpt2",
            "hf_gpt_oss_mxfp4",
            "hf_mixtral",
            "hf_gemma3_seeing",
            "hf_granite_hybrid",
            "hf_qwen3_fp8",
        ],
    );
}

/// Writes the tensors of a safetensors file in another order: those that `last` names behind all others.
fn reordered(path: &Path, last: impl Fn(&str) -> bool) {
    let bytes = std::fs::read(path).unwrap();
    let len = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let (json, data) = bytes[8..].split_at(len);
    let mut entries: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(json).unwrap();
    let mut names: Vec<String> = entries.keys().cloned().collect();
    names.retain(|name| name != "__metadata__");
    names.sort_by_key(|name| last(name));
    let mut moved = Vec::new();
    for name in names {
        let offsets = &mut entries[&name]["data_offsets"];
        let [from, to] = [0, 1].map(|i| offsets[i].as_u64().unwrap() as usize);
        let at = moved.len();
        moved.extend_from_slice(&data[from..to]);
        *offsets = serde_json::json!([at, moved.len()]);
    }
    let json = serde_json::to_vec(&entries).unwrap();
    let len = (json.len() as u64).to_le_bytes();
    std::fs::write(path, [&len[..], &json[..], &moved[..]].concat()).unwrap();
}

/// Shows that scales may come after the weights that need them, where a model is divided between two files.
#[test]
fn scales_of_8_bit_floats_may_come_after_them() {
    let folder = copy_of("hf_qwen3_fp8", "late");
    reordered(&folder.join("model.safetensors"), |name| {
        name.ends_with("_scale_inv")
    });
    let Some(device) = open(On::Cpu) else { return };
    let mut engine = load_files(device, &folder, exact(256)).unwrap();
    check_engine("hf_qwen3_fp8", On::Cpu, &mut engine, 2e-4);
    std::fs::remove_dir_all(folder).unwrap();
}

/// Quantising 8-bit floats at load gives what BF16 of the same values gives.
#[test]
fn eight_bit_floats_are_made_smaller_at_load() {
    let device = || open(On::Cpu).expect("the CPU always opens");
    let folder = manifest::named("hf_llama3_fp8").model();
    let options = LoadOptions {
        quantize: Some(Quantize::Q8),
        ..exact(256)
    };
    let mut quantised = load_files(device(), &folder, options).unwrap();
    let mut whole = load_files(device(), &folder, exact(256)).unwrap();
    let [small, large] = [&quantised, &whole].map(|engine| engine.info().weight_bytes as f64);
    // 36 bytes for 64
    assert!(small < 0.6 * large, "{small} of {large}");
    let ids: Vec<u32> = (1..60).map(|i| i * 5 % 300).collect();
    let logits = |engine: &mut Engine| block_on(engine.logits(&ids)).unwrap();
    let alike = cosine(&logits(&mut quantised), &logits(&mut whole));
    println!("cosine {alike}");
    assert!(alike > 0.998, "cosine {alike}");
}

/// Copies a folder of F32 and rounds its matrices as quantised blocks would be.
fn rounded(from: &Path, quantize: Quantize) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hearth-{quantize:?}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let dtype = match quantize {
        Quantize::Q8 => GgmlType::Q8_0,
        Quantize::Q4 => GgmlType::Q4_1,
    };
    let blocks = |x: &[f32]| match quantize {
        Quantize::Q8 => quantize_q8_0(x),
        Quantize::Q4 => quantize_q4_1(x),
    };
    let format = block_format(dtype, "").unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|e| e == "safetensors") {
            let Ok(Parsed::Header(header)) = safetensors::parse(&bytes, None) else {
                panic!("no header");
            };
            for t in header.tensors.iter().filter(|t| t.shape.len() == 2) {
                let range = t.offset as usize..(t.offset + t.size) as usize;
                let read = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                let mut values: Vec<f32> = bytes[range.clone()].chunks_exact(4).map(read).collect();
                format.dequantize(&blocks(&values), &mut values).unwrap();
                let rounded = values.iter().flat_map(|v| v.to_le_bytes());
                bytes.splice(range, rounded);
            }
        }
        std::fs::write(folder.join(path.file_name().unwrap()), bytes).unwrap();
    }
    folder
}

/// Cosine similarity of two lists of logits: 1 if they are the same.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Quantising at load gives the same result as a file whose floats already had the quantised values.
#[test]
fn floats_are_made_smaller_at_load() {
    let from = goldens().join("folders/hf_llama3");
    for quantize in [Quantize::Q8, Quantize::Q4] {
        let folder = rounded(&from, quantize);
        for (on, tolerance) in [(On::Cpu, 1.3e-2), (On::Gpu, 1e-5)] {
            let Some(device) = open(on) else { return };
            let options = LoadOptions {
                quantize: Some(quantize),
                ..exact(256)
            };
            let mut engine = load_files(device.clone(), &from, options).unwrap();
            let mut kept = load_files(device.clone(), &folder, exact(256)).unwrap();
            let (bytes, floats) = (engine.info().weight_bytes, kept.info().weight_bytes);
            // 36 and 20 bytes for 128
            let share = [0.29, 0.16][(quantize == Quantize::Q4) as usize];
            assert!(
                (bytes as f64) < share * floats as f64,
                "{bytes} of {floats}"
            );
            let ids: Vec<u32> = (1..60).map(|i| i * 5 % 300).collect();
            let logits = |engine: &mut Engine| block_on(engine.logits(&ids)).unwrap();
            let (found, expected) = (logits(&mut engine), logits(&mut kept));
            let what = format!("{quantize:?} on {on:?}");
            assert_near(&what, &found, &expected, tolerance);
            // Also compared with the unquantised floats: the numbers on answer quality in BENCHMARKS.
            let mut floats = load_files(device, &from, exact(256)).unwrap();
            let alike = cosine(&found, &logits(&mut floats));
            println!("{what}: cosine {alike}");
            // (a tiny model of random weights: a real one loses far less)
            let least = [0.998, 0.8][(quantize == Quantize::Q4) as usize];
            assert!(alike > least, "{what}: cosine {alike}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// A router is small, but its errors matter: it is not quantised.
#[test]
fn routers_are_not_made_smaller() {
    let folder = goldens().join("folders/hf_mixtral");
    let (header, _) = folder::open(&folder).unwrap().0.join().unwrap();
    let matrices = header.tensors.iter().filter(|t| t.n_rows() > 1);
    let bytes = matrices.map(|t| {
        let elements = t.n_cols() * t.n_rows();
        match t.name.contains("ffn_gate_inp") {
            true => 2 * elements,
            // Two blocks of 32 share a word for their scales; rows are padded to two.
            false => t.n_rows() * (t.n_cols() / 32).next_multiple_of(2) * 34,
        }
    });
    let device = open(On::Cpu).expect("the CPU always opens");
    let options = LoadOptions {
        quantize: Some(Quantize::Q8),
        ..exact(64)
    };
    let engine = load_files(device, &folder, options).unwrap();
    assert_eq!(engine.info().weight_bytes, bytes.sum::<u64>());
}

/// Splits the tiny model into files of `each` tensors.
fn split(name: &str, each: usize) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hearth-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = TinyFile::read();
    let n = file.tensors.len().div_ceil(each);
    let path = |i: usize| folder.join(format!("tiny-{:05}-of-{n:05}.gguf", i + 1));
    for (i, tensors) in file.tensors.chunks(each).enumerate() {
        let metadata = if i == 0 {
            file.metadata.clone()
        } else {
            Metadata::default()
        };
        let mut part = TinyFile {
            metadata,
            tensors: tensors.to_vec(),
        };
        part = part.set("split.no", Value::U16(i as u16));
        part = part.set("split.count", Value::U16(n as u16));
        std::fs::write(path(i), part.bytes()).unwrap();
    }
    path(0)
}

#[test]
fn a_split_file_is_one_model() {
    let first = split("whole", 7);
    for (on, tolerance) in [(On::Cpu, 2e-2), (On::Gpu, 1.3e-4)] {
        let Some(device) = open(on) else { return };
        let mut engine = load_files(device, &first, exact(256)).unwrap();
        check_engine("tiny_llama", on, &mut engine, tolerance);
    }
    std::fs::remove_dir_all(first.parent().unwrap()).unwrap();
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let first = split("broken", 9);
    let folder = first.parent().unwrap();
    let device = || open(On::Cpu).expect("the CPU always opens");
    let load = || load_files(device(), &first, exact(256)).map(|_| ());
    let second = folder.join(
        first
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .replace("00001", "00002"),
    );
    let whole = std::fs::read(&second).unwrap();

    std::fs::copy(&first, &second).unwrap();
    assert!(matches!(load(), Err(Error::Metadata { .. })));
    std::fs::write(&second, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(load().unwrap_err().code(), "truncated_file");
    std::fs::write(&second, &whole[..40]).unwrap();
    assert_eq!(load().unwrap_err().code(), "truncated_file");
    std::fs::remove_file(&second).unwrap();
    assert_eq!(load().unwrap_err().code(), "io_error");
    std::fs::write(&second, &whole).unwrap();
    load().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

/// Copies a golden's folder so that it can be changed.
fn copy_of(name: &str, to: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hearth-{to}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(manifest::named(name).model()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    folder
}

/// Folders that lack their texts, have invalid texts, or are of an unknown family.
#[test]
fn folders_that_lack_something_say_what() {
    let folder = copy_of("hf_qwen2", "folder");
    let load = || {
        let device = open(On::Cpu).expect("the CPU always opens");
        load_files(device, &folder, exact(256)).map(|_| ())
    };
    load().unwrap();
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let cases = [
        ("{", "bad_file"),
        ("[]", "bad_file"),
        ("{}", "bad_metadata"),
        (r#"{"model_type": "mamba"}"#, "unsupported_architecture"),
    ];
    for (text, code) in cases {
        std::fs::write(folder.join("config.json"), text).unwrap();
        assert_eq!(load().unwrap_err().code(), code, "{text}");
    }
    for (from, to, code) in [
        ("\"hidden_size\": 64", "\"hidden_size\": -1", "bad_metadata"),
        ("\"hidden_size\": 64", "\"hidden_size\": 96", "tensor_shape"),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 3",
            "missing_tensor",
        ),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 0",
            "bad_metadata",
        ),
    ] {
        assert!(config.contains(from), "{from}");
        std::fs::write(folder.join("config.json"), config.replace(from, to)).unwrap();
        assert_eq!(load().unwrap_err().code(), code, "{to}");
    }
    std::fs::write(folder.join("config.json"), &config).unwrap();
    for text in [
        "{}",
        r#"{"model": {"type": "WordLevel", "vocab": {"a": 0}}}"#,
    ] {
        std::fs::write(folder.join("tokenizer.json"), text).unwrap();
        assert_eq!(load().unwrap_err().code(), "tokenizer_error", "{text}");
    }
    std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
    assert_eq!(load().unwrap_err().code(), "io_error");
    std::fs::remove_dir_all(folder).unwrap();
}

/// gpt-oss with inconsistent tensors, or with features that gpt-oss does not have; weights quantised by other tools.
#[test]
fn gpt_oss_that_is_something_else_says_what() {
    let folder = copy_of("hf_gpt_oss_mxfp4", "oss");
    let load = || {
        let device = open(On::Cpu).expect("the CPU always opens");
        load_files(device, &folder, exact(256)).map(|_| ())
    };
    load().unwrap();
    for (file, from, to, code) in [
        (
            "config.json",
            "\"swiglu_limit\": 7.0",
            "\"swiglu_limit\": 9.0",
            "bad_metadata",
        ),
        (
            "config.json",
            "\"truncate\": false",
            "\"truncate\": true",
            "bad_metadata",
        ),
        ("config.json", "\"mxfp4\"", "\"awq\"", "bad_metadata"),
        (
            "model.safetensors",
            "1.mlp.experts.down_proj_scales",
            "1.mlp.experts.down_proj_scalez",
            "missing_tensor",
        ),
        (
            "model.safetensors",
            "1.mlp.experts.gate_up_proj_blocks",
            "1.mlp.experts.gate_up_proj_blockz",
            "missing_tensor",
        ),
        // The scales of down_proj: [n_experts, d_model, blocks]
        ("model.safetensors", "[4,64,3]", "[4,3,64]", "tensor_shape"),
        // gate_up_proj: different numbers of rows for gate and up
        (
            "model.safetensors",
            "[4,192,2,16]",
            "[4,96,4,16]",
            "tensor_shape",
        ),
    ] {
        let path = folder.join(file);
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        let at = whole.windows(from.len()).position(|w| w == from.as_bytes());
        let at = at.unwrap_or_else(|| panic!("{from}"));
        let mut to = to.as_bytes().to_vec();
        // (a header's length is stored in the file)
        if file != "config.json" {
            to.resize(from.len(), b' ');
        }
        changed.splice(at..at + from.len(), to);
        std::fs::write(&path, changed).unwrap();
        let error = load().unwrap_err();
        assert_eq!(error.code(), code, "{from}: {error}");
        std::fs::write(&path, whole).unwrap();
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// The first files of Phi 2 have queries, keys and values in one tensor, with one bias.
#[test]
fn queries_keys_and_values_may_come_in_one() {
    let bytes = golden_bytes("families/family_phi2.gguf");
    let gguf = header(&bytes);
    let mut writer = GgufWriter::new();
    for (key, value) in gguf.metadata.iter() {
        writer = writer.metadata(key, value.clone());
    }
    let data = |name: &str| {
        let t = gguf.tensor(name).unwrap();
        (t, &bytes[t.offset as usize..(t.offset + t.size) as usize])
    };
    for t in &gguf.tensors {
        let id = t.dtype.id();
        let part = ["attn_q.", "attn_k.", "attn_v."].map(|part| t.name.find(part));
        match part {
            [Some(_), _, _] => {
                let parts = ["attn_q.", "attn_k.", "attn_v."];
                let parts = parts.map(|part| data(&t.name.replace("attn_q.", part)));
                let mut shape = t.shape.clone();
                let rows = shape.last_mut().unwrap();
                *rows = parts.iter().map(|(t, _)| t.shape.last().unwrap()).sum();
                let name = t.name.replace("attn_q.", "attn_qkv.");
                let all = parts.map(|(_, data)| data).concat();
                writer = writer.raw_tensor(&name, &shape, id, None, &all);
            }
            [None, None, None] => {
                writer = writer.raw_tensor(&t.name, &t.shape, id, None, data(&t.name).1);
            }
            _ => {}
        }
    }
    let Some(device) = open(On::Cpu) else { return };
    let mut engine = load_with(device, &writer.finish(), exact(256), 1 << 18).unwrap();
    check_engine("family_phi2", On::Cpu, &mut engine, 4e-2);
}

/// Early Mixtral files have a separate tensor for each expert, as safetensors files do.
#[test]
fn experts_may_come_one_by_one() {
    let bytes = golden_bytes("families/family_mixtral.gguf");
    let gguf = header(&bytes);
    let mut writer = GgufWriter::new();
    for (key, value) in gguf.metadata.iter() {
        writer = writer.metadata(key, value.clone());
    }
    for t in &gguf.tensors {
        let data = &bytes[t.offset as usize..(t.offset + t.size) as usize];
        let id = t.dtype.id();
        if !t.name.contains("_exps.") {
            writer = writer.raw_tensor(&t.name, &t.shape, id, None, data);
            continue;
        }
        let (rows, experts) = (&t.shape[..2], t.shape[2] as usize);
        for (i, data) in data.chunks_exact(data.len() / experts).enumerate() {
            let name = t.name.replace("_exps.", &format!(".{i}."));
            writer = writer.raw_tensor(&name, rows, id, None, data);
        }
    }
    let bytes = writer.finish();
    for (on, tolerance) in [(On::Cpu, 3e-2), (On::Gpu, 1e-4)] {
        let Some(device) = open(on) else { return };
        let mut engine = load_with(device, &bytes, exact(256), 1 << 18).unwrap();
        check_engine("family_mixtral", on, &mut engine, tolerance);
    }
}
