//! Checks that the tables of docs/guide/models.md match the registries, and that each claim in them has a golden that
//! the tests run.
//!
//! With HEARTH_UPDATE_README set, the test writes the tables instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hearth_modelfile::container::GgmlType;
use hearth_modelfile::families::FAMILIES;
use hearth_modelfile::files::folder;
use hearth_modelfile::quant::{Packing, block_format};
use hearth_tests::manifest::{self, Kind};
use hearth_tests::{goldens, header};

/// Returns, by architecture, the storage types of matrices in its goldens.
fn covered() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut covered: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    let kinds = [Kind::Tiny, Kind::Family, Kind::Embedding];
    for golden in kinds.into_iter().flat_map(manifest::of) {
        let gguf = header(&std::fs::read(golden.model()).unwrap());
        let architecture = gguf.metadata.str("general.architecture").unwrap();
        let matrices = gguf.tensors.iter().filter(|t| t.n_rows() > 1);
        let types = covered.entry(architecture.to_owned()).or_default();
        types.extend(matrices.map(|t| t.dtype.name()));
    }
    covered
}

/// Returns the architecture of a file, or of a folder.
fn architecture(path: PathBuf) -> String {
    let (files, _) = folder::open(&path).unwrap();
    let metadata = files.join().unwrap().0.metadata;
    metadata.str("general.architecture").unwrap().to_owned()
}

/// Returns the architectures of the folders among the goldens.
fn in_folders() -> BTreeSet<String> {
    let kinds = [Kind::Folder, Kind::EmbeddingFolder, Kind::Rerank];
    let all = kinds.into_iter().flat_map(manifest::of);
    let folders = all
        .map(|golden| golden.model())
        .filter(|path| path.is_dir());
    // (of models that compare pictures with texts, whose test is their own)
    let more = ["clip", "siglip"].map(|kind| goldens().join(format!("captions/captions_{kind}")));
    folders.chain(more).map(architecture).collect()
}

/// Returns the architectures whose GGUF goldens Chromium runs on WebGPU on every change, and those that it runs in complete runs.
fn in_chromium() -> [BTreeSet<String>; 2] {
    let path = Path::new(env!("HEARTH_ROOT")).join("tests/e2e/support/chromium-families.json");
    let listed: BTreeSet<String> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut always, mut complete) = (BTreeSet::new(), BTreeSet::new());
    // (tests/e2e/specs/core: tiny.spec.ts and embeddings.spec.ts run theirs on every change, families.spec.ts those that are listed)
    for kind in [Kind::Tiny, Kind::Embedding, Kind::Family] {
        for golden in manifest::of(kind) {
            let runs = kind != Kind::Family || listed.contains(&golden.name);
            let architecture = architecture(golden.model());
            if runs {
                always.insert(architecture);
            } else {
                complete.insert(architecture);
            }
        }
    }
    [always, complete]
}

fn families() -> String {
    let (covered, in_folders, [always, complete]) = (covered(), in_folders(), in_chromium());
    let mut out = "| architecture | models | storage types in its GGUF golden | folder | Chromium |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for spec in FAMILIES {
        let types = match covered.get(spec.name) {
            Some(types) => {
                let all = GgmlType::supported_names().into_iter();
                let ordered = all.filter(|name| types.contains(name));
                ordered.collect::<Vec<_>>().join(", ")
            }
            None if in_folders.contains(spec.name) => "none".to_owned(),
            None => panic!("{} has no golden", spec.name),
        };
        assert!(!spec.models.is_empty(), "{}", spec.name);
        let folder = match (in_folders.contains(spec.name), spec.checkpoints) {
            (true, _) => "yes",
            (false, []) => "",
            (false, _) => "untested",
        };
        let browser = match (always.contains(spec.name), complete.contains(spec.name)) {
            (true, _) => "yes",
            (false, true) => "`--full`",
            (false, false) => "",
        };
        out += &format!(
            "| `{}` | {} | {types} | {folder} | {browser} |\n",
            spec.name, spec.models
        );
    }
    out
}

