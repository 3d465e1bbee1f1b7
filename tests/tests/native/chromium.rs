//! The families that Chromium runs on every change: the shaders of the others consist of the same modules, with the same switches.
//!
//! `tests/e2e/support/chromium-families.json` lists them for the browser's tests. With HEARTH_UPDATE_CHROMIUM set, the test writes the
//! list instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hearth::model::outline::{OutlineOptions, Step, outline};
use hearth::ops::kernel::Kernel;
use hearth::ops::{KvType, Tuning};
use hearth_tests::header;
use hearth_tests::manifest::{self, About, Kind};

/// Numbers in a kernel's header that choose code, unlike sizes.
const CHOICES: [&str; 8] = [
    "ACTIVATION",
    "NORM",
    "GATING",
    "KV_PARTS",
    "KEPT_PARTS",
    "QUERY_HEADS",
    "HEAD_GATES",
    "TAPS",
];
const STEPS: [Step; 4] = [
    Step::Decode,
    Step::Drafts,
    Step::Prefill(5),
    Step::Prefill(64),
];

/// Returns a kernel's modules and switches.
fn kind(kernel: &Kernel) -> String {
    let modules: Vec<&str> = kernel.modules().iter().map(|module| module.name).collect();
    let text = kernel.text();
    let choices = text.lines().filter(|line| {
        let name = line
            .strip_prefix("const ")
            .and_then(|rest| rest.split(':').next());
        name.is_some_and(|name| line.contains(": bool = ") || CHOICES.contains(&name))
    });
    format!(
        "{} {}",
        modules.join("+"),
        choices.collect::<Vec<_>>().join(" ")
    )
}

/// Returns the kinds of kernels of a golden's steps.
fn kinds(golden: &manifest::Golden) -> BTreeSet<String> {
    let gguf = header(&std::fs::read(golden.model()).unwrap());
    let launches = STEPS.iter().flat_map(|step| {
        let options = OutlineOptions {
            tuning: Tuning::LARGE_GPU,
            step: *step,
            context_size: Some(256),
            kv_type: KvType::F32,
            positions: None,
            filters: false,
        };
        outline(&gguf, options).unwrap()
    });
    launches.map(|launch| kind(&launch.kernel)).collect()
}

/// Chooses families until all kinds of kernels are among theirs, the one that adds most first.
fn chosen(mut left: BTreeMap<&str, BTreeSet<String>>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    loop {
        let most = left.iter().max_by_key(|(_, kinds)| kinds.len());
        let Some((name, found)) = most.filter(|(_, kinds)| !kinds.is_empty()) else {
            return names;
        };
        names.insert((*name).to_owned());
        let found = found.clone();
        for kinds in left.values_mut() {
            kinds.retain(|kind| !found.contains(kind));
        }
    }
}

#[test]
fn chromium_compiles_every_kind_of_shader() {
    let path = Path::new(env!("HEARTH_ROOT")).join("tests/e2e/support/chromium-families.json");
    let families = manifest::of(Kind::Family);
    let all: BTreeMap<&str, BTreeSet<String>> = families
        .iter()
        .filter(|golden| golden.about != Some(About::Epsilon))
        .map(|golden| (golden.name.as_str(), kinds(golden)))
        .collect();
    if std::env::var_os("HEARTH_UPDATE_CHROMIUM").is_some() {
        let names = chosen(all);
        let text = serde_json::to_string_pretty(&names).unwrap();
        std::fs::write(path, text + "\n").unwrap();
        return;
    }
    let listed: BTreeSet<String> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let covered: BTreeSet<&String> = listed
        .iter()
        .flat_map(|name| {
            all.get(name.as_str())
                .unwrap_or_else(|| panic!("{name} is no family"))
        })
        .collect();
    for (name, kinds) in &all {
        let missing: Vec<_> = kinds
            .iter()
            .filter(|kind| !covered.contains(kind))
            .collect();
        assert!(missing.is_empty(), "{name} alone has {missing:#?}");
    }
}
