//! Pictures in boxes (HEIF): AVIF and HEIC.

use super::{Format, be32, part};

/// Boxes that are looked at in one list, so that a hostile file ends.
const MOST_BOXES: usize = 1_000;

/// Reads the brands of a file, and the size of its largest picture: the others are its tiles and previews. Nothing for other files.
pub fn heif(bytes: &[u8]) -> Option<(Format, Option<(u32, u32)>)> {
    let (kind, brands) = boxes(bytes).next()?;
    if &kind != b"ftyp" {
        return None;
    }
    let brands = brands.as_chunks::<4>().0;
    let format = if brands.iter().any(|b| matches!(b, b"avif" | b"avis")) {
        Format::Avif
    } else if brands
        .iter()
        .any(|b| b.starts_with(b"hei") || b.starts_with(b"hev") || b == b"mif1")
    {
        Format::Heic
    } else {
        return None;
    };
    Some((format, size(bytes)))
}

fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    // (a version and flags come first)
    let meta = inner(bytes, b"meta")?.get(4..)?;
    let properties = inner(inner(meta, b"iprp")?, b"ipco")?;
    let sizes = boxes(properties).filter(|(kind, _)| kind == b"ispe");
    let sizes = sizes.filter_map(|(_, ispe)| Some((be32(ispe, 4)?, be32(ispe, 8)?)));
    sizes.max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
}

/// Returns the contents of the first box of a type.
fn inner<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes)
        .find(|(kind, _)| kind == wanted)
        .map(|(_, contents)| contents)
}

/// Yields each box's type and contents, as far as they are there.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let next = move || {
        let kind = part(bytes, 4)?;
        let (start, length) = match be32(bytes, 0)? {
            0 => (8, bytes.len() as u64),
            1 => (16, u64::from_be_bytes(part(bytes, 8)?)),
            length => (8, u64::from(length)),
        };
        let end = length.min(bytes.len() as u64) as usize;
        let contents = bytes.get(start..end)?;
        bytes = &bytes[end..];
        Some((kind, contents))
    };
    std::iter::from_fn(next).take(MOST_BOXES)
}
