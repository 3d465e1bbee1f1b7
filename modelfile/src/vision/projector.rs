//! Projectors: how the rows of a tower become rows of a text model, or an embedding.

use crate::container::ModelHeader;
use crate::error::{Error, Result};
use crate::families::ModelSpec;
use crate::families::clip::CLIP_TOWER;
use crate::families::siglip::{QWEN3VL_TOWER, SIGLIP, SIGLIP2};
use crate::families::towers::{
    GEMMA4_TOWER, PIXTRAL, PIXTRAL_UNMERGED, QWEN2VL_TOWER, QWEN25VL_TOWER,
};

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
    /// Qwen 2 VL: Qwen 3 VL's without rows of layers in between.
    Qwen2Vl,
    /// Qwen 2.5 VL: the same with RMSNorm.
    Qwen25Vl,
    /// Mistral 3: RMSNorm, a projection of the neighbours of a square by their channels, two more.
    Pixtral,
    /// Pixtral 12B: two projections of each row. Files call it `pixtral` as well.
    PixtralUnmerged,
    /// CLIP: the class token's row, projected. No text model takes it: it is an embedding.
    Clip,
    /// SigLIP: what a learned query attends to, and a feed-forward block; an embedding as well.
    Siglip,
    /// Gemma 4: the mean of a square, in larger models moved and scaled by column, RMSNorm without weights, a projection.
    Gemma4,
}

/// Weight that merges the rows of a square, by which files with Mistral 3's projector are known.
const MERGER: &str = "mm.patch_merger.weight";

/// Positions of patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchPositions {
    /// One is learned for each patch: all frames have one size.
    Learned,
    /// Learned ones are interpolated bilinearly, corners on corners; patches are rotated by their places as well.
    Corners,
    /// Learned ones are interpolated bilinearly with edges on edges; smoothed where there are fewer patches than positions.
    Edges,
    /// Patches are rotated by their places.
    Rotated,
    /// They are rotated by their places, and columns turn by frequencies that lie between those of rows.
    RotatedApart,
    /// One is learned for each column and one for each row, and half of a head is rotated by each.
    OfAxes,
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
    /// Their first columns are put side by side, then their second ones, and so on; patches come row by row.
    ByColumn,
}

