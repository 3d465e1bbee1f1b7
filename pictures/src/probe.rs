//! The head of a picture's file: its format and size, told before anything is decoded.
//!
//! Sizes are those that are stored; an orientation (EXIF, `irot`) may exchange them. Nothing is checked beyond what is read.

mod boxes;

/// Formats that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Png,
    Jpeg,
    WebP,
    Gif,
    Bmp,
    Avif,
    /// HEVC in HEIF, which cameras of phones write and few browsers decode.
    Heic,
}

impl Format {
    /// Name in lower case, as in the MIME type `image/NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Jpeg => "jpeg",
            Format::WebP => "webp",
            Format::Gif => "gif",
            Format::Bmp => "bmp",
            Format::Avif => "avif",
            Format::Heic => "heic",
        }
    }
}

/// Facts of a picture's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub format: Format,
    /// Width and height in pixels, if the bytes reach as far as where they stand.
    pub size: Option<(u32, u32)>,
}

/// Reads the head of a file, or its first bytes: 64 KiB are enough for all but JPEGs with large previews. Nothing for other formats.
pub fn probe(bytes: &[u8]) -> Option<Facts> {
    let (format, size) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        (Format::Png, png(bytes))
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        (Format::Jpeg, jpeg(bytes))
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        (Format::WebP, webp(bytes))
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        (Format::Gif, gif(bytes))
    } else if bytes.starts_with(b"BM") {
        (Format::Bmp, Some(bmp(bytes)?))
    } else {
        boxes::heif(bytes)?
    };
    Some(Facts { format, size })
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    part(bytes, at).map(|part| u32::from(u16::from_be_bytes(part)))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    part(bytes, at).map(u32::from_be_bytes)
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    part(bytes, at).map(|part| u32::from(u16::from_le_bytes(part)))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    part(bytes, at).map(u32::from_le_bytes)
}

fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    Some((be32(bytes, 16)?, be32(bytes, 20)?))
}

fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    Some((le16(bytes, 6)?, le16(bytes, 8)?))
}

/// Returns nothing for text that begins with "BM": a header has one of few lengths.
fn bmp(bytes: &[u8]) -> Option<(u32, u32)> {
    match le32(bytes, 14)? {
        12 => Some((le16(bytes, 18)?, le16(bytes, 20)?)),
        40 | 52 | 56 | 64 | 108 | 124 => {
            // A height below 0 says that rows begin at the top.
            let [width, height] = [18, 22].map(|at| part(bytes, at).map(i32::from_le_bytes));
            Some((width?.unsigned_abs(), height?.unsigned_abs()))
        }
        _ => None,
    }
}

fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    const LOW_14: u32 = (1 << 14) - 1;
    match bytes.get(12..16)? {
        b"VP8 " if bytes.get(23..26) == Some(&[0x9d, 0x01, 0x2a]) => {
            Some((le16(bytes, 26)? & LOW_14, le16(bytes, 28)? & LOW_14))
        }
        b"VP8L" if bytes.get(20) == Some(&0x2f) => {
            let bits = le32(bytes, 21)?;
            Some(((bits & LOW_14) + 1, (bits >> 14 & LOW_14) + 1))
        }
        b"VP8X" => {
            let three = |at| {
                let [a, b, c] = part(bytes, at)?;
                Some(u32::from_le_bytes([a, b, c, 0]) + 1)
            };
            Some((three(24)?, three(27)?))
        }
        _ => None,
    }
}

/// Follows a JPEG's segments to the one that begins a frame.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        match marker {
            // A filling byte, or a marker without contents.
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            // The end, or the beginning of a scan without a frame.
            0xd9 | 0xda => return None,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let (height, width) = (be16(bytes, at + 5)?, be16(bytes, at + 7)?);
                // A height of 0 is told later, among the scans.
                return (height > 0).then_some((width, height));
            }
            _ => at += 2 + be16(bytes, at + 2)?.max(2) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_other_files_are_nothing() {
        for bytes in [
            &b""[..],
            b"BM",
            b"BMW is a car, not a picture of one",
            b"%PDF-1.7",
            b"RIFF\0\0\0\0WAVEfmt ",
            b"\0\0\0\x14ftypisom\0\0\0\0mp42",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        ] {
            assert_eq!(probe(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn files_that_end_early_have_a_format_alone() {
        for (bytes, format) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"[..], Format::Png),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Format::Jpeg),
            (b"\xff\xd8\xff\xda", Format::Jpeg),
            (b"GIF89a\x01", Format::Gif),
            (b"RIFF\0\0\0\0WEBPVP8L", Format::WebP),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Format::Heic),
            (b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1", Format::Avif),
        ] {
            assert_eq!(probe(bytes), Some(Facts { format, size: None }));
        }
    }
}
