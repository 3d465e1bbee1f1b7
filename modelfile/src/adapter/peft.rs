//! Adapters as PEFT writes them: `adapter_config.json` and `adapter_model.safetensors`, whose tensors are named after the modules:
//! `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight` [rank, columns], and `lora_B` [rows, rank].
//!
//! Source: `LoraConfig` and `LoraLayer` of PEFT, <https://github.com/huggingface/peft>.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Adapter, Matrix, Pair, RowOrder, bad, checked, whole};
use crate::config::ModelConfig;
use crate::container::safetensors::parse;
use crate::error::Result;
use crate::families::Checkpoint;
use crate::huggingface::weight_of;
use crate::json::Object;

/// File of the settings.
pub const CONFIG: &str = "adapter_config.json";
/// File of the tensors.
pub const TENSORS: &str = "adapter_model.safetensors";
/// Beginning of tensors' names, before that of a module.
const PREFIX: &str = "base_model.model.";

/// Settings that are read here, or that say how the adapter was trained or whom it is for; and `fan_in_fan_out`, which tells how a
/// weight is stored that is never merged here.
const KNOWN: [&str; 27] = [
    "r",
    "lora_alpha",
    "use_rslora",
    "rank_pattern",
    "alpha_pattern",
    "peft_type",
    "init_lora_weights",
    "target_modules",
    "exclude_modules",
    "bias",
    "task_type",
    "base_model_name_or_path",
    "revision",
    "inference_mode",
    "auto_mapping",
    "peft_version",
    "lora_dropout",
    "fan_in_fan_out",
    "megatron_core",
    "qalora_group_size",
    "runtime_config",
    "layers_to_transform",
    "layers_pattern",
    "eva_config",
    "_commit_hash",
    "low_cpu_mem_usage",
    "loftq_config",
];

/// Ways to begin the training that leave the model's own weights as they are.
const INITIAL: [&str; 3] = ["gaussian", "eva", "orthogonal"];

/// Settings of an adapter.
struct Config {
    json: Object,
    rank: u32,
    alpha: f32,
    root: bool,
    ranks: Vec<(String, f32)>,
    alphas: Vec<(String, f32)>,
    targets: Vec<String>,
}

/// Reads an adapter from the text of its settings and the bytes of its tensors.
///
/// # Errors
/// Errors of reading a file; [`Error::Metadata`](crate::Error::Metadata) for a setting that is not supported, with its name.
pub fn read(config: &str, bytes: &[u8], base: &ModelConfig) -> Result<Adapter> {
    let config = Config::read(config)?;
    let header = whole(parse(bytes, Some(bytes.len() as u64))?, bytes.len())?;
    let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
    for tensor in &header.tensors {
        let module = tensor.name.strip_prefix(PREFIX).unwrap_or(&tensor.name);
        let matrix = || Matrix::read(tensor, bytes).map(Some);
        if let Some(module) = module.strip_suffix(".lora_A.weight") {
            pairs.entry(module.to_owned()).or_default().a = matrix()?;
        } else if let Some(module) = module.strip_suffix(".lora_B.weight") {
            pairs.entry(module.to_owned()).or_default().b = matrix()?;
        } else {
            return Err(bad(
                &tensor.name,
                "lora_A.weight or lora_B.weight of a module".into(),
                "a tensor of another kind (DoRA, an embedding, a bias or a whole module)",
            ));
        }
    }
    let mut changes = Vec::with_capacity(pairs.len());
    for (module, pair) in pairs {
        config.check_target(&module)?;
        let (cols, rows) = match (&pair.a, &pair.b) {
            (Some(a), Some(b)) => (a.cols, b.rows),
            _ => (1, 1),
        };
        let (weight, checkpoint) = named(&module, [cols, rows], base)?;
        let mut change = pair.join(weight, |rank| config.scale(&module, rank))?;
        order(checkpoint, base).apply(&mut change, base)?;
        changes.push(change);
    }
    changes.sort_by(|a, b| a.weight.cmp(&b.weight));
    if let Some(twice) = changes
        .windows(2)
        .find(|pair| pair[0].weight == pair[1].weight)
    {
        let found = "two modules that are the same weight";
        return Err(bad(&twice[0].weight, "one change".into(), found));
    }
    checked(changes)
}

/// Returns GGUF's name of a module's weight of this shape, and the kind of checkpoint that has such modules.
fn named(
    module: &str,
    shape: [usize; 2],
    base: &ModelConfig,
) -> Result<(String, &'static Checkpoint)> {
    let shape = shape.map(|side| side as u64);
    let found = (base.spec.checkpoints.iter())
        .find_map(|checkpoint| Some((weight_of(module, shape, checkpoint)?, checkpoint)));
    found.ok_or_else(|| {
        let expected = format!("a linear module of {}'s layers", base.architecture);
        bad(&format!("module \"{module}\""), expected, "another one")
    })
}