impl Projector {
    /// Every projector.
    pub const ALL: [Self; 11] = [
        Self::Idefics3,
        Self::Gemma3,
        Self::Qwen3Vl,
        Self::Lfm2,
        Self::Qwen2Vl,
        Self::Qwen25Vl,
        Self::Pixtral,
        Self::PixtralUnmerged,
        Self::Clip,
        Self::Siglip,
        Self::Gemma4,
    ];

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        match self {
            Projector::Idefics3 => "idefics3",
            Projector::Gemma3 => "gemma3",
            Projector::Qwen3Vl => "qwen3vl_merger",
            Projector::Lfm2 => "lfm2",
            Projector::Qwen2Vl => "qwen2vl_merger",
            Projector::Qwen25Vl => "qwen2.5vl_merger",
            Projector::Pixtral | Projector::PixtralUnmerged => "pixtral",
            Projector::Clip => "clip",
            Projector::Siglip => "siglip",
            Projector::Gemma4 => "gemma4v",
        }
    }

    /// Reads the projector of a tower for pictures.
    ///
    /// # Errors
    /// [`Error::Metadata`] if the file names none, [`Error::UnsupportedArchitecture`] for another one.
    pub(crate) fn of(header: &ModelHeader) -> Result<Self> {
        let meta = &header.metadata;
        // Files with a second tower, for sound, name the projector of each.
        let name = match meta.opt_str("clip.vision.projector_type")? {
            Some(name) => name,
            None => meta.str("clip.projector_type")?,
        };
        (Self::ALL.into_iter())
            .find(|projector| projector.name() == name)
            .map(|projector| projector.by_tensors(header))
            .ok_or_else(|| Error::UnsupportedArchitecture {
                found: format!("{name} (a projector: without it the model answers texts)"),
                known: (Self::ALL.into_iter())
                    .filter(|one| !one.embeds() && *one != Projector::PixtralUnmerged)
                    .map(Self::name)
                    .collect(),
            })
    }

    /// Tells projectors with one name apart by what the file has.
    fn by_tensors(self, header: &ModelHeader) -> Self {
        match self {
            Projector::Pixtral if header.tensor(MERGER).is_none() => Projector::PixtralUnmerged,
            one => one,
        }
    }

    /// Returns whether pictures are seen by Pixtral, whose rows of patches are lines of the text.
    pub const fn is_pixtral(self) -> bool {
        matches!(self, Projector::Pixtral | Projector::PixtralUnmerged)
    }

    /// Returns the spec of the tower before it.
    pub(crate) const fn tower(self) -> &'static ModelSpec {
        match self {
            Projector::Idefics3 | Projector::Gemma3 | Projector::Siglip => &SIGLIP,
            Projector::Qwen3Vl => &QWEN3VL_TOWER,
            Projector::Lfm2 => &SIGLIP2,
            Projector::Qwen2Vl => &QWEN2VL_TOWER,
            Projector::Qwen25Vl => &QWEN25VL_TOWER,
            Projector::Pixtral => &PIXTRAL,
            Projector::PixtralUnmerged => &PIXTRAL_UNMERGED,
            Projector::Clip => &CLIP_TOWER,
            Projector::Gemma4 => &GEMMA4_TOWER,
        }
    }

    /// Returns the names of the projections. Before the last of several is a GELU.
    pub const fn weights(self) -> &'static [&'static str] {
        match self {
            Projector::Idefics3 => &["mm.model.fc.weight"],
            Projector::Gemma3 | Projector::Gemma4 => &["mm.input_projection.weight"],
            Projector::Qwen2Vl | Projector::Qwen25Vl | Projector::Qwen3Vl => {
                &["mm.0.weight", "mm.2.weight"]
            }
            Projector::Lfm2 | Projector::PixtralUnmerged => &["mm.1.weight", "mm.2.weight"],
            Projector::Clip => &["mm.visual_projection.weight"],
            Projector::Siglip => &["v.head.ffn_up.weight", "v.head.ffn_down.weight"],
            Projector::Pixtral => &[MERGER, "mm.1.weight", "mm.2.weight"],
        }
    }

    /// Returns whether the projection before the GELU may lack a bias.
    pub const fn may_lack_bias(self) -> bool {
        self.is_pixtral()
    }

    /// Returns the name of the norm before the projections, if there is one behind the merge: an RMSNorm for Gemma 3, a LayerNorm, which
    /// not every file has, for LFM2.
    pub const fn norm(self) -> Option<&'static str> {
        match self {
            Projector::Gemma3 => Some("mm.soft_emb_norm.weight"),
            Projector::Lfm2 => Some("mm.input_norm.weight"),
            Projector::Siglip => Some("v.head.ln.weight"),
            _ => None,
        }
    }

    /// Returns what becomes of the rows of a square.
    pub const fn merge(self) -> Merge {
        match self {
            Projector::Idefics3
            | Projector::Lfm2
            | Projector::PixtralUnmerged
            | Projector::Clip
            | Projector::Siglip => Merge::SideBySide,
            Projector::Gemma3 | Projector::Gemma4 => Merge::Mean,
            Projector::Qwen2Vl | Projector::Qwen25Vl | Projector::Qwen3Vl => Merge::InTurn,
            Projector::Pixtral => Merge::ByColumn,
        }
    }

    /// Returns whether a picture becomes one row, which is compared with those of texts.
    pub const fn embeds(self) -> bool {
        matches!(self, Projector::Clip | Projector::Siglip)
    }

    /// Returns the rows before those of patches.
    pub const fn rows_before(self) -> usize {
        matches!(self, Projector::Clip) as usize
    }

    /// Returns whether the rows of a picture see each other both ways in the text model.
    pub const fn sees_both_ways(self) -> bool {
        matches!(self, Projector::Gemma3)
    }

    /// Returns whether the text model places rows by height and width.
    pub const fn places_in_three(self) -> bool {
        matches!(self.merge(), Merge::InTurn)
    }

    /// Returns the positions of patches.
    pub const fn positions(self) -> PatchPositions {
        match self {
            Projector::Idefics3 | Projector::Gemma3 | Projector::Clip | Projector::Siglip => {
                PatchPositions::Learned
            }
            Projector::Qwen3Vl => PatchPositions::Corners,
            Projector::Lfm2 => PatchPositions::Edges,
            Projector::Qwen2Vl | Projector::Qwen25Vl => PatchPositions::Rotated,
            Projector::Pixtral | Projector::PixtralUnmerged => PatchPositions::RotatedApart,
            Projector::Gemma4 => PatchPositions::OfAxes,
        }
    }

    /// Returns whether pictures of any size are seen.
    pub fn sees_any_size(self) -> bool {
        self.positions() != PatchPositions::Learned
    }

    /// Returns whether some positions are learned.
    pub const fn learns_positions(self) -> bool {
        matches!(
            self.positions(),
            PatchPositions::Learned
                | PatchPositions::Corners
                | PatchPositions::Edges
                | PatchPositions::OfAxes
        )
    }
}
