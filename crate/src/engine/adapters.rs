//! Adapters of an engine: added and removed while the model stays where it is, chosen by each request.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::Engine;
use hearth_modelfile::adapter::{Adapter, gguf, peft};
use hearth_modelfile::error::{Error, Result};

/// Most adapters that an engine keeps at a time.
const MOST_ADAPTERS: usize = 32;
/// Largest absolute scale. Trained adapters are used with about 1.
const MOST_SCALE: f32 = 100.0;

/// An adapter that a request is answered with.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(optional_fields))]
pub struct AdapterUse {
    pub name: String,
    /// Factor of its change; default: the one that it was added with.
    pub scale: Option<f32>,
}

/// A loaded adapter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct AdapterInfo {
    pub name: String,
    /// Factor of its change where a request names none.
    pub scale: f32,
    /// Largest rank.
    pub rank: usize,
    /// Weights that it changes.
    pub weights: usize,
    /// Bytes that it takes: in memory, and once more on the device while a request uses it.
    pub bytes: u64,
}

/// Adapters of an engine.
#[derive(Default)]
pub(crate) struct Adapters {
    loaded: Vec<Loaded>,
    /// Adapters that the weights are changed by now, in the order of `loaded`.
    active: Vec<Active>,
}

struct Loaded {
    info: AdapterInfo,
    /// Checksum of its values.
    key: [u8; 32],
    adapter: Adapter,
}

#[derive(Debug, Clone, PartialEq)]
struct Active {
    key: [u8; 32],
    scale: f32,
}

fn invalid(expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::InvalidRequest {
        field: "adapters".into(),
        expected: expected.into(),
        found: found.into(),
    }
}

/// Returns a scale that is one.
fn checked(scale: f32) -> Result<f32> {
    // (NaN is in no range)
    match (-MOST_SCALE..=MOST_SCALE).contains(&scale) {
        true => Ok(scale),
        false => Err(invalid(
            format!("scales between -{MOST_SCALE} and {MOST_SCALE}"),
            scale.to_string(),
        )),
    }
}

fn key_of(adapter: &Adapter) -> [u8; 32] {
    let mut hash = Sha256::new();
    for change in &adapter.changes {
        hash.update(change.weight.as_bytes());
        hash.update((change.rank as u64).to_le_bytes());
        for values in [&change.a, &change.b] {
            hash.update(bytemuck::cast_slice(values));
        }
    }
    hash.finalize().into()
}

impl Adapters {
    fn find(&self, name: &str) -> Option<&Loaded> {
        self.loaded.iter().find(|loaded| loaded.info.name == name)
    }

    /// Returns what a request asks for.
    fn chosen(&self, asked: &[AdapterUse]) -> Result<Vec<(&Loaded, f32)>> {
        for (at, adapter) in asked.iter().enumerate() {
            if self.find(&adapter.name).is_none() {
                let names = self.loaded.iter().map(|loaded| loaded.info.name.as_str());
                let names: Vec<_> = names.collect();
                let expected = match names.is_empty() {
                    true => "names of loaded adapters, of which there are none".to_owned(),
                    false => format!("names of loaded adapters: {}", names.join(", ")),
                };
                return Err(invalid(expected, format!("\"{}\"", adapter.name)));
            }
            if asked[..at].iter().any(|other| other.name == adapter.name) {
                return Err(invalid(
                    "each adapter once",
                    format!("\"{}\" twice", adapter.name),
                ));
            }
        }
        let mut chosen = Vec::new();
        for loaded in &self.loaded {
            let named = |asked: &&AdapterUse| asked.name == loaded.info.name;
            if let Some(asked) = asked.iter().find(named) {
                let scale = checked(asked.scale.unwrap_or(loaded.info.scale))?;
                chosen.extend((scale != 0.0).then_some((loaded, scale)));
            }
        }
        Ok(chosen)
    }
}

