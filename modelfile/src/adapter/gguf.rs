//! Adapters in GGUF: `general.type` is `adapter`, `adapter.type` is `lora`; each changed weight has two tensors, its name followed by
//! `.lora_a` ([columns, rank] in GGML's order) and `.lora_b` ([rank, rows]). The scale is `adapter.lora.alpha` / rank.
//!
//! Source: `convert_lora_to_gguf.py` and `src/llama-adapter.cpp` of llama.cpp.

use std::collections::BTreeMap;

use super::{Adapter, Matrix, Pair, RowOrder, checked, whole};
use crate::config::ModelConfig;
use crate::container::Metadata;
use crate::container::gguf::parse;
use crate::error::{Error, Result};

/// Keys that do not change what is computed: a task's name, and the beginning that its prompts should have.
const HARMLESS: [&str; 2] = ["adapter.lora.task_name", "adapter.lora.prompt_prefix"];
const ALPHA: &str = "adapter.lora.alpha";

/// Returns whether a file that begins with `prefix` is GGUF's.
pub fn is_gguf(prefix: &[u8]) -> bool {
    prefix.starts_with(&crate::container::gguf::MAGIC)
}

/// Reads an adapter from the bytes of its file.
///
/// # Errors
/// Errors of reading the file; [`Error::Metadata`] if it is no adapter, another model's, or of a kind that is not supported.
pub fn read(bytes: &[u8], base: &ModelConfig) -> Result<Adapter> {
    let header = whole(parse(bytes, Some(bytes.len() as u64))?, bytes.len())?;
    let alpha = check(&header.metadata, base)?;
    let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
    for tensor in &header.tensors {
        let name = &tensor.name;
        let matrix = || Matrix::read(tensor, bytes).map(Some);
        if let Some(weight) = name.strip_suffix(".lora_a") {
            pairs.entry(weight.to_owned()).or_default().a = matrix()?;
        } else if let Some(weight) = name.strip_suffix(".lora_b") {
            pairs.entry(weight.to_owned()).or_default().b = matrix()?;
        } else {
            return Err(super::bad(
                name,
                "names that end with .lora_a or .lora_b".into(),
                "a tensor of another kind",
            ));
        }
    }
    // A model from safetensors keeps their order of rows, which the converter changes for some families.
    let order = match base.rope_halves && !base.spec.rope_neox {
        true => RowOrder::ToHalves,
        false => RowOrder::Same,
    };
    let changes = pairs.into_iter().map(|(weight, pair)| {
        let mut change = pair.join(weight, |rank| {
            // (llama.cpp takes 0 for a scale of 1)
            Ok(if alpha == 0.0 {
                1.0
            } else {
                alpha / rank as f32
            })
        })?;
        order.apply(&mut change, base)?;
        Ok(change)
    });
    checked(changes.collect::<Result<_>>()?)
}

/// Checks what the file says of itself; returns its alpha.
fn check(metadata: &Metadata, base: &ModelConfig) -> Result<f32> {
    let architecture = base.architecture;
    for (key, expected) in [
        ("general.type", "adapter"),
        ("adapter.type", "lora"),
        ("general.architecture", architecture),
    ] {
        let found = metadata.opt_str(key)?;
        if found != Some(expected) {
            return Err(Error::Metadata {
                key: key.into(),
                expected: format!("\"{expected}\""),
                found: found.map_or("nothing".into(), |found| format!("\"{found}\"")),
            });
        }
    }
    let unknown = metadata.iter().map(|(key, _)| key).find(|key| {
        key.starts_with("adapter.")
            && *key != "adapter.type"
            && *key != ALPHA
            && !HARMLESS.contains(key)
    });
    match unknown {
        Some(key) => Err(Error::Metadata {
            key: key.into(),
            expected: "absent: adapters of this kind are not supported".into(),
            found: "a value".into(),
        }),
        None => metadata.f32(ALPHA),
    }
}
