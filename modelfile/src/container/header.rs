//! The header of a model's weights: metadata, and the place and type of each tensor.

use std::collections::HashMap;

use serde::Serialize;

use super::arrangement::Arrangement;
use super::ggml_type::GgmlType;
use super::metadata::Metadata;
use crate::error::{Error, Result};

/// Formats of a model's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "FileFormat"))]
#[serde(rename_all = "lowercase")]
pub enum Container {
    Gguf,
    Safetensors,
}

/// The parsed header of a model's weights, in GGUF's terms whatever the format.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelHeader {
    pub container: Container,
    /// The key-value pairs.
    pub metadata: Metadata,
    /// The tensors, in the file's order. Names are unique, ranges do not overlap.
    pub tensors: Vec<TensorInfo>,
    /// Offset of the tensor data, in bytes from the file's start; a multiple of the alignment.
    pub data_offset: u64,
    /// The header of the model's tower, if it sees pictures; its tensors are in the same bytes.
    pub tower: Option<Box<ModelHeader>>,
}

/// Place and storage type of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name, e.g. `"blk.0.attn_q.weight"`.
    pub name: String,
    /// 1 to 4 dimensions (to 8 in safetensors) in GGML's order, each at least 1: `shape[0]` is the contiguous one (columns).
    /// A scalar stored without dimensions has shape `[1]`.
    pub shape: Vec<u64>,
    /// The block format. `shape[0]` is a multiple of its block length.
    pub dtype: GgmlType,
    /// Offset in bytes from the file's start.
    pub offset: u64,
    /// Length in bytes, without padding.
    pub size: u64,
    /// The order in which these bytes are to be read.
    pub arrangement: Arrangement,
}

impl TensorInfo {
    /// Returns the elements per row: `shape[0]`.
    pub fn n_cols(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Returns the number of rows: the product of all dimensions but the first.
    pub fn n_rows(&self) -> u64 {
        self.shape
            .iter()
            .skip(1)
            .fold(1, |n, &dim| n.saturating_mul(dim))
    }

    /// Returns the number of the file's bytes that belong to this tensor alone: `size` in GGUF.
    pub fn own_bytes(&self) -> u64 {
        let arrangement = self.arrangement;
        let scales = arrangement.scales.or(arrangement.fp8.map(|fp8| fp8.scales));
        let scales = scales.map_or(0, |scales| scales.size);
        self.size.saturating_add(scales) / arrangement.turns.max(1)
    }

    /// Returns the bytes of this tensor in its type: those of the file, unless its elements are 8-bit floats, which become
    /// larger ones.
    pub fn kept_bytes(&self) -> u64 {
        if self.arrangement.fp8.is_none() {
            return self.own_bytes();
        }
        let elements = self.n_cols().saturating_mul(self.n_rows());
        elements.saturating_mul(self.dtype.block_bytes() as u64)
    }

    /// Returns the name of the type that the file stores.
    pub fn stored_type(&self) -> &'static str {
        match self.arrangement.fp8 {
            Some(_) => "F8_E4M3",
            None => self.dtype.name(),
        }
    }
}

/// Result of parsing a prefix.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// The whole header.
    Header(ModelHeader),
    /// The prefix does not yet contain the whole header.
    NeedMore {
        /// The prefix worth trying next, in bytes from the file's start: longer than the present one, at least
        /// twice as long if the file allows it (so that the total work stays linear), and never longer than
        /// the file if its size is known.
        at_least: u64,
    },
}

/// Returns the error for a model that compares pictures with texts, or its tower, in a GGUF file.
pub(crate) fn not_in_gguf(found: &str) -> Error {
    Error::Metadata {
        key: "clip.projector_type".into(),
        expected: "a projector into a text model; CLIP and SigLIP are read from their folders of safetensors, with tokenizer.json and preprocessor_config.json".into(),
        found: found.into(),
    }
}

/// `general.architecture` of a projector's file.
const PROJECTOR: &str = "clip";

impl ModelHeader {
    /// Returns whether this is the file of a tower and its projector (`mmproj`).
    pub(crate) fn is_projector(&self) -> bool {
        let architecture = self.metadata.opt_str("general.architecture");
        architecture.is_ok_and(|architecture| architecture == Some(PROJECTOR))
    }

    /// Returns whether this is a CLIP with both of its towers, as clip.cpp writes it.
    pub(crate) fn is_clip(&self) -> bool {
        let has_text = self.metadata.opt_bool("clip.has_text_encoder");
        has_text.is_ok_and(|has_text| has_text == Some(true))
    }

    /// Refuses a projector without its model.
    ///
    /// # Errors
    /// [`Error::Metadata`].
    pub(crate) fn check_is_model(&self) -> Result<()> {
        match self.is_projector() {
            false => Ok(()),
            true if self.is_clip() => Err(not_in_gguf("a whole CLIP")),
            true => Err(Error::Metadata {
                key: "general.architecture".into(),
                expected: "a model; this file is a projector (mmproj), which is loaded together with its model".into(),
                found: PROJECTOR.into(),
            }),
        }
    }

    /// Returns the tensor with this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// Returns the bytes of all tensors in the file.
    pub fn tensor_bytes(&self) -> u64 {
        let bytes = self.tensors.iter().map(TensorInfo::own_bytes);
        let tower = self.tower.as_ref().map_or(0, |tower| tower.tensor_bytes());
        bytes.fold(tower, u64::saturating_add)
    }

    /// Returns the bytes of all tensors once they are loaded as they are; see [`TensorInfo::kept_bytes`].
    pub fn kept_bytes(&self) -> u64 {
        let bytes = self.tensors.iter().map(TensorInfo::kept_bytes);
        let tower = self.tower.as_ref().map_or(0, |tower| tower.kept_bytes());
        bytes.fold(tower, u64::saturating_add)
    }

    /// Returns all tensors by name, for callers that look up many of them.
    pub fn by_name(&self) -> HashMap<&str, &TensorInfo> {
        let tensors = self.tensors.iter();
        tensors
            .map(|tensor| (tensor.name.as_str(), tensor))
            .collect()
    }
}
