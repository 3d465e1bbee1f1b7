//! The modules of a weight's packing: how a kernel unpacks a block, and the use that it makes of one.

use hearth_cpu::formats::{FP4_TABLE, IQ4_TABLE};
use hearth_modelfile::quant::Packing;

use crate::ops::kernel::{Kernel, Module, modules};
use crate::platform::SUBGROUP_DIRECTIVE;

/// Every packing, for [`crate::ops::registry`] and tools.
pub const PACKINGS: [Packing; 22] = [
    Packing::F32,
    Packing::F16,
    Packing::BF16,
    Packing::Q2,
    Packing::Q3,
    Packing::Q4,
    Packing::Q4S,
    Packing::Q4K,
    Packing::Iq4,
    Packing::Fp4,
    Packing::Q5,
    Packing::Q6,
    Packing::Q8,
    Packing::Q1,
    Packing::Q2S,
    Packing::Iq2Xxs,
    Packing::Iq2Xs,
    Packing::Iq2S,
    Packing::Iq3Xxs,
    Packing::Iq3S,
    Packing::Iq1,
    Packing::Nvfp4,
];

/// Returns the number of columns that the kernels take at once; a row must be a multiple of it.
pub const fn kernel_block(packing: Packing) -> u32 {
    match packing {
        Packing::F32 => 4,
        Packing::F16 | Packing::BF16 => 8,
        _ => 32,
    }
}

/// Returns the number of buffers that a weight binds: quants, and scales if the packing has them. It is
/// `WEIGHT_BUFFERS` of the packing's module.
pub(in crate::ops) const fn weight_buffers(packing: Packing) -> u32 {
    1 + (packing.scale_words_per_block() > 0) as u32
}

/// Returns the module that unpacks a block of `packing`.
fn unpack(packing: Packing) -> &'static Module {
    match packing {
        Packing::F32 => &modules::UNPACK_F32,
        Packing::F16 => &modules::UNPACK_F16,
        Packing::BF16 => &modules::UNPACK_BF16,
        Packing::Q2 => &modules::UNPACK_Q2,
        Packing::Q3 => &modules::UNPACK_Q3,
        Packing::Q4 | Packing::Q4S | Packing::Q4K => &modules::UNPACK_Q4,
        Packing::Iq4 | Packing::Fp4 => &modules::UNPACK_TABLE,
        Packing::Nvfp4 => &modules::UNPACK_NVFP4,
        Packing::Q5 => &modules::UNPACK_Q5,
        Packing::Q6 => &modules::UNPACK_Q6,
        Packing::Q8 => &modules::UNPACK_Q8,
        Packing::Q1 => &modules::UNPACK_Q1,
        Packing::Q2S => &modules::UNPACK_Q2S,
        Packing::Iq2Xxs
        | Packing::Iq2Xs
        | Packing::Iq2S
        | Packing::Iq3Xxs
        | Packing::Iq3S
        | Packing::Iq1 => &modules::UNPACK_GRID,
    }
}

/// Returns the words of scales of `rows` rows on a GPU; the packing's grid comes after them.
pub(in crate::ops) fn scale_words(packing: Packing, rows: usize, cols: usize) -> usize {
    rows * packing.blocks_per_row(cols) * packing.scale_words_per_block()
}

/// Returns the bytes of a packing's grid in workgroup memory: that of `Iq1` is read where it lies.
pub(in crate::ops) fn copied_grid_bytes(packing: Packing) -> usize {
    match packing {
        Packing::Iq1 => 0,
        _ => 2 * packing.grid().len(),
    }
}

/// Returns the words of a packing's grid, two entries each, the first one low.
pub(in crate::ops) fn grid_words(packing: Packing) -> Vec<u32> {
    let pairs = packing.grid().as_chunks::<2>().0.iter();
    pairs
        .map(|[a, b]| u32::from(*a) | u32::from(*b) << 16)
        .collect()
}

impl Kernel {
    /// Adds the module that unpacks blocks of `packing`, with that of its scales, its table or the place of its grid, which
    /// is after the scales of `rows` rows.
    pub(in crate::ops) fn unpacks(self, packing: Packing, rows: u32, cols: u32) -> Self {
        let kernel = self.module(unpack(packing));
        let (format, of_entries) = match packing {
            Packing::Q4 => return kernel.module(&modules::SCALES_Q4),
            Packing::Q4S => return kernel.module(&modules::SCALES_Q4S),
            Packing::Q4K => return kernel.module(&modules::SCALES_Q4K),
            Packing::Iq4 => return kernel.module(&modules::TABLE).table(&IQ4_TABLE),
            Packing::Fp4 | Packing::Nvfp4 => {
                return kernel.module(&modules::TABLE).table(&FP4_TABLE);
            }
            Packing::Iq2Xxs => (&modules::GRID_IQ2_XXS, &modules::GRID_OF_EIGHT),
            Packing::Iq2Xs => (&modules::GRID_IQ2_XS, &modules::GRID_OF_EIGHT),
            Packing::Iq2S => (&modules::GRID_IQ2_S, &modules::GRID_OF_EIGHT),
            Packing::Iq3Xxs => (&modules::GRID_IQ3_XXS, &modules::GRID_OF_FOUR),
            Packing::Iq3S => (&modules::GRID_IQ3_S, &modules::GRID_OF_FOUR),
            Packing::Iq1 => (&modules::GRID_IQ1, &modules::GRID_OF_THREE),
            _ => return kernel,
        };
        let at = scale_words(packing, rows as usize, cols as usize);
        kernel
            .module(format)
            .module(of_entries)
            .module(match copied_grid_bytes(packing) {
                0 => &modules::GRID_IN_PLACE,
                _ => &modules::GRID_COPIED,
            })
            .u32s([("GRID_AT", at as u32)])
    }

    /// Adds the modules that unpack blocks of `packing` and store them with the kernel's `put`.
    pub(in crate::ops) fn stores_blocks(self, packing: Packing, rows: u32, cols: u32) -> Self {
        self.unpacks(packing, rows, cols)
            .module(match kernel_block(packing) {
                4 => &modules::STORE_BLOCK1,
                8 => &modules::STORE_BLOCK2,
                _ => &modules::STORE_BLOCK8,
            })
    }

    /// Adds the modules that unpack blocks of `packing` and add their products to the sums of a tile: a whole block at
    /// once or, where registers are few, piece by piece.
    pub(in crate::ops) fn adds_blocks(
        self,
        packing: Packing,
        rows: u32,
        cols: u32,
        by_piece: bool,
    ) -> Self {
        self.unpacks(packing, rows, cols)
            .module(match kernel_block(packing) {
                4 => &modules::TILE_BLOCK1,
                8 => &modules::TILE_BLOCK2,
                _ if by_piece => &modules::TILE_PIECE8,
                _ => &modules::TILE_BLOCK8,
            })
    }

    /// Adds the module that sums over the threads which share rows: within a subgroup, or through workgroup memory.
    pub(in crate::ops) fn reduces(self, subgroups: bool) -> Self {
        if subgroups {
            self.directive(SUBGROUP_DIRECTIVE)
                .module(&modules::REDUCE_SUBGROUP)
        } else {
            self.module(&modules::REDUCE_SHARED)
        }
    }
}