/// Returns the order that the model has its rows in, seen from a checkpoint's.
fn order(checkpoint: &Checkpoint, base: &ModelConfig) -> RowOrder {
    match !base.rope_halves && !checkpoint.neighbours {
        true => RowOrder::ToNeighbours,
        false => RowOrder::Same,
    }
}

impl Config {
    fn read(text: &str) -> Result<Self> {
        let json = Object::parse(text, CONFIG)?;
        let is = |key: &str, expected: &str| match json.str(key)? {
            Some(found) if found == expected => Ok(()),
            None if key == "bias" => Ok(()),
            _ => Err(json.wrong(key, &format!("\"{expected}\""))),
        };
        is("peft_type", "LORA")?;
        is("bias", "none")?;
        match json.get("init_lora_weights") {
            None | Some(Json::Bool(_) | Json::Null) => {}
            Some(Json::String(how)) if INITIAL.contains(&how.as_str()) => {}
            Some(_) => {
                let expected = "a start that leaves the model's weights as they are";
                return Err(json.wrong("init_lora_weights", expected));
            }
        }
        if let Some(key) = json
            .keys()
            .find(|key| !KNOWN.contains(key) && json.says(key))
        {
            return Err(json.wrong(key, "absent or off: it is not supported"));
        }
        let rank = json.u32("r")?.filter(|rank| *rank > 0);
        let rank = rank.ok_or_else(|| json.wrong("r", "a whole number above 0"))?;
        let alpha = json.f32("lora_alpha")?;
        let alpha = alpha.ok_or_else(|| json.wrong("lora_alpha", "a number"))?;
        Ok(Self {
            rank,
            alpha,
            root: json.bool("use_rslora")?.unwrap_or(false),
            ranks: patterns(&json, "rank_pattern")?,
            alphas: patterns(&json, "alpha_pattern")?,
            targets: targets(&json),
            json,
        })
    }

    /// Refuses a module that the settings do not name.
    fn check_target(&self, module: &str) -> Result<()> {
        let named = self.targets.is_empty() || self.targets.iter().any(|end| ends(module, end));
        match named {
            true => Ok(()),
            false => {
                let expected = format!("modules that include \"{module}\", which has tensors");
                Err(self.json.wrong("target_modules", &expected))
            }
        }
    }

    /// Returns the factor of a module's change.
    fn scale(&self, module: &str, rank: usize) -> Result<f32> {
        let of = |key: &str, patterns: &[(String, f32)], default: f32| -> Result<f32> {
            let mut all = patterns.iter().filter(|(end, _)| ends(module, end));
            let first = all.next().map_or(default, |(_, value)| *value);
            match all.all(|(_, value)| *value == first) {
                true => Ok(first),
                false => Err(self.json.wrong(key, "one value for each module")),
            }
        };
        let expected = of("rank_pattern", &self.ranks, self.rank as f32)?;
        if expected != rank as f32 {
            return Err(bad(
                &format!("module \"{module}\""),
                format!("rank {expected}, as {CONFIG} says"),
                &rank.to_string(),
            ));
        }
        let alpha = of("alpha_pattern", &self.alphas, self.alpha)?;
        Ok(match self.root {
            true => alpha / (rank as f32).sqrt(),
            false => alpha / rank as f32,
        })
    }
}

/// Returns whether a module has this name, or one that ends with it.
fn ends(module: &str, end: &str) -> bool {
    let rest = module.strip_suffix(end);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Reads values by the ends of modules' names. Regular expressions are refused.
fn patterns(json: &Object, key: &str) -> Result<Vec<(String, f32)>> {
    let Some(Json::Object(map)) = json.get(key) else {
        return match json.get(key) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(_) => Err(json.wrong(key, "an object")),
        };
    };
    let is_name = |name: &str| {
        (name.chars()).all(|char| char.is_ascii_alphanumeric() || char == '_' || char == '.')
    };
    let pairs = map.iter().map(|(name, value)| {
        let value = value.as_f64().filter(|_| is_name(name));
        let value = value.ok_or_else(|| json.wrong(key, "names of modules, and numbers"))?;
        Ok((name.clone(), value as f32))
    });
    pairs.collect()
}

/// Returns the list of modules, empty if a pattern takes its place.
fn targets(json: &Object) -> Vec<String> {
    let list = json.get("target_modules").and_then(Json::as_array);
    let names = list.into_iter().flatten().filter_map(Json::as_str);
    names.map(str::to_owned).collect()
}
