//! The manifest of goldens: their names, files, and the facts that tests choose and compare by. The generator of the
//! goldens writes it (`tests/goldens/generator/manifest.py`), and the browser tests read it, too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{golden, golden_f32, goldens};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    goldens: Vec<Golden>,
}

/// The subject of the results that a golden holds.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Quants,
    Templates,
    Tokenizer,
    /// Tiny Llamas.
    Tiny,
    /// Tiny GGUF models of the other architectures.
    Family,
    /// Tiny Hugging Face folders.
    Folder,
    Embedding,
    /// Tiny embedding models as Hugging Face folders, with sentence-transformers' files.
    EmbeddingFolder,
    /// Tiny models that rank documents.
    Rerank,
    /// Adapters of tiny models, as GGUF and as PEFT's folder in one, or results of several of them.
    Adapter,
    /// Published models, which are not in the repository.
    Real,
}

/// The property that a golden of [`Kind::Family`] is made to show.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum About {
    Architecture,
    StorageTypes,
    /// Norms of numbers so small that a wrong epsilon shows.
    Epsilon,
}

/// An entry of the manifest; paths are relative to the folder of goldens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    pub name: String,
    pub kind: Kind,
    /// A GGUF file, or a folder as Hugging Face has them; real models have none here.
    pub model: Option<String>,
    /// The file with the reference's results.
    pub expected: String,
    /// Files of floats that belong to `expected`, by what they hold: logits, embeddings or hidden states.
    #[serde(default)]
    pub compare: BTreeMap<String, String>,
    pub about: Option<About>,
    /// Ids at which an answer ends, while the reference continues.
    #[serde(default)]
    pub ends: Vec<u32>,
    /// Whether encoding a plain text puts a beginning of sequence in front, which the reference does in chats only.
    #[serde(default)]
    pub adds_bos: bool,
    /// Whether an embedding model is a decoder, which generates text as well.
    #[serde(default)]
    pub generates: bool,
}

impl Golden {
    /// Returns the path of the model.
    pub fn model(&self) -> PathBuf {
        let model = self.model.as_ref();
        goldens().join(model.unwrap_or_else(|| panic!("{} has no model", self.name)))
    }

    /// Reads the reference's results.
    pub fn expected<T: DeserializeOwned>(&self) -> T {
        golden(&self.expected)
    }

    /// Reads the file of floats with `what`.
    pub fn floats(&self, what: &str) -> Vec<f32> {
        let file = self.compare.get(what);
        golden_f32(file.unwrap_or_else(|| panic!("{} has no {what}", self.name)))
    }
}

/// Returns all goldens.
pub fn all() -> &'static [Golden] {
    static MANIFEST: OnceLock<Manifest> = OnceLock::new();
    &MANIFEST.get_or_init(|| golden("manifest.json")).goldens
}

/// Returns the goldens of a kind.
pub fn of(kind: Kind) -> Vec<&'static Golden> {
    all().iter().filter(|golden| golden.kind == kind).collect()
}

/// Returns the golden `name`.
pub fn named(name: &str) -> &'static Golden {
    let found = all().iter().find(|golden| golden.name == name);
    found.unwrap_or_else(|| panic!("the manifest of goldens has no {name}"))
}
