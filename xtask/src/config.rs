//! `wasm-pack.toml`: the settings that turn the crate into `pkg/wasm`. (The wasm-pack program never reads this file;
//! it knows only `[package.metadata.wasm-pack]`. The name says what it describes.)

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::paths::ROOT_MARK;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The package to compile; its library is a `cdylib`.
    #[serde(rename = "crate")]
    pub package: String,
    /// wasm-bindgen's `--target`.
    pub target: String,
    /// A cargo profile by name.
    pub profile: String,
    pub features: Vec<String>,
    pub default_features: bool,
    /// Output directory of the wasm and its bindings, relative to the root.
    pub out_dir: String,
    pub out_name: String,
    pub wasm_bindgen: Flags,
    pub wasm_opt: Flags,
    pub threads: Threads,
    pub grammar: Part,
    pub audio: Part,
    pub pictures: Part,
    pub translation: Part,
}

/// A crate that becomes a separate module.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Part {
    pub package: String,
    pub out_dir: String,
    pub out_name: String,
    /// wasm-bindgen flags, appended to the core's.
    pub wasm_bindgen_flags: Vec<String>,
}

/// The module for the CPU's threads.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Threads {
    /// The package to compile as a `cdylib`.
    pub package: String,
    /// The feature that turns it into a module.
    pub feature: String,
    /// File name, next to the core.
    pub out_file: String,
    /// rustc flags for this crate alone.
    pub rustc_flags: Vec<String>,
    /// wasm-opt flags, appended to the core's.
    pub wasm_opt_flags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flags {
    pub flags: Vec<String>,
}

impl Config {
    pub fn read(root: &Path) -> Result<Self> {
        let file = root.join(ROOT_MARK);
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", file.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text)?;
        for dir in [
            &config.out_dir,
            &config.grammar.out_dir,
            &config.audio.out_dir,
            &config.pictures.out_dir,
            &config.translation.out_dir,
        ] {
            if Path::new(dir).is_absolute() || dir.contains("..") {
                bail!(
                    "out-dir: expected a directory inside the clone such as \"pkg/wasm\", found {dir:?}"
                );
            }
        }
        Ok(config)
    }

    /// Returns cargo's directory for the profile: `dev` and `test` build into `debug`.
    pub fn profile_dir(&self) -> &str {
        match self.profile.as_str() {
            "dev" | "test" => "debug",
            "bench" => "release",
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_file_parses_and_a_typo_is_named() {
        let text = include_str!("../../wasm-pack.toml");
        let config = Config::parse(text).unwrap();
        assert_eq!(
            (config.package.as_str(), config.target.as_str()),
            ("hearth-llm", "web")
        );
        let error = Config::parse(&text.replace("out-name", "outname"))
            .err()
            .unwrap();
        assert!(format!("{error:#}").contains("outname"));
    }
}
