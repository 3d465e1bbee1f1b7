//! The shape of a model's tower.

use std::collections::HashSet;

use super::processor::{Processor, ProcessorKind};
use super::projector::{Merge, Projector};
use crate::config::{MAX_CHUNK, ModelConfig};
use crate::container::{Array, Metadata, ModelHeader, TensorInfo, Value};
use crate::error::{Error, Result};
use crate::families::names::bias_of;
use crate::families::siglip::{QWEN3VL_TOWER, SIGLIP, SIGLIP2, TOWER_NAMES};
use crate::weight_requests::{self, WeightRequest};

/// Largest side of a picture in pixels that a file may ask for.
const MAX_SIDE: usize = 1 << 14;

/// Key of what is added to the weights of the projector's norm, which GGUF's converter has added.
pub(crate) const NORM_OFFSET: &str = "hearth.vision.norm_offset";

/// Key of whether the weight of the patches has the channels of a pixel side by side.
pub(crate) const CHANNELS_LAST: &str = "hearth.vision.channels_last";

/// A tower, its projector, and the rules by which pictures are prepared for it.
#[derive(Debug, Clone)]
pub struct Vision {
    pub projector: Projector,
    /// Shape of the tower's layers.
    pub layers: ModelConfig,
    /// Numbers of a patch: three channels of it.
    pub patch_values: usize,
    /// Width of the rows that the text model takes.
    pub width: usize,
    /// Added to the weights of the projector's norm, if there is one.
    pub norm_offset: f32,
    pub processor: Processor,
    /// The weight of the patches has the channels of a pixel side by side.
    pub channels_last: bool,
    /// Layers of the tower whose rows are added behind the first layers of the text model, in turn.
    pub deep: Vec<usize>,
    /// Side of the grid of learned positions that are interpolated; 0 where they are not.
    pub position_side: usize,
}

impl Vision {
    /// Reads a tower's header: that of a projector's file, or of a folder's tower in the same terms.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`] for another projector; [`Error::Metadata`] and [`Error::MissingTensor`].
    pub fn from_header(tower: &ModelHeader) -> Result<Self> {
        let meta = &tower.metadata;
        let projector = Projector::of(meta)?;
        // (absent where it is another function)
        if meta.opt_bool("clip.use_gelu")? == Some(false)
            || meta.opt_bool("clip.use_silu")? == Some(true)
        {
            return Err(wrong("clip.use_gelu", "true", "false"));
        }
        let layers = match projector {
            Projector::Qwen3Vl => ModelConfig::of_family(tower, &QWEN3VL_TOWER)?,
            Projector::Lfm2 => ModelConfig::of_family(tower, &SIGLIP2)?,
            Projector::Idefics3 | Projector::Gemma3 => ModelConfig::of_family(tower, &SIGLIP)?,
        };
        let processor = processor(meta, projector, &layers)?;
        let name = projector.weights().last().copied().unwrap_or_default();
        let width =
            (tower.tensor(name)).ok_or_else(|| Error::MissingTensor { name: name.into() })?;
        let vision = Self {
            patch_values: 3 * processor.patch * processor.patch,
            width: usize::try_from(width.n_rows()).unwrap_or(usize::MAX),
            deep: deep_layers(meta, layers.n_layers)?,
            position_side: match projector.sees_any_size() {
                true => position_side(tower)?,
                false => 0,
            },
            channels_last: meta.opt_bool(CHANNELS_LAST)?.unwrap_or(false),
            norm_offset: meta.opt_f32(NORM_OFFSET)?.unwrap_or(0.0),
            projector,
            layers,
            processor,
        };
        let side = vision.processor.side / vision.processor.patch;
        let rows = vision.rows([side, side]);
        if projector.sees_both_ways() && rows > MAX_CHUNK {
            let expected = format!("at most {MAX_CHUNK} rows of a picture");
            return Err(wrong(
                "clip.vision.projector.scale_factor",
                &expected,
                &rows.to_string(),
            ));
        }
        vision.check_unread(tower)?;
        Ok(vision)
    }

    /// Returns the rows that a frame of `grid` patches (height, width) has in the text model.
    pub fn rows(&self, grid: [usize; 2]) -> usize {
        grid.map(|side| side / self.processor.merge)
            .iter()
            .product()
    }

