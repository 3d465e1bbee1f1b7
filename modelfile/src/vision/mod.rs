//! Vision: how pictures are prepared, seen by a tower, and laid out among a text's tokens.

pub mod bounds;
mod layout;
pub(crate) mod mmproj;
pub mod positions;
mod processor;
mod projector;
mod rules;
mod tower;

pub use bounds::Bounds;
pub use layout::{FIRST_ROW_ID, Frames, Placed, Span};
pub use processor::{Processor, ProcessorKind};
pub use projector::{Merge, PatchPositions, Projector};
pub(crate) use rules::BILINEAR;
pub(crate) use tower::{CHANNELS_LAST, NORM_EPS, NORM_OFFSET};
pub use tower::{
    CLASS, HEAD_OUT, HEAD_QKV, HEAD_QUERY, SECOND_PATCHES, Vision, deep_names, deep_norm,
};
