//! Reader of WAV files: RIFF with PCM of 8, 16, 24 and 32 bits or 32-bit floats, plain or extensible.

use hearth_modelfile::{Error, Result};

use crate::{bad, not_finite};

/// Sound of one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Samples a second.
    pub rate: u32,
    /// Samples, nominally in -1..=1; floats of a file are not clipped.
    pub samples: Vec<f32>,
}

/// Encoding of one sample in the file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Encoding {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
}

struct Format {
    encoding: Encoding,
    channels: usize,
    rate: u32,
}

/// Reads a whole WAV file and mixes its channels down to their mean.
///
/// A recorder that streams writes 0 or 2^32 - 1 as the length of `data`, not knowing it: the samples then reach to the end of the file.
///
/// # Errors
/// [`Error::BadAudio`], which says what is wrong.
pub fn read(bytes: &[u8]) -> Result<Sound> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err(bad(
            "it is no WAV file: it does not begin with RIFF and WAVE",
        ));
    }
    let mut rest = bytes.get(12..).unwrap_or_default();
    let mut format = None;
    loop {
        let (Some(id), Some(length)) = (rest.get(..4), u32_at(rest, 4)) else {
            return Err(truncated(if format.is_none() {
                "header"
            } else {
                "chunks, before `data`"
            }));
        };
        let body = rest.get(8..).unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match id {
            b"fmt " => {
                let chunk = body
                    .get(..length)
                    .ok_or_else(|| truncated("chunk `fmt `"))?;
                format = Some(read_format(chunk)?);
            }
            b"data" => {
                let format = format.ok_or_else(|| bad("`data` comes before `fmt `"))?;
                let unknown = length == 0 || length >= u32::MAX as usize;
                let data = if unknown {
                    body
                } else {
                    body.get(..length).ok_or_else(|| truncated("samples"))?
                };
                return samples(data, &format);
            }
            _ => {}
        }
        // Chunks begin at even offsets.
        rest = length
            .checked_add(length & 1)
            .and_then(|skip| body.get(skip..))
            .ok_or_else(|| truncated("chunks, before `data`"))?;
    }
}

fn read_format(chunk: &[u8]) -> Result<Format> {
    let short = || truncated("chunk `fmt `");
    let mut tag = u16_at(chunk, 0).ok_or_else(short)?;
    let channels = u16_at(chunk, 2).ok_or_else(short)?;
    let rate = u32_at(chunk, 4).ok_or_else(short)?;
    let block = u16_at(chunk, 12).ok_or_else(short)?;
    let bits = u16_at(chunk, 14).ok_or_else(short)?;
    if tag == 0xFFFE {
        // Extensible: the real tag begins a GUID whose other 14 bytes are always the same.
        const REST: &[u8] = &[0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
        tag = u16_at(chunk, 24).ok_or_else(short)?;
        if chunk.get(26..40) != Some(REST) {
            return Err(bad("an extensible file with an unknown subformat"));
        }
        let valid = u16_at(chunk, 18).ok_or_else(short)?;
        if valid > bits {
            return Err(bad(format!("{valid} valid bits in samples of {bits}")));
        }
    }
    let encoding = match (tag, bits) {
        (1, 8) => Encoding::Unsigned8,
        (1, 16) => Encoding::Signed16,
        (1, 24) => Encoding::Signed24,
        (1, 32) => Encoding::Signed32,
        (3, 32) => Encoding::Float32,
        _ => {
            return Err(bad(format!(
                "format tag {tag} with {bits} bits is not supported; PCM of 8, 16, 24 and 32 bits and 32-bit floats are"
            )));
        }
    };
    if channels == 0 {
        return Err(bad("it has 0 channels"));
    }
    if u32::from(block) != u32::from(channels) * u32::from(bits / 8) {
        return Err(bad(format!(
            "frames of {block} bytes for {channels} channels of {bits} bits"
        )));
    }
    check_rate(rate)?;
    Ok(Format {
        encoding,
        channels: usize::from(channels),
        rate,
    })
}

fn truncated(part: &str) -> Error {
    bad(format!(
        "the WAV file ends within its {part}; was it downloaded or recorded to its end?"
    ))
}

/// Returns the error of a rate that cannot be resampled.
pub(crate) fn bad_rate(rate: u32) -> Error {
    bad(format!(
        "its rate is {rate} Hz; 1,000 to 768,000 Hz in a simple ratio to 16,000 are supported"
    ))
}

/// Refuses rates that no recorder has, so that resampling stays bounded.
pub(crate) fn check_rate(rate: u32) -> Result<()> {
    if (1_000..=768_000).contains(&rate) {
        Ok(())
    } else {
        Err(bad_rate(rate))
    }
}

fn samples(data: &[u8], format: &Format) -> Result<Sound> {
    let width = match format.encoding {
        Encoding::Unsigned8 => 1,
        Encoding::Signed16 => 2,
        Encoding::Signed24 => 3,
        Encoding::Signed32 | Encoding::Float32 => 4,
    };
    let frame = width * format.channels;
    if !data.len().is_multiple_of(frame) {
        return Err(truncated("last frame"));
    }
    let samples: Vec<f32> = data
        .chunks_exact(frame)
        .map(|frame| {
            let sum: f64 = frame
                .chunks_exact(width)
                .map(|bytes| decode(bytes, format.encoding))
                .sum();
            (sum / format.channels as f64) as f32
        })
        .collect();
    if samples.iter().all(|sample| sample.is_finite()) {
        Ok(Sound {
            rate: format.rate,
            samples,
        })
    } else {
        Err(not_finite())
    }
}

fn decode(bytes: &[u8], encoding: Encoding) -> f64 {
    match (encoding, bytes) {
        (Encoding::Unsigned8, &[a]) => (f64::from(a) - 128.0) / 128.0,
        (Encoding::Signed16, &[a, b]) => f64::from(i16::from_le_bytes([a, b])) / 32_768.0,
        (Encoding::Signed24, &[a, b, c]) => {
            f64::from(i32::from_le_bytes([0, a, b, c])) / 2_147_483_648.0
        }
        (Encoding::Signed32, &[a, b, c, d]) => {
            f64::from(i32::from_le_bytes([a, b, c, d])) / 2_147_483_648.0
        }
        (Encoding::Float32, &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
        _ => 0.0,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..at + 2)?
        .try_into()
        .ok()
        .map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .try_into()
        .ok()
        .map(u32::from_le_bytes)
}