fn quants() -> String {
    let run: BTreeSet<&str> = covered().into_values().flatten().collect();
    let mut out = "| storage type | bits in the file | on the device | bits there |\n| --- | --- | --- | --- |\n".to_owned();
    for name in GgmlType::supported_names() {
        assert!(run.contains(name), "no golden has a matrix in {name}");
        let dtype = GgmlType::ALL
            .iter()
            .find(|dtype| dtype.name() == name)
            .unwrap();
        let packing = block_format(*dtype, name).unwrap().packing();
        let file = 8.0 * dtype.block_bytes() as f64 / dtype.block_len() as f64;
        let words = packing.quant_words_per_block() + packing.scale_words_per_block();
        let device = 32.0 * words as f64 / packing.block_len() as f64;
        let what = match packing {
            Packing::F32 | Packing::F16 | Packing::BF16 => "as it is",
            Packing::Q2 => "two bits, scale and minimum for 16",
            Packing::Q3 => "two bits and a plane of third ones, a scale for 16",
            Packing::Iq4 | Packing::Fp4 => "nibbles, a scale for 32, looked up",
            Packing::Q4 => "nibbles, scale and minimum for 32",
            Packing::Q4S => "nibbles, a scale for 32",
            Packing::Q4K => "nibbles, scale and minimum for 32, of 6 bits",
            Packing::Q5 => "nibbles and a plane of bits, scale and minimum for 32",
            Packing::Q6 => "nibbles and planes of two bits, a scale for 16, of 8 bits",
            Packing::Q8 => "bytes, a scale for 32",
            Packing::Q1 => "bits, a scale for 128",
            Packing::Q2S => "two bits, a scale for 64",
            Packing::Iq2Xxs | Packing::Iq2Xs | Packing::Iq2S | Packing::Iq3Xxs | Packing::Iq3S => {
                "as it is, in whole words"
            }
            Packing::Nvfp4 => "nibbles, a scale for 16, looked up",
            Packing::Iq1 => "as it is, a scale for 16",
        };
        out += &format!("| {name} | {file:.2} | {what} | {device:.2} |\n");
    }
    out
}

/// Checks that what a cell claims is what these tests run, each over all goldens of its kinds; without them the tables would be lists of wishes.
#[test]
fn the_tests_behind_the_tables_run_all_goldens_of_their_kinds() {
    let root = Path::new(env!("HEARTH_ROOT")).join("tests");
    for (file, parts) in [
        // Each family's GGUF file on GPU and CPU, and each folder.
        (
            "tests/native/families.rs",
            &["manifest::of(Kind::Family)", "On::Cpu", "On::Gpu"][..],
        ),
        (
            "tests/native/safetensors.rs",
            &["manifest::of(Kind::Folder)"],
        ),
        (
            "tests/native/embeddings.rs",
            &[
                "Kind::Embedding",
                "Kind::EmbeddingFolder",
                "On::Cpu",
                "On::Gpu",
            ],
        ),
        (
            "tests/native/reranking.rs",
            &["manifest::of(Kind::Rerank)", "On::Cpu", "On::Gpu"],
        ),
        (
            "e2e/specs/core/families.spec.ts",
            &["goldensOf(\"family\")", "chromium-families.json"],
        ),
        (
            "e2e/specs/core/embeddings.spec.ts",
            &["goldensOf(\"embedding\")"],
        ),
    ] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        for part in parts {
            assert!(text.contains(part), "{file} has no {part}");
        }
    }
}

#[test]
fn the_tables_are_those_of_the_registries() {
    let path = Path::new(env!("HEARTH_ROOT")).join("docs/guide/models.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let mut updated = readme.clone();
    for (name, table) in [("families", families()), ("quants", quants())] {
        let (begin, end) = (
            format!("<!-- {name} -->\n\n"),
            format!("\n<!-- /{name} -->"),
        );
        let from = updated.find(&begin).expect("the table's beginning") + begin.len();
        let to = from + updated[from..].find(&end).expect("the table's end");
        updated.replace_range(from..to, &table);
    }
    if std::env::var_os("HEARTH_UPDATE_README").is_some() {
        std::fs::write(&path, &updated).unwrap();
    } else {
        assert!(
            readme == updated,
            "docs/guide/models.md is behind: run this test with HEARTH_UPDATE_README=1"
        );
    }
}