    /// Returns whether the tower takes frames of `grid` patches.
    pub fn takes(&self, grid: [usize; 2]) -> bool {
        if self.projector.sees_any_size() {
            let fits = |side: usize| side > 0 && side.is_multiple_of(self.processor.merge);
            let patches = grid[0].saturating_mul(grid[1]);
            return grid.into_iter().all(fits) && patches <= self.most_patches();
        }
        let side = self.processor.side / self.processor.patch;
        grid == [side, side]
    }

    /// Returns the most patches that the tower takes at once.
    pub fn most_patches(&self) -> usize {
        self.layers.n_ctx_train
    }

    /// Returns the tensors to read: matrices for the device, and small vectors.
    pub fn requests(&self, tower: &ModelHeader) -> (Vec<WeightRequest>, Vec<String>) {
        let (mut matrices, mut vectors) = weight_requests::tensors(tower, &self.layers);
        let square = self.processor.merge * self.processor.merge;
        let merged = match self.projector.merge() {
            Merge::Mean => self.layers.d_model,
            Merge::SideBySide | Merge::InTurn => self.layers.d_model * square,
        };
        let deep = self.deep.iter().map(|layer| deep_names(*layer));
        let projections = (self.projector.weights().iter()).map(|name| (*name).to_owned());
        let all = [projections.collect()]
            .into_iter()
            .chain(deep.map(Vec::from));
        for weights in all {
            let mut cols = merged;
            for name in weights {
                let bias = bias_of(&name);
                let rows = tower.tensor(&name).map_or(0, TensorInfo::n_rows) as usize;
                matrices.push(WeightRequest {
                    parts: vec![(name, rows)],
                    cols,
                    experts: 1,
                    exact: false,
                });
                vectors.extend(tower.tensor(&bias).map(|_| bias));
                cols = rows;
            }
        }
        for norm in self.deep.iter().map(|layer| deep_norm(*layer)) {
            vectors.extend([bias_of(&norm), norm]);
        }
        // Kept in f32: its columns need not fit any block. Some have one for each of two pictures of a film.
        vectors.push(TOWER_NAMES.token_embd.to_owned());
        let second = SECOND_PATCHES.to_owned();
        vectors.extend(tower.tensor(&second).map(|_| second));
        if self.position_side > 0 {
            vectors.push(TOWER_NAMES.position_embd.to_owned());
        }
        if let Some(norm) = self.projector.norm() {
            let is_there = |name: &String| tower.tensor(name).is_some();
            vectors.extend(
                [norm.to_owned(), bias_of(norm)]
                    .into_iter()
                    .filter(is_there),
            );
        }
        (matrices, vectors)
    }

    /// Refuses a tensor that would not be read: the tower would compute something else.
    fn check_unread(&self, tower: &ModelHeader) -> Result<()> {
        let (matrices, vectors) = self.requests(tower);
        let parts = matrices.iter().flat_map(|matrix| &matrix.parts);
        let mut read: HashSet<&str> = parts.map(|(name, _)| name.as_str()).collect();
        read.extend(vectors.iter().map(String::as_str));
        match (tower.tensors.iter()).find(|tensor| !read.contains(tensor.name.as_str())) {
            None => Ok(()),
            Some(tensor) => Err(wrong(
                &tensor.name,
                "no such tensor in a tower of this kind",
                "one",
            )),
        }
    }
}

/// Weight of the patches of a film's second picture.
pub const SECOND_PATCHES: &str = "v.patch_embd.weight.1";

/// Returns the names of the projections of a layer's rows.
pub fn deep_names(layer: usize) -> [String; 2] {
    [1, 2].map(|n| format!("v.deepstack.{layer}.fc{n}.weight"))
}

/// Returns the name of the norm before them.
pub fn deep_norm(layer: usize) -> String {
    format!("v.deepstack.{layer}.norm.weight")
}

/// Reads the layers whose rows are added to the text model's.
fn deep_layers(meta: &Metadata, n_layers: usize) -> Result<Vec<usize>> {
    const KEY: &str = "clip.vision.is_deepstack_layers";
    let Some(value) = meta.get(KEY) else {
        return Ok(Vec::new());
    };
    match value {
        Value::Array(Array::Bool(is_deep)) if is_deep.len() <= n_layers => {
            let layers = is_deep.iter().enumerate();
            Ok(layers.filter(|(_, is)| **is).map(|(i, _)| i).collect())
        }
        _ => Err(wrong(KEY, "a flag for each layer", &value.describe())),
    }
}

