//! The shape of a model's tower.

use std::collections::HashSet;

use super::bounds::Bounds;
use super::processor::Processor;
use super::projector::{Merge, PatchPositions, Projector};
use super::rules;
use crate::config::{MAX_CHUNK, ModelConfig};
use crate::container::{Array, Metadata, ModelHeader, TensorInfo, Value};
use crate::error::{Error, Result};
use crate::families::Activation;
use crate::families::names::bias_of;
use crate::families::siglip::TOWER_NAMES;
use crate::weight_requests::{self, WeightRequest};

/// Key of what is added to the weights of the projector's norm, which GGUF's converter has added.
pub(crate) const NORM_OFFSET: &str = "hearth.vision.norm_offset";

/// Key of the epsilon of the norm behind a tower, where it is not the tower's own.
pub(crate) const NORM_EPS: &str = "hearth.vision.norm_epsilon";

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
    /// Epsilon of the norm behind the tower.
    pub norm_eps: f32,
    pub processor: Processor,
    /// The weight of the patches has the channels of a pixel side by side.
    pub channels_last: bool,
    /// Layers of the tower whose rows are added behind the first layers of the text model, in turn.
    pub deep: Vec<usize>,
    /// Side of the grid of learned positions that are interpolated, or learned positions of an axis; 0 where there are no such.
    pub position_side: usize,
    /// Names of what moves and scales the columns of merged rows, in towers that have it.
    pub standard: Option<[&'static str; 2]>,
    /// Bounds of what projections in layers take and make, by the layer.
    pub bounds: Vec<Bounds>,
    /// Merged squares of patches in the side of a window, which is all that a patch sees in some layers; 0 where there are no windows.
    pub window: usize,
}

