//! Pictures that requests may refer to: frames as the tower takes them, and the rows that it made of them.
//!
//! A picture is added before the request that shows it, and known by its key, which is a hash of its frames. Its rows are kept
//! for the next requests, so that it is looked at once.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::model::tower::FrameRows;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::text::template::Message;
use hearth_modelfile::vision::{Frames, Vision};

/// A picture's key.
pub(crate) type Key = [u8; 32];

/// Bytes of pictures that are kept beyond those of the running request.
const MOST_BYTES: usize = 256 << 20;

/// Pictures by their keys.
#[derive(Default)]
pub(crate) struct Pictures {
    kept: HashMap<Key, Picture>,
    /// Number of uses so far.
    uses: u64,
}

/// A picture.
pub(crate) struct Picture {
    pub(crate) frames: Frames,
    /// All frames: [patches, 3, patch, patch].
    pixels: Vec<u8>,
    /// Bytes of a patch.
    patch_bytes: usize,
    /// Each frame's rows, once they are made.
    rows: Vec<Option<FrameRows>>,
    last_use: u64,
}

impl Picture {
    /// Returns the pixels of a frame.
    pub(crate) fn pixels(&self, frame: usize) -> &[u8] {
        let bytes = |grid: &[usize; 2]| grid[0] * grid[1] * self.patch_bytes;
        let start: usize = self.frames.grids[..frame].iter().map(bytes).sum();
        &self.pixels[start..start + bytes(&self.frames.grids[frame])]
    }

    /// Returns the rows of a frame, once they are made.
    pub(crate) fn rows(&self, frame: usize) -> Option<&FrameRows> {
        self.rows.get(frame)?.as_ref()
    }

    /// Keeps the rows of a frame.
    pub(crate) fn set_rows(&mut self, frame: usize, rows: FrameRows) {
        self.rows[frame] = Some(rows);
    }

    fn bytes(&self) -> usize {
        let rows = self.rows.iter().flatten();
        let tensors = rows.flat_map(|rows| rows.added.iter().chain([&rows.rows]));
        let rows: usize = tensors.map(|rows| 4 * rows.shape().num_elements()).sum();
        self.pixels.len() + rows
    }
}

impl Pictures {
    /// Returns a picture, and notes that it is in use.
    pub(crate) fn get(&mut self, key: &Key) -> Option<&mut Picture> {
        self.uses += 1;
        let picture = self.kept.get_mut(key)?;
        picture.last_use = self.uses;
        Some(picture)
    }

    /// Forgets the pictures that were not used for the longest time, until the rest is small enough or in `used`.
    fn shrink(&mut self, used: &[Key]) {
        while self.kept.values().map(Picture::bytes).sum::<usize>() > MOST_BYTES {
            let others = self.kept.iter().filter(|(key, _)| !used.contains(key));
            let oldest = others.min_by_key(|(_, picture)| picture.last_use);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                return;
            };
            self.kept.remove(&oldest);
        }
    }
}