/// Returns the side of the square of learned positions.
fn position_side(tower: &ModelHeader) -> Result<usize> {
    let name = TOWER_NAMES.position_embd;
    let rows = tower.tensor(name).map_or(0, |tensor| tensor.n_rows());
    let side = rows.isqrt();
    match side * side == rows && (1..=1 << 10).contains(&side) {
        true => Ok(side as usize),
        false => Err(wrong(name, "a square of positions", &rows.to_string())),
    }
}

fn wrong(key: &str, expected: &str, found: &str) -> Error {
    Error::Metadata {
        key: key.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// Reads the rules by which pictures are prepared.
fn processor(meta: &Metadata, projector: Projector, layers: &ModelConfig) -> Result<Processor> {
    let size = |name: &str, default: Option<u32>| -> Result<usize> {
        let key = format!("clip.vision.{name}");
        let found = match (meta.opt_u32(&key)?, default) {
            (Some(found), _) | (None, Some(found)) => found as usize,
            (None, None) => meta.u32(&key)? as usize,
        };
        match found <= MAX_SIDE {
            true => Ok(found),
            false => Err(wrong(
                &key,
                &format!("at most {MAX_SIDE}"),
                &found.to_string(),
            )),
        }
    };
    let channels = |name: &str| -> Result<[f32; 3]> {
        let key = format!("clip.vision.{name}");
        let found = meta.opt_f32s(&key)?.unwrap_or(&[0.5; 3]);
        let is_good = |v: &f32| v.is_finite() && (name != "image_std" || *v > 0.0);
        <[f32; 3]>::try_from(found)
            .ok()
            .filter(|all| all.iter().all(is_good))
            .ok_or_else(|| wrong(&key, "three numbers", &format!("{found:?}")))
    };
    let (kind, merge) = match projector {
        Projector::Idefics3 => (ProcessorKind::Idefics3, 2),
        Projector::Gemma3 => (ProcessorKind::Gemma3, 4),
        Projector::Qwen3Vl => (ProcessorKind::Qwen, 2),
        Projector::Lfm2 => (ProcessorKind::Lfm2, 2),
    };
    let patch = size("patch_size", None)?.max(1);
    if projector.sees_any_size() {
        let is_lfm = projector == Projector::Lfm2;
        let merge = match is_lfm {
            true => size("projector.scale_factor", Some(merge))?,
            false => size("spatial_merge_size", Some(merge))?,
        };
        let merge = merge.max(1);
        let area = |name: &str, default: usize| -> Result<usize> {
            let found = meta.opt_u32(&format!("clip.vision.{name}"))?;
            Ok(found.map_or(default, |pixels| pixels as usize))
        };
        let square = (patch * merge) * (patch * merge);
        let most = layers.n_ctx_train * patch * patch;
        // (LFM2's own: 64 to 256 rows, 2 to 10 tiles of 512)
        let (least, default, side, tiles) = match is_lfm {
            true => (64 * square, 256 * square, 512, [2, 10]),
            false => (4 * square, most, 0, [0, 0]),
        };
        return Ok(Processor {
            kind,
            patch,
            merge,
            side: size("hearth_tile_size", Some(side))?,
            longest_edge: 0,
            min_pixels: area("image_min_pixels", least)?,
            max_pixels: area("image_max_pixels", default)?.min(most),
            min_tiles: size("preproc_min_tiles", Some(tiles[0]))?,
            max_tiles: size("preproc_max_tiles", Some(tiles[1]))?,
            mean: channels("image_mean")?,
            std: channels("image_std")?,
        });
    }
    let side = size("image_size", None)?;
    let merge = size("projector.scale_factor", Some(merge))?.max(1);
    let per_side = side / patch;
    // (what does not fill a patch is not seen: SmolVLM2 2.2B has patches of 14 in 384)
    if !per_side.is_multiple_of(merge) || per_side == 0 || per_side * per_side != layers.n_ctx_train
    {
        return Err(wrong(
            "clip.vision.image_size",
            &format!(
                "squares of {merge} x {merge} patches, {} patches in all",
                layers.n_ctx_train
            ),
            &format!("{side} with patches of {patch}"),
        ));
    }
    Ok(Processor {
        kind,
        patch,
        merge,
        side,
        longest_edge: match kind {
            ProcessorKind::Idefics3 => size("preproc_image_size", Some(side as u32))?,
            _ => 0,
        },
        min_pixels: 0,
        max_pixels: 0,
        min_tiles: 0,
        max_tiles: 0,
        mean: channels("image_mean")?,
        std: channels("image_std")?,
    })
}
