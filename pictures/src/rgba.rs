//! Pictures in memory, and transparency composited on white.

use hearth_modelfile::Result;

use crate::bad;
use crate::limits::check_size;

/// A picture of RGB in 8 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Rows from the top, four bytes a pixel: red, green, blue, and one that nobody reads. Four make a vector.
    pub(crate) bytes: Vec<u8>,
}

impl Picture {
    /// Composites straight RGBA, `width * height * 4` bytes, on white: `(c * a + 255 * (255 - a)) / 255`, rounded to nearest (there
    /// are no ties), which is what Pillow's `alpha_composite` gives, and with it `convert_to_rgb` of transformers. The memory is
    /// used again.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::BadPicture`] for a side of 0 or above [`crate::MAX_SIDE`], more than [`crate::MAX_PIXELS`], or
    /// another number of bytes.
    pub fn from_rgba(rgba: Vec<u8>, width: usize, height: usize) -> Result<Self> {
        check_size(width, height)?;
        let expected = width as u64 * height as u64 * 4;
        if rgba.len() as u64 != expected {
            return Err(bad(format!(
                "{width} x {height} pixels are {expected} bytes of RGBA, {} were given",
                rgba.len()
            )));
        }
        let mut bytes = rgba;
        for [red, green, blue, alpha] in bytes.as_chunks_mut().0 {
            if *alpha != 255 {
                for channel in [red, green, blue] {
                    *channel = on_white(*channel, *alpha);
                }
            }
        }
        Ok(Self {
            width,
            height,
            bytes,
        })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Red, green and blue of each pixel, rows from the top.
    pub fn rgb(&self) -> impl Iterator<Item = [u8; 3]> {
        let pixels = self.bytes.as_chunks::<4>().0.iter();
        pixels.map(|[red, green, blue, _]| [*red, *green, *blue])
    }
}

fn on_white(channel: u8, alpha: u8) -> u8 {
    let (channel, alpha) = (u32::from(channel), u32::from(alpha));
    ((channel * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_are_wrong_are_refused() {
        let code = |bytes, width, height| {
            let picture = Picture::from_rgba(vec![0; bytes], width, height);
            picture.err().map(|error| error.code())
        };
        assert_eq!(code(4, 1, 1), None);
        for (bytes, width, height) in [
            (0, 0, 0),
            (0, 0, 5),
            (0, 5, 0),
            (3, 1, 1),
            (5, 1, 1),
            (8, 1, 1),
            (0, 65_536, 1),
            (0, 1, usize::MAX),
            (0, 65_535, 65_535),
        ] {
            assert_eq!(
                code(bytes, width, height),
                Some("bad_picture"),
                "{width} x {height}"
            );
        }
    }

    #[test]
    fn nothing_is_white() {
        let rgba = vec![9, 8, 7, 0, 9, 8, 7, 255];
        let picture = Picture::from_rgba(rgba, 2, 1).unwrap();
        let pixels: Vec<_> = picture.rgb().collect();
        assert_eq!(pixels, [[255; 3], [9, 8, 7]]);
    }
}
