//! Gemma 3: the picture stretched to a square. `Gemma3ImageProcessorPil` of transformers, without pan and scan, which is off there.

use hearth_modelfile::vision::Processor;

use crate::Prepared;
use crate::prepared::Cut;
use crate::resample::Filter;
use crate::rgba::Picture;

/// Prepares the one frame that the model sees, whatever the detail.
pub fn prepare(mut picture: Picture, processor: &Processor, into: &mut Prepared) {
    picture.resize(processor.side, processor.side, Filter::Bilinear);
    let cut = Cut {
        patch: processor.patch,
        block: 1,
    };
    into.add_whole(&picture, cut);
}