impl Engine {
    /// Adds an adapter from the bytes of its file: GGUF, or safetensors beside the text of PEFT's `adapter_config.json`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a name that is taken or empty; what is wrong with the files, or not supported in them;
    /// [`Error::TensorShape`] and [`Error::BadFile`] for an adapter of another model.
    pub fn add_adapter(
        &mut self,
        name: &str,
        scale: Option<f32>,
        bytes: &[u8],
        peft_config: Option<&str>,
    ) -> Result<AdapterInfo> {
        if name.is_empty() || self.adapters.find(name).is_some() {
            let found = format!("\"{name}\"");
            return Err(invalid("a name that no other adapter has", found));
        }
        if self.adapters.loaded.len() == MOST_ADAPTERS {
            let expected = format!("at most {MOST_ADAPTERS} adapters");
            return Err(invalid(expected, "one more"));
        }
        let scale = checked(scale.unwrap_or(1.0))?;
        let model = &mut self.stepper.model;
        let adapter = match peft_config {
            Some(config) => peft::read(config, bytes, &model.config)?,
            None if gguf::is_gguf(bytes) => gguf::read(bytes, &model.config)?,
            None => {
                return Err(Error::BadFile {
                    format: "adapter",
                    what: "its first bytes".into(),
                    expected: "GGUF, or safetensors beside adapter_config.json".into(),
                    found: "another format".into(),
                });
            }
        };
        model.check_adapter(&adapter)?;
        self.stepper.device.can_hold(2 * adapter.bytes())?;
        let info = AdapterInfo {
            name: name.to_owned(),
            scale,
            rank: adapter.rank(),
            weights: adapter.changes.len(),
            bytes: adapter.bytes(),
        };
        self.adapters.loaded.push(Loaded {
            info: info.clone(),
            key: key_of(&adapter),
            adapter,
        });
        Ok(info)
    }

    /// Removes an adapter; returns whether there was one of this name. A request that is answered with it is cancelled.
    pub fn remove_adapter(&mut self, name: &str) -> bool {
        let loaded = &mut self.adapters.loaded;
        let Some(at) = loaded.iter().position(|loaded| loaded.info.name == name) else {
            return false;
        };
        let key = loaded.remove(at).key;
        if self.adapters.active.iter().any(|active| active.key == key) {
            self.cancel();
            self.stepper.model.adapt(&[]);
            self.changed(Vec::new());
        }
        true
    }

    /// Returns the loaded adapters, in the order in which they were added.
    pub fn adapters(&self) -> Vec<AdapterInfo> {
        let loaded = self.adapters.loaded.iter();
        loaded.map(|loaded| loaded.info.clone()).collect()
    }

    /// Returns what tells the keys and values of the present sequence from those that other adapters make: empty without one.
    pub fn adapters_key(&self) -> Vec<u8> {
        let active = self.adapters.active.iter();
        active
            .flat_map(|active| {
                let scale = active.scale.to_le_bytes();
                active.key.iter().copied().chain(scale)
            })
            .collect()
    }

    /// Changes the model's weights as a request asks. The sequence is forgotten if that is another change than before: its keys and
    /// values are those of another model.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for an adapter that is not loaded or named twice, or an impossible scale.
    pub fn use_adapters(&mut self, asked: &[AdapterUse]) -> Result<()> {
        self.cancel();
        let chosen = self.adapters.chosen(asked)?;
        let wanted: Vec<Active> = (chosen.iter())
            .map(|(loaded, scale)| Active {
                key: loaded.key,
                scale: *scale,
            })
            .collect();
        if wanted == self.adapters.active {
            return Ok(());
        }
        let changes: Vec<_> = (chosen.iter())
            .map(|(loaded, scale)| (&loaded.adapter, *scale))
            .collect();
        self.stepper.model.adapt(&changes);
        self.changed(wanted);
        Ok(())
    }

    /// Forgets what depends on the model's weights.
    fn changed(&mut self, active: Vec<Active>) {
        self.adapters.active = active;
        self.forget_conversations();
    }
}