impl Engine {
    /// Keeps a picture for requests that show it; returns its key in hexadecimal digits. `frames` are those that the model's
    /// [processor](hearth_modelfile::vision::Processor) wants, `pixels` theirs one after the other, [patches, 3, patch, patch]
    /// each, from 0 to 255.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if the model does not see, or frames and pixels are not what it takes.
    pub fn add_picture(&mut self, frames: Frames, pixels: Vec<u8>) -> Result<String> {
        let vision = self.vision()?;
        check(vision, &frames, pixels.len())?;
        let mut hash = Sha256::new();
        for side in frames.tiles.iter().chain(frames.grids.iter().flatten()) {
            hash.update((*side as u64).to_le_bytes());
        }
        hash.update(&pixels);
        let key: Key = hash.finalize().into();
        let patch_bytes = vision.patch_values;
        let pictures = &mut self.pictures;
        if pictures.get(&key).is_none() {
            let picture = Picture {
                rows: frames.grids.iter().map(|_| None).collect(),
                frames,
                pixels,
                patch_bytes,
                last_use: pictures.uses,
            };
            pictures.kept.insert(key, picture);
            let used = self.generation.as_ref().map(|generation| &*generation.keys);
            pictures.shrink(&[used.unwrap_or_default(), &[key]].concat());
        }
        Ok(key.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Looks at a picture, unless that was done, and returns its rows in the text model: [rows of all frames, d_model].
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a picture that is not kept; the device's errors.
    pub async fn picture_rows(&mut self, key: &str) -> Result<Vec<f32>> {
        let known = parsed(key).filter(|key| self.pictures.kept.contains_key(key));
        let (Some(key), Some(_)) = (known, &self.tower) else {
            return Err(unknown(key));
        };
        self.idle().await;
        let (Some(tower), Some(picture)) = (&self.tower, self.pictures.get(&key)) else {
            return Err(Error::Cancelled);
        };
        let mut all = Vec::new();
        for (frame, grid) in picture.frames.grids.clone().into_iter().enumerate() {
            if picture.rows(frame).is_none() {
                let stepper = &mut self.stepper;
                let mut look = stepper.begin_look(tower, picture.pixels(frame), grid);
                while tower.left(&look) > 0 {
                    stepper.run_look(&self.sequence, tower, &mut look).await?;
                }
                picture.set_rows(frame, tower.project(&stepper.model.ops, look));
            }
            if let Some(rows) = picture.rows(frame) {
                let mut values = self.stepper.values(&rows.rows).await?;
                values.truncate(tower.vision.rows(grid) * tower.vision.width);
                all.extend(values);
            }
        }
        Ok(all)
    }

    /// Returns the patches of a picture, 0 if it is not kept.
    pub(super) fn patches_of(&self, key: &str) -> usize {
        let picture = parsed(key).and_then(|key| self.pictures.kept.get(&key));
        let grids = picture.map(|picture| picture.frames.grids.iter());
        grids.map_or(0, |grids| grids.map(|[high, wide]| high * wide).sum())
    }

    /// Returns whether a picture is kept; if so, it is in use.
    pub fn has_picture(&mut self, key: &str) -> bool {
        parsed(key).is_some_and(|key| self.pictures.get(&key).is_some())
    }

    /// Returns the model's tower.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if it has none.
    pub(super) fn vision(&self) -> Result<&Vision> {
        match &self.tower {
            Some(tower) => Ok(&tower.vision),
            None => Err(Error::InvalidRequest {
                field: "messages".into(),
                expected: "without pictures: this model was loaded without a tower that sees (the projector in a mmproj file for GGUF, preprocessor_config.json in a folder)".into(),
                found: "a picture".into(),
            }),
        }
    }

    /// Returns the pictures of a conversation in order, and their keys.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for one that is not kept, or if the model does not see.
    pub(super) fn pictures_of(&mut self, messages: &[Message]) -> Result<(Vec<Frames>, Vec<Key>)> {
        let (mut frames, mut keys) = (Vec::new(), Vec::new());
        for part in messages
            .iter()
            .filter_map(|message| message.content.as_array())
        {
            for part in part.iter().filter(|part| part["type"] == "image") {
                self.vision()?;
                let name = part["image"].as_str().unwrap_or_default();
                let key = parsed(name);
                let picture = key.and_then(|key| Some((key, self.pictures.get(&key)?)));
                let Some((key, picture)) = picture else {
                    return Err(unknown(name));
                };
                frames.push(picture.frames.clone());
                keys.push(key);
            }
        }
        Ok((frames, keys))
    }
}

fn unknown(key: &str) -> Error {
    Error::InvalidRequest {
        field: "messages".into(),
        expected: "pictures that were added before".into(),
        found: format!("{:?}", key.chars().take(80).collect::<String>()),
    }
}

/// Returns the key that these digits are.
fn parsed(digits: &str) -> Option<Key> {
    let mut key = Key::default();
    if digits.len() != 2 * key.len() || !digits.is_ascii() {
        return None;
    }
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(key)
}

/// Refuses frames that the tower does not take, and pixels that are not theirs.
fn check(vision: &Vision, frames: &Frames, bytes: usize) -> Result<()> {
    let wrong = |expected: String, found: String| Error::InvalidRequest {
        field: "picture".into(),
        expected,
        found,
    };
    let [high, wide] = frames.tiles;
    let tiles = high.saturating_mul(wide);
    let is_complete = frames.grids.len() == tiles.saturating_add(1);
    if !is_complete || (high == 0) != (wide == 0) {
        return Err(wrong(
            format!("{tiles} tiles and the whole picture"),
            format!("{} frames", frames.grids.len()),
        ));
    }
    let mut needed = 0usize;
    for grid in &frames.grids {
        if !vision.takes(*grid) {
            return Err(wrong(
                "frames of the size that the model's processor says".into(),
                format!("{} by {} patches", grid[0], grid[1]),
            ));
        }
        needed = needed.saturating_add(grid[0] * grid[1] * vision.patch_values);
    }
    match needed == bytes {
        true => Ok(()),
        false => Err(wrong(
            format!("{needed} bytes of pixels"),
            bytes.to_string(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key: Key = std::array::from_fn(|i| (i * 37) as u8);
        let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(parsed(&digits), Some(key));
        for wrong in [&digits[1..], &digits.replace('2', "g"), &"é".repeat(32), ""] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
