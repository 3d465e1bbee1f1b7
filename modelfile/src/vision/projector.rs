//! Projectors: how the rows of a tower become rows of a text model.

use crate::container::Metadata;
use crate::error::{Error, Result};

/// A projector, by llama.cpp's name for it (`clip.projector_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projector {
    /// SmolVLM, Idefics 3: neighbours of a square side by side in one row, then a projection.
    Idefics3,
    /// Gemma 3: the mean of a square, RMSNorm, a projection.
    Gemma3,
    /// Qwen 3 VL: LayerNorm, neighbours of a square side by side, two projections; rows of layers in between as well, for the first
    /// layers of the text model.
    Qwen3Vl,
    /// LFM2-VL: neighbours of a square side by side, LayerNorm, two projections.
    Lfm2,
}

/// Ways in which learned positions are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// One for each patch: all frames have one size.
    None,
    /// Bilinear, corners on corners; patches are rotated by their places as well.
    Corners,
    /// Bilinear with edges on edges; smoothed where there are fewer patches than positions.
    Edges,
}

/// Ways in which the rows of a square become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// They are put side by side; patches come row by row.
    SideBySide,
    /// They are averaged; patches come row by row.
    Mean,
    /// They are put side by side; patches come square by square.
    InTurn,
}

impl Projector {
    /// Every projector.
    pub const ALL: [Self; 4] = [Self::Idefics3, Self::Gemma3, Self::Qwen3Vl, Self::Lfm2];

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        match self {
            Projector::Idefics3 => "idefics3",
            Projector::Gemma3 => "gemma3",
            Projector::Qwen3Vl => "qwen3vl_merger",
            Projector::Lfm2 => "lfm2",
        }
    }

    /// Reads the projector of a tower for pictures.
    ///
    /// # Errors
    /// [`Error::Metadata`] if the file names none, [`Error::UnsupportedArchitecture`] for another one.
    pub(crate) fn of(meta: &Metadata) -> Result<Self> {
        // Files with a second tower, for sound, name the projector of each.
        let name = match meta.opt_str("clip.vision.projector_type")? {
            Some(name) => name,
            None => meta.str("clip.projector_type")?,
        };
        (Self::ALL.into_iter())
            .find(|projector| projector.name() == name)
            .ok_or_else(|| Error::UnsupportedArchitecture {
                found: format!("{name} (a projector)"),
                known: Self::ALL.map(Self::name).to_vec(),
            })
    }

    /// Returns the names of the projections, between which is a GELU.
    pub const fn weights(self) -> &'static [&'static str] {
        match self {
            Projector::Idefics3 => &["mm.model.fc.weight"],
            Projector::Gemma3 => &["mm.input_projection.weight"],
            Projector::Qwen3Vl => &["mm.0.weight", "mm.2.weight"],
            Projector::Lfm2 => &["mm.1.weight", "mm.2.weight"],
        }
    }

    /// Returns the name of the norm before the projections, if there is one behind the merge: an RMSNorm for Gemma 3, a LayerNorm, which
    /// not every file has, for LFM2.
    pub const fn norm(self) -> Option<&'static str> {
        match self {
            Projector::Gemma3 => Some("mm.soft_emb_norm.weight"),
            Projector::Lfm2 => Some("mm.input_norm.weight"),
            Projector::Idefics3 | Projector::Qwen3Vl => None,
        }
    }

    /// Returns what becomes of the rows of a square.
    pub const fn merge(self) -> Merge {
        match self {
            Projector::Idefics3 | Projector::Lfm2 => Merge::SideBySide,
            Projector::Gemma3 => Merge::Mean,
            Projector::Qwen3Vl => Merge::InTurn,
        }
    }

    /// Returns whether the rows of a picture see each other both ways in the text model.
    pub const fn sees_both_ways(self) -> bool {
        matches!(self, Projector::Gemma3)
    }

    /// Returns how learned positions are taken. Where they are interpolated, pictures of any size are seen.
    pub const fn interpolation(self) -> Interpolation {
        match self {
            Projector::Idefics3 | Projector::Gemma3 => Interpolation::None,
            Projector::Qwen3Vl => Interpolation::Corners,
            Projector::Lfm2 => Interpolation::Edges,
        }
    }

    /// Returns whether pictures of any size are seen.
    pub fn sees_any_size(self) -> bool {
        self.interpolation() != Interpolation::None
    }
}
