//! SmolVLM's tower in its real shape, with weights drawn at random, beside a synthetic text model: for speed and memory, not for text.

use half::f16;
use hearth::{Device, Engine, LoadOptions, Loader, Result};
use hearth_modelfile::container::overrides::Overrides;
use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{GgmlType, ModelHeader, Value};
use hearth_modelfile::files::Files;
use hearth_modelfile::vision::Frames;

use crate::synthetic::{SHAPES, Shape};

/// The shape of a SigLIP with SmolVLM's projector.
#[derive(Debug, Clone, Copy)]
pub struct Tower {
    pub n_layers: usize,
    pub d_model: usize,
    pub n_heads: usize,
    pub d_ff: usize,
    /// Sides of a tile and of a patch in pixels.
    pub side: usize,
    pub patch: usize,
    /// Side of the square of patches that becomes a row.
    pub merge: usize,
    /// Width of the text model.
    pub width: usize,
    /// Storage type of the matrices: F16 or Q8_0.
    pub dtype: GgmlType,
}

/// SmolVLM 256M's tower.
pub const SMOLVLM_256M: Tower = Tower {
    n_layers: 12,
    d_model: 768,
    n_heads: 12,
    d_ff: 3072,
    side: 512,
    patch: 16,
    merge: 4,
    width: 576,
    dtype: GgmlType::F16,
};

/// Returns SmolVLM 256M's text model, which is SmolLM2 with a few tokens more.
pub fn smolvlm_256m_text() -> Shape {
    Shape {
        vocab: 49_280,
        ..SHAPES[0]
    }
}

/// Numbers that look drawn, the same in each run.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 20
    }

    /// Returns a number between -0.04 and 0.04.
    fn weight(&mut self) -> f32 {
        (self.next() % 8192) as f32 / 102_400.0 - 0.04
    }
}

impl Tower {
    /// Returns the projector's file (mmproj).
    pub fn file(&self) -> Vec<u8> {
        let u32 = |n: usize| Value::U32(n as u32);
        let text = |text: &str| Value::String(text.into());
        let mut writer = GgufWriter::new();
        for (key, value) in [
            ("general.architecture", text("clip")),
            ("general.type", text("mmproj")),
            ("clip.has_vision_encoder", Value::Bool(true)),
            ("clip.projector_type", text("idefics3")),
            ("clip.use_gelu", Value::Bool(true)),
            ("clip.vision.image_size", u32(self.side)),
            ("clip.vision.patch_size", u32(self.patch)),
            ("clip.vision.embedding_length", u32(self.d_model)),
            ("clip.vision.feed_forward_length", u32(self.d_ff)),
            ("clip.vision.projection_dim", u32(self.width)),
            ("clip.vision.block_count", u32(self.n_layers)),
            ("clip.vision.attention.head_count", u32(self.n_heads)),
            ("clip.vision.attention.layer_norm_epsilon", Value::F32(1e-6)),
            ("clip.vision.projector.scale_factor", u32(self.merge)),
            ("clip.vision.preproc_image_size", u32(4 * self.side)),
        ] {
            writer = writer.metadata(key, value);
        }
        let mut draws = Draws(0x9e37_79b9_7f4a_7c15);
        let (d, ff) = (self.d_model, self.d_ff);
        let merged = d * self.merge * self.merge;
        writer = self.matrix(
            writer,
            "mm.model.fc.weight",
            [merged, self.width],
            &mut draws,
        );
        for i in 0..self.n_layers {
            for (name, cols, rows) in [
                ("attn_q", d, d),
                ("attn_k", d, d),
                ("attn_v", d, d),
                ("attn_out", d, d),
                ("ffn_up", d, ff),
                ("ffn_down", ff, d),
            ] {
                let name = format!("v.blk.{i}.{name}");
                writer = self.matrix(writer, &format!("{name}.weight"), [cols, rows], &mut draws);
                let bias: Vec<f32> = (0..rows).map(|_| draws.weight()).collect();
                writer = floats(writer, &format!("{name}.bias"), &[rows], &bias);
            }
            for name in ["ln1", "ln2"] {
                writer = norm(writer, &format!("v.blk.{i}.{name}"), d);
            }
        }
        writer = norm(writer, "v.post_ln", d);
        let patches: Vec<f32> = (0..3 * self.patch * self.patch * d)
            .map(|_| draws.weight())
            .collect();
        let shape = [self.patch, self.patch, 3, d];
        writer = floats(writer, "v.patch_embd.weight", &shape, &patches);
        writer = floats(writer, "v.patch_embd.bias", &[d], &vec![0.0; d]);
        let positions: Vec<f32> = (0..self.patches() * d).map(|_| draws.weight()).collect();
        let shape = [d, self.patches()];
        writer = floats(writer, "v.position_embd.weight", &shape, &positions);
        writer.finish()
    }

