//! Pipelines of a model, created while its weights arrive, so that none is left for the moment after the last byte.

use super::outline::{OutlineOptions, Step, outline_as_loaded};
use crate::ops::Ops;
use crate::ops::kernel::Kernel;
use hearth_modelfile::container::ModelHeader;
use hearth_modelfile::quant::quantize::Quantize;

/// Percentage of the bytes at which the last pipeline is asked for: a driver takes a while for it.
const DONE_AT: u64 = 80;

/// Kernels of a model's steps whose pipelines are still to be created.
#[derive(Default)]
pub(crate) struct Pipelines {
    kernels: Vec<Kernel>,
    /// Number of kernels at first.
    all: u64,
}

/// Properties of the steps that a loaded model will take.
pub(crate) struct Steps {
    pub(crate) options: OutlineOptions,
    /// Largest storage binding, in bytes.
    pub(crate) binding: u64,
    pub(crate) quantize: Option<Quantize>,
    pub(crate) drafts: bool,
}

impl Pipelines {
    /// Lists the kernels of a short and a long piece of a prompt, of a token and, if they are made, of drafts. A
    /// header that cannot be outlined has none: what is wrong with it shows when the model is built.
    pub(crate) fn new(gguf: &ModelHeader, steps: &Steps) -> Self {
        let chunk = steps.options.tuning.chunk;
        let mut kinds = vec![Step::Prefill(2), Step::Decode, Step::Prefill(chunk)];
        if steps.drafts {
            kinds.push(Step::Drafts);
        }
        let mut kernels = Vec::new();
        for step in kinds {
            let options = OutlineOptions {
                step,
                ..steps.options
            };
            let outline = outline_as_loaded(gguf, options, steps.binding, steps.quantize);
            for launch in outline.unwrap_or_default() {
                if !kernels.contains(&launch.kernel) {
                    kernels.push(launch.kernel);
                }
            }
        }
        // The first comes last, to be taken first.
        kernels.reverse();
        Self {
            all: kernels.len() as u64,
            kernels,
        }
    }

    /// Creates as many pipelines as belong to `loaded` of `total` bytes of weights; `total` is 0 while it is unknown.
    pub(crate) fn create(&mut self, ops: &Ops, loaded: u64, total: u64) {
        let due = match total {
            0 => self.all - self.kernels.len() as u64 + 1,
            // (in u128, as nobody has checked the file's length against anything)
            _ => {
                let share = u128::from(self.all) * u128::from(loaded) * 100;
                share.div_ceil(u128::from(total) * u128::from(DONE_AT)) as u64
            }
        };
        while self.all - (self.kernels.len() as u64) < due.min(self.all) {
            let Some(kernel) = self.kernels.pop() else {
                break;
            };
            ops.prepare(kernel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::kernel::modules;
    use crate::ops::{Tuning, cpu_handle};

    fn left(loads: &[(u64, u64)]) -> Vec<usize> {
        let ops = Ops::new(&cpu_handle(), Tuning::LARGE_GPU);
        let kernels = (0..8).map(|n| Kernel::new(&modules::NORM, n)).collect();
        let mut pipelines = Pipelines { kernels, all: 8 };
        loads
            .iter()
            .map(|(loaded, total)| {
                pipelines.create(&ops, *loaded, *total);
                pipelines.kernels.len()
            })
            .collect()
    }

    #[test]
    fn each_piece_of_the_file_has_its_share() {
        let loads = [
            (0, 100),
            (10, 100),
            (10, 100),
            (40, 100),
            (79, 100),
            (80, 100),
            (100, 100),
        ];
        assert_eq!(left(&loads), [8, 7, 7, 4, 0, 0, 0]);
    }

    #[test]
    fn a_file_of_unknown_length_gets_one_for_each_piece() {
        assert_eq!(left(&[(1, 0), (2, 0), (900, 0)]), [7, 6, 5]);
    }

    #[test]
    fn any_length_is_taken() {
        assert_eq!(left(&[(u64::MAX, u64::MAX), (u64::MAX, 1)]), [0, 0]);
    }
}