impl Vision {
    /// Reads a tower's header: that of a projector's file, or of a folder's tower in the same terms.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`] for another projector; [`Error::Metadata`] and [`Error::MissingTensor`].
    pub fn from_header(tower: &ModelHeader) -> Result<Self> {
        let meta = &tower.metadata;
        let projector = Projector::of(tower)?;
        check_activation(meta, projector)?;
        let layers = ModelConfig::of_family(tower, projector.tower())?;
        let processor = rules::processor(meta, projector, &layers)?;
        let name = projector.weights().last().copied().unwrap_or_default();
        let width =
            (tower.tensor(name)).ok_or_else(|| Error::MissingTensor { name: name.into() })?;
        let is_there = |name: &&str| tower.tensor(name).is_some();
        let vision = Self {
            patch_values: 3 * processor.patch * processor.patch,
            width: usize::try_from(width.n_rows()).unwrap_or(usize::MAX),
            deep: deep_layers(meta, layers.n_layers)?,
            position_side: match projector.positions() {
                PatchPositions::Corners | PatchPositions::Edges => position_side(tower)?,
                PatchPositions::OfAxes => places_of_axis(tower)?,
                _ => 0,
            },
            window: window(&layers, &processor)?,
            norm_eps: meta.opt_f32(NORM_EPS)?.unwrap_or(layers.eps),
            channels_last: meta.opt_bool(CHANNELS_LAST)?.unwrap_or(false),
            norm_offset: meta.opt_f32(NORM_OFFSET)?.unwrap_or(0.0),
            standard: (projector == Projector::Gemma4 && STANDARD.iter().any(is_there))
                .then_some(STANDARD),
            bounds: match projector {
                Projector::Gemma4 => (0..layers.n_layers).map(|i| Bounds::of(tower, i)).collect(),
                _ => Vec::new(),
            },
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

    /// Returns the rows that a frame of `grid` patches (height, width) has in the text model; one for an embedding.
    pub fn rows(&self, grid: [usize; 2]) -> usize {
        if self.projector.embeds() {
            return 1;
        }
        grid.map(|side| side / self.processor.merge)
            .iter()
            .product()
    }

    /// Returns whether the tower takes frames of `grid` patches.
    pub fn takes(&self, grid: [usize; 2]) -> bool {
        if self.projector.sees_any_size() {
            let fits = |side: usize| side > 0 && side.is_multiple_of(self.processor.merge);
            let patches = grid[0].saturating_mul(grid[1]);
            let is_axis = self.projector.positions() == PatchPositions::OfAxes;
            let has_places = !is_axis || grid.iter().all(|side| *side <= self.position_side);
            return grid.into_iter().all(fits) && patches <= self.most_patches() && has_places;
        }
        let side = self.processor.side / self.processor.patch;
        grid == [side, side]
    }

    /// Returns the most patches that the tower takes at once, and the rows before them.
    pub fn most_patches(&self) -> usize {
        self.layers.n_ctx_train
    }

    /// Refuses a text model that would take the rows otherwise.
    ///
    /// # Errors
    /// [`Error::Metadata`] for a Gemma 4 without embeddings by layer: in those (26B, 31B) rows of a picture see each other both ways in
    /// layers that slide. Only a folder says so by itself; of GGUF's it was inferred.
    pub fn check_text(&self, text: &ModelConfig) -> Result<()> {
        match self.projector == Projector::Gemma4 && text.per_layer_dim == 0 {
            false => Ok(()),
            true => Err(wrong(
                "gemma4.embedding_length_per_layer_input",
                "embeddings by layer (E2B, E4B) in a Gemma 4 that sees: pictures of larger ones are not implemented",
                "none; without the projector (mmproj) this model answers texts",
            )),
        }
    }

    /// Returns the tensors to read: matrices for the device, and small vectors.
    pub fn requests(&self, tower: &ModelHeader) -> (Vec<WeightRequest>, Vec<String>) {
        let (mut matrices, mut vectors) = weight_requests::tensors(tower, &self.layers);
        let square = self.processor.merge * self.processor.merge;
        let merged = match self.projector.merge() {
            Merge::Mean => self.layers.d_model,
            _ => self.layers.d_model * square,
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
                    by_head: false,
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
        if self.position_side > 0 || self.projector == Projector::Clip {
            vectors.push(TOWER_NAMES.position_embd.to_owned());
        }
        match self.projector {
            Projector::Clip => vectors.push(CLASS.to_owned()),
            Projector::Gemma4 => {
                vectors.extend(
                    self.standard
                        .iter()
                        .flatten()
                        .map(|name| (*name).to_owned()),
                );
                vectors.extend(self.bounds.iter().flat_map(|bounds| bounds.names.clone()));
            }
            Projector::Siglip => {
                for (name, rows) in [(HEAD_QKV, 3), (HEAD_OUT, 1)] {
                    matrices.push(WeightRequest {
                        parts: vec![(name.to_owned(), rows * self.layers.d_model)],
                        cols: self.layers.d_model,
                        experts: 1,
                        by_head: false,
                        exact: false,
                    });
                    vectors.push(bias_of(name));
                }
                vectors.push(HEAD_QUERY.to_owned());
            }
            _ => {}
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

/// Vectors of Gemma 4's tower: merged rows, times the square root of their width, less the first, times the second.
const STANDARD: [&str; 2] = ["v.std_bias", "v.std_scale"];

/// The class token of CLIP's tower.
pub const CLASS: &str = "v.class_embd";

/// Attention of SigLIP's learned query to the patches: the query, before its projection; the projections, and that of the output.
pub const HEAD_QUERY: &str = "v.head.query";
pub const HEAD_QKV: &str = "v.head.attn_qkv.weight";
pub const HEAD_OUT: &str = "v.head.attn_out.weight";

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

/// Refuses another activation than the tower's. Files name two by a flag each, the others by none.
fn check_activation(meta: &Metadata, projector: Projector) -> Result<()> {
    const GELU: &str = "clip.use_gelu";
    const SILU: &str = "clip.use_silu";
    let (gelu, silu) = (meta.opt_bool(GELU)?, meta.opt_bool(SILU)?);
    let (key, expected, is_it) = match projector.tower().activation {
        Activation::Silu => (SILU, "true", silu == Some(true) && gelu != Some(true)),
        Activation::QuickGelu => (GELU, "false", gelu != Some(true) && silu != Some(true)),
        // (absent from a folder's)
        _ => (GELU, "true", gelu != Some(false) && silu != Some(true)),
    };
    match is_it {
        true => Ok(()),
        false => Err(wrong(
            key,
            &format!("{expected}, of this kind of tower"),
            &format!("{GELU} {gelu:?}, {SILU} {silu:?}"),
        )),
    }
}

/// Returns the squares in the side of a window, if some layers have windows.
fn window(layers: &ModelConfig, processor: &Processor) -> Result<usize> {
    let side = layers.sliding_window / (processor.patch * processor.merge);
    let has_windows = layers.layers.iter().any(|layer| layer.window > 0);
    match (has_windows, side) {
        (false, _) => Ok(0),
        (true, 1..) => Ok(side),
        (true, 0) => Err(wrong(
            "clip.vision.window_size",
            "at least the side of a square of patches that are merged",
            &layers.sliding_window.to_string(),
        )),
    }
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

/// Returns the learned positions of each of the two axes.
fn places_of_axis(tower: &ModelHeader) -> Result<usize> {
    let name = TOWER_NAMES.position_embd;
    let rows = tower.tensor(name).map_or(0, |tensor| tensor.n_rows());
    match rows.is_multiple_of(2) && (2..=1 << 16).contains(&rows) {
        true => Ok(rows as usize / 2),
        false => Err(wrong(
            name,
            "as many positions of columns as of rows",
            &rows.to_string(),
        )),
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

pub(super) fn wrong(key: &str, expected: &str, found: &str) -> Error {
    Error::Metadata {
        key: key.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each tower has one activation, and files say it by two flags.
    #[test]
    fn another_activation_than_the_towers_is_refused() {
        let flags = |gelu: Option<bool>, silu: Option<bool>| {
            let gelu = gelu.map(|is| ("clip.use_gelu", Value::Bool(is)));
            let silu = silu.map(|is| ("clip.use_silu", Value::Bool(is)));
            Metadata::from_iter(gelu.into_iter().chain(silu))
        };
        let is_taken = |projector, gelu, silu| {
            let result = check_activation(&flags(gelu, silu), projector);
            if let Err(error) = &result {
                assert!(error.to_string().contains("clip.use_"), "{error}");
            }
            result.is_ok()
        };
        for (projector, gelu, quick, silu) in [
            (Projector::Idefics3, true, false, false),
            (Projector::Qwen2Vl, false, true, false),
            (Projector::Qwen25Vl, false, false, true),
            (Projector::Pixtral, false, false, true),
        ] {
            assert_eq!(is_taken(projector, Some(true), None), gelu);
            assert_eq!(is_taken(projector, Some(false), Some(false)), quick);
            assert_eq!(is_taken(projector, None, Some(true)), silu);
            assert_eq!(is_taken(projector, Some(false), Some(true)), silu);
            assert!(!is_taken(projector, Some(true), Some(true)));
        }
        assert!(is_taken(Projector::Qwen2Vl, None, None));
        assert!(!is_taken(Projector::Qwen25Vl, None, None));
    }
}
