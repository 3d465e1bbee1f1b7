//! Arguments of a part, and the device and the engine that they ask for.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use hearth::device::tune::DeviceProfile;
use hearth::{Device, DeviceOptions, Engine, LoadOptions, Loader};
use hearth_modelfile::container::GgmlType;
use hearth_tests::synthetic::{Shape, Types, published};
use pollster::block_on;

/// Positions behind the longest context, for the steps that are measured there.
const MORE: usize = 128;

/// Arguments of a part.
#[derive(Default)]
pub struct Options {
    /// Name of the part.
    pub part: String,
    shape: Option<Shape>,
    /// File of the shape.
    pub file: PathBuf,
    /// Positions in use when decode is measured.
    pub contexts: Vec<usize>,
    /// Lengths of prompts.
    pub prompts: Vec<usize>,
    profile: Option<DeviceProfile>,
}

/// Returns the shapes of published models, in the storage types whose costs are pinned.
fn shapes() -> [Shape; 4] {
    let [q4, q8] = [GgmlType::Q4_0, GgmlType::Q8_0].map(Types::All);
    published([q4, q8, Types::Q40, Types::Q40])
}

fn numbers(text: &str) -> Result<Vec<usize>> {
    let one = |word: &str| {
        let number = word.parse::<usize>();
        number.with_context(|| format!("expected a number, found {word}"))
    };
    text.split(',').map(one).collect()
}

impl Options {
    /// Parses the arguments.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        let (mut layers, mut words) = (None, Vec::new());
        while let Some(word) = args.next() {
            if !word.starts_with("--") {
                words.push(word);
                continue;
            }
            let value = args.next().with_context(|| format!("{word}: no value"))?;
            match word.as_str() {
                "--contexts" => options.contexts = numbers(&value)?,
                "--prompts" => options.prompts = numbers(&value)?,
                "--layers" => layers = numbers(&value)?.first().copied(),
                "--profile" => options.profile = Some(serde_json::from_str(&value)?),
                _ => bail!("unknown option {word}"),
            }
        }
        let mut words = words.into_iter();
        options.part = words.next().context("expected the name of a part")?;
        if let Some(name) = words.next() {
            let found = shapes().into_iter().find(|shape| shape.name == name);
            let shape = found.with_context(|| format!("unknown shape {name}"))?;
            options.shape = Some(Shape {
                n_layers: layers.unwrap_or(shape.n_layers),
                n_ctx_train: 131_072,
                ..shape
            });
            options.file = words.next().context("expected the shape's file")?.into();
        }
        Ok(options)
    }

    /// Returns the shape.
    pub fn shape(&self) -> Result<&Shape> {
        self.shape.as_ref().context("expected a shape and its file")
    }

    /// Opens the GPU with the measurements of an earlier part, if there are some.
    pub fn open(&self, timestamps: bool) -> Result<Device> {
        let options = DeviceOptions {
            measured: self.profile,
            timestamps,
            ..DeviceOptions::default()
        };
        Ok(block_on(Device::open(options))?)
    }

    /// Loads the shape's file, with room for the longest context, and compiles what an answer needs.
    pub fn load(&self, timestamps: bool) -> Result<Engine> {
        let device = self.open(timestamps)?;
        let longest = self.contexts.iter().chain(&self.prompts).max();
        block_on(self.load_on(device, longest.copied().unwrap_or(0) + MORE))
    }

    async fn load_on(&self, device: Device, context: usize) -> Result<Engine> {
        const CHUNK: usize = 4 << 20;
        let path = &self.file;
        let mut file =
            File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let options = LoadOptions {
            context_size: Some(context),
            total_bytes: Some(file.metadata()?.len()),
            ..LoadOptions::default()
        };
        let mut loader = Loader::new(device, options);
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                n => loader.push(&chunk[..n]).await?,
            };
        }
        let mut engine = loader.finish().await?;
        engine.warm_up().await?;
        Ok(engine)
    }
}
