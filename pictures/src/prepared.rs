//! Prepared pictures: frames cut into patches.

use crate::rgba::Picture;

/// A picture as a model's tower takes it, before normalisation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prepared {
    /// Width of the picture that was given, in pixels.
    pub width: usize,
    /// Height of the picture that was given, in pixels.
    pub height: usize,
    /// Rows of tiles; 0 if the picture was not cut.
    pub tiles_high: usize,
    /// Columns of tiles; 0 if the picture was not cut.
    pub tiles_wide: usize,
    /// Height and width of each frame in patches: tiles by rows from the top, then the whole picture.
    pub grids: Vec<[usize; 2]>,
    /// Bytes of all frames one after the other, each `[patches, 3, patch, patch]`.
    pub pixels: Vec<u8>,
}

/// Order and size of patches.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Side in patches of the blocks that patches are ordered by; 1: by rows alone.
    pub block: usize,
}

impl Prepared {
    /// Adds a frame: as many whole patches as fit into `height` and `width` pixels from `top` and `left` on. What is left at the right
    /// and at the bottom is dropped, as by a convolution without padding (384 pixels are 27 patches of 14).
    pub(crate) fn add(
        &mut self,
        picture: &Picture,
        [top, left]: [usize; 2],
        [height, width]: [usize; 2],
        cut: Cut,
    ) {
        let Cut { patch, block } = cut;
        let (high, wide) = (height / patch, width / patch);
        self.grids.push([high, wide]);
        self.pixels.reserve(high * wide * 3 * patch * patch);
        for block_y in (0..high).step_by(block) {
            for block_x in (0..wide).step_by(block) {
                for y in block_y..high.min(block_y + block) {
                    for x in block_x..wide.min(block_x + block) {
                        self.add_patch(picture, [top + y * patch, left + x * patch], patch);
                    }
                }
            }
        }
    }

    fn add_patch(&mut self, picture: &Picture, [top, left]: [usize; 2], patch: usize) {
        for channel in 0..3 {
            for y in top..top + patch {
                let start = (y * picture.width + left) * 4;
                let row = &picture.bytes[start..start + patch * 4];
                let values = row.as_chunks::<4>().0.iter().map(|pixel| pixel[channel]);
                self.pixels.extend(values);
            }
        }
    }

    /// Adds the whole picture as a frame.
    pub(crate) fn add_whole(&mut self, picture: &Picture, cut: Cut) {
        self.add(picture, [0, 0], [picture.height, picture.width], cut);
    }

    /// Cuts the picture into tiles of `side` by `side` pixels, which fill it, and adds them by rows from the top.
    pub(crate) fn add_tiles(&mut self, picture: &Picture, side: usize, cut: Cut) {
        self.tiles_high = picture.height / side;
        self.tiles_wide = picture.width / side;
        for row in 0..self.tiles_high {
            for column in 0..self.tiles_wide {
                self.add(picture, [row * side, column * side], [side, side], cut);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_have_the_stated_order() {
        // Red is the place, green 100 more, blue 200 more; 5 columns, of which the last is dropped.
        let rgba = (0..20_u8).flat_map(|i| [i, i + 100, i + 200, 255]);
        let picture = Picture::from_rgba(rgba.collect(), 5, 4).unwrap();
        let firsts = |cut| {
            let mut prepared = Prepared::default();
            prepared.add_whole(&picture, cut);
            (prepared.grids.clone(), prepared.pixels)
        };
        let (grids, pixels) = firsts(Cut { patch: 2, block: 1 });
        assert_eq!(grids, [[2, 2]]);
        assert_eq!(
            pixels[..12],
            [0, 1, 5, 6, 100, 101, 105, 106, 200, 201, 205, 206]
        );
        assert_eq!([pixels[12], pixels[24], pixels[36]], [2, 10, 12]);
        let (grids, pixels) = firsts(Cut { patch: 1, block: 2 });
        assert_eq!(grids, [[4, 5]]);
        let red: Vec<u8> = pixels.iter().step_by(3).copied().collect();
        assert_eq!(
            red,
            [
                0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 15, 16, 12, 13, 17, 18, 14, 19
            ]
        );
    }
}