    fn matrix(
        &self,
        writer: GgufWriter,
        name: &str,
        [cols, rows]: [usize; 2],
        draws: &mut Draws,
    ) -> GgufWriter {
        let n = cols * rows;
        let mut bytes = Vec::with_capacity(2 * n);
        match self.dtype {
            GgmlType::Q8_0 => {
                for _ in 0..n / 32 {
                    bytes.extend(f16::from_f32(0.04 / 127.0).to_le_bytes());
                    bytes.extend((0..32).map(|_| draws.next() as u8));
                }
            }
            _ => (0..n).for_each(|_| bytes.extend(f16::from_f32(draws.weight()).to_le_bytes())),
        }
        writer.tensor(name, &[cols as u64, rows as u64], self.dtype, &bytes)
    }

    /// Returns the patches of a tile.
    pub fn patches(&self) -> usize {
        (self.side / self.patch) * (self.side / self.patch)
    }

    /// Returns one tile without any detail beside it, and its pixels.
    pub fn tile(&self, seed: u64) -> (Frames, Vec<u8>) {
        // (odd, so never 0, and another one for each seed)
        let mut draws = Draws(2 * seed + 1);
        let pixels = (0..3 * self.side * self.side).map(|_| draws.next() as u8);
        let frames = Frames {
            tiles: [0, 0],
            grids: vec![[self.side / self.patch; 2]],
        };
        (frames, pixels.collect())
    }

    /// Returns the header of the text model with this tower.
    ///
    /// # Errors
    /// Returns those of the files.
    pub fn header(&self, text: Shape) -> Result<ModelHeader> {
        let file = self.file();
        Ok(files(text, Some(&file))?.join()?.0)
    }

    /// Loads the text model on `device`, with zeros as weights, and this tower.
    ///
    /// # Errors
    /// Returns the loader's error.
    pub fn load(&self, text: Shape, device: Device, options: LoadOptions) -> Result<Engine> {
        load(text, Some(&self.file()), device, options)
    }
}

/// Loads a synthetic text model, with the tower in `projector` if there is one.
///
/// # Errors
/// Returns the loader's error.
pub fn load(
    text: Shape,
    projector: Option<&[u8]>,
    device: Device,
    options: LoadOptions,
) -> Result<Engine> {
    const CHUNK: usize = 4 << 20;
    let (header, total) = text.header();
    let files = files(text, projector)?;
    pollster::block_on(async {
        let mut loader = Loader::of_files(device, options, files, &Overrides::default())?;
        for chunk in header.chunks(CHUNK) {
            loader.push(chunk).await?;
        }
        let mut left = total as usize - header.len();
        let zeros = vec![0; CHUNK];
        while left > 0 {
            let n = left.min(CHUNK);
            loader.push(&zeros[..n]).await?;
            left -= n;
        }
        for chunk in projector.unwrap_or_default().chunks(CHUNK) {
            loader.push(chunk).await?;
        }
        loader.finish().await
    })
}

fn files(text: Shape, projector: Option<&[u8]>) -> Result<Files> {
    let mut files = Files::default();
    let (header, total) = text.header();
    files.header(0, &header, total)?;
    if let Some(bytes) = projector {
        files.header(1, bytes, bytes.len() as u64)?;
    }
    Ok(files)
}

fn floats(writer: GgufWriter, name: &str, shape: &[usize], values: &[f32]) -> GgufWriter {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let shape: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
    writer.tensor(name, &shape, GgmlType::F32, &bytes)
}

fn norm(writer: GgufWriter, name: &str, width: usize) -> GgufWriter {
    let writer = floats(
        writer,
        &format!("{name}.weight"),
        &[width],
        &vec![1.0; width],
    );
    floats(writer, &format!("{name}.bias"), &[width], &vec![0.0; width])
}
