//! The manifest of goldens names every file of theirs, and no other.

use std::collections::BTreeMap;
use std::path::Path;

use hearth_tests::goldens;
use hearth_tests::manifest::{self, About, Kind};

/// Files about the goldens, which belong to none of them.
const INDEXES: [&str; 2] = ["manifest.json", "SHA256SUMS"];

/// Returns the paths of the files in a folder, relative to the folder of goldens.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let path = path.strip_prefix(goldens()).unwrap();
            found.push(path.to_str().unwrap().replace('\\', "/"));
        }
    }
    found
}

#[test]
fn every_file_belongs_to_one_golden() {
    let mut owners: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for golden in manifest::all() {
        let mut own = vec![golden.expected.clone()];
        own.extend(golden.compare.values().cloned());
        if golden.model.is_some() {
            match golden.model() {
                path if path.is_dir() => own.extend(files(&path)),
                _ => own.extend(golden.model.clone()),
            }
        }
        for file in own {
            owners.entry(file).or_default().push(&golden.name);
        }
    }
    let shared: Vec<_> = owners.iter().filter(|(_, names)| names.len() > 1).collect();
    assert!(shared.is_empty(), "{shared:?}");
    let mut found = files(&goldens());
    found.retain(|file| !INDEXES.contains(&file.as_str()));
    found.sort();
    assert_eq!(found, owners.into_keys().collect::<Vec<_>>());
}

/// Tests take whole kinds from the manifest, and must not run nothing when one is empty.
#[test]
fn no_kind_is_empty() {
    for (kind, least) in [
        (Kind::Quants, 1),
        (Kind::Templates, 1),
        (Kind::Tokenizer, 9),
        (Kind::Tiny, 2),
        (Kind::Family, 18),
        (Kind::Folder, 18),
        (Kind::Embedding, 5),
        (Kind::EmbeddingFolder, 1),
        (Kind::Rerank, 3),
        (Kind::Adapter, 4),
        (Kind::Real, 4),
    ] {
        let found = manifest::of(kind);
        assert!(found.len() >= least, "{kind:?}: {}", found.len());
        for golden in found {
            let is_family = kind == Kind::Family;
            assert_eq!(golden.about.is_some(), is_family, "{}", golden.name);
        }
    }
    let families = manifest::of(Kind::Family);
    for about in [About::Architecture, About::StorageTypes, About::Epsilon] {
        assert!(families.iter().any(|f| f.about == Some(about)), "{about:?}");
    }
}
