//! The place of pictures in a text: what a placeholder of the chat template becomes, and the ids of the rows.
//!
//! Source: transformers' processors: `models/smolvlm/processing_smolvlm.py`, `models/gemma3/processing_gemma3.py`,
//! `models/pixtral/processing_pixtral.py`, `models/gemma4/processing_gemma4.py`.

use super::projector::Projector;
use super::tower::Vision;
use crate::error::{Error, Result};
use crate::text::MarkedText;
use crate::text::marked::free_marker;
use crate::text::template::{ChatTemplate, Message, RenderOptions};
use crate::text::tokenizer::Tokenizer;
use serde::Serialize;

/// Ids from here on are rows of pictures.
pub const FIRST_ROW_ID: u32 = 1 << 31;

/// Frames of a picture as the tower takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frames {
    /// Rows and columns of tiles; 0 and 0 for a picture that was not cut.
    pub tiles: [usize; 2],
    /// Height and width of each frame in patches: the tiles row by row, then the whole picture.
    pub grids: Vec<[usize; 2]>,
}

/// Tokens behind each row of squares of Pixtral, and behind the last one.
const BREAK: &str = "[IMG_BREAK]";
const END: &str = "[IMG_END]";

/// A place of a frame among a prompt's ids: the only one, or that of one of its rows of squares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Number of the picture in the prompt.
    pub picture: usize,
    /// Number of the frame in the picture.
    pub frame: usize,
    /// Number of the first row among those of the frame.
    pub first: usize,
    /// Position of the first row, and number of rows.
    pub start: usize,
    pub rows: usize,
}

/// Ids of a prompt, and where pictures are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Ids of tokens, and of rows: [`FIRST_ROW_ID`] and above, made from the picture's key, so that no other picture has the same.
    pub ids: Vec<u32>,
    pub spans: Vec<Span>,
}

impl Vision {
    /// Returns what the model's chat template writes for a picture.
    pub fn placeholder(&self) -> &'static str {
        match self.projector {
            Projector::Idefics3 | Projector::Lfm2 => "<image>",
            Projector::Gemma3 => "<start_of_image>",
            Projector::Qwen2Vl | Projector::Qwen25Vl | Projector::Qwen3Vl => "<|image_pad|>",
            Projector::Pixtral | Projector::PixtralUnmerged => "[IMG]",
            Projector::Gemma4 => "<|image|>",
            // (no text shows its pictures)
            Projector::Clip | Projector::Siglip => "",
        }
    }

    /// Returns the token that stands for a row, if the vocabulary has it; the placeholder otherwise.
    pub fn row_token(&self, tokenizer: &Tokenizer) -> Result<(&'static str, u32)> {
        let own = match self.projector {
            Projector::Gemma3 => "<image_soft_token>",
            _ => self.placeholder(),
        };
        for name in [own, self.placeholder()] {
            if let Some(id) = tokenizer.token_to_id(name) {
                return Ok((name, id));
            }
        }
        Err(Error::Tokenizer {
            message: format!("the vocabulary has no token {own}, by which pictures are placed"),
        })
    }

    /// Renders a conversation with pictures. A template that takes texts only gets a message's pictures in the text, where their
    /// parts are.
    ///
    /// # Errors
    /// The errors of [`ChatTemplate::render`].
    pub fn render(
        &self,
        template: &ChatTemplate,
        messages: &[Message],
        options: &RenderOptions,
        tokenizer: &Tokenizer,
    ) -> Result<MarkedText> {
        let parts = messages
            .iter()
            .filter_map(|message| message.content.as_array());
        let pictures = parts
            .flatten()
            .filter(|part| part["type"] == "image")
            .count();
        let rendered = template.render(messages, options, tokenizer);
        let is_complete = |text: &MarkedText| text.count(self.placeholder()) == pictures;
        if rendered.as_ref().is_ok_and(is_complete) {
            return rendered;
        }
        let texts = serde_json::to_string(messages).unwrap_or_default();
        let Some(mark) = free_marker([texts.as_str(), template.source()]) else {
            return rendered;
        };
        let flat: Vec<Message> = messages.iter().map(|message| flat(message, mark)).collect();
        let mut text = match template.render(&flat, options, tokenizer) {
            Ok(text) if text.text.matches(mark).count() == pictures => text,
            _ => return rendered,
        };
        text.text = text.text.replace(mark, self.placeholder());
        Ok(text)
    }

    /// Encodes a rendered prompt with `pictures`, in the order of their placeholders; `keys` tell them apart.
    ///
    /// # Errors
    /// [`Error::Template`] if the template wrote another number of placeholders, and the tokenizer's errors.
    pub fn place(
        &self,
        rendered: &MarkedText,
        pictures: &[Frames],
        keys: &[[u8; 32]],
        tokenizer: &Tokenizer,
    ) -> Result<Placed> {
        let (row, row_id) = self.row_token(tokenizer)?;
        let expanded: Vec<String> = pictures
            .iter()
            .map(|frames| self.expanded(frames, row))
            .collect();
        let text = rendered.with_each(self.placeholder(), &expanded)?;
        let mut ids = tokenizer.encode_template(&text)?;
        let torn = |token: &str| Error::Tokenizer {
            message: format!("{token} is not encoded as one token"),
        };
        let mut spans = Vec::new();
        let mut at = 0;
        for (picture, (frames, key)) in pictures.iter().zip(keys).enumerate() {
            for (frame, grid) in frames.grids.iter().enumerate() {
                let [runs, rows] = self.runs(*grid);
                // (where one token is both, the first of the run is the placeholder)
                let before =
                    usize::from(row == self.placeholder() && self.projector == Projector::Gemma3);
                for run in 0..runs {
                    let is_run = |start: usize| {
                        let run = ids.get(start..start + before + rows);
                        run.is_some_and(|run| run.iter().all(|id| *id == row_id))
                    };
                    let start = (at..ids.len()).find(|start| is_run(*start));
                    let start = start.filter(|_| rows > 0).ok_or_else(|| torn(row))? + before;
                    let first = run * rows;
                    for (i, id) in ids[start..start + rows].iter_mut().enumerate() {
                        *id = row_id_of(key, frame, first + i);
                    }
                    at = start + rows;
                    if self.projector.is_pixtral() {
                        let mark = if run + 1 < runs { BREAK } else { END };
                        let id = tokenizer.token_to_id(mark);
                        if id.is_none() || ids.get(at).copied() != id {
                            return Err(torn(mark));
                        }
                    }
                    spans.push(Span {
                        picture,
                        frame,
                        first,
                        start,
                        rows,
                    });
                }
            }
        }
        Ok(Placed { ids, spans })
    }

    /// Returns into how many runs of how many rows a frame is divided in the text.
    fn runs(&self, grid: [usize; 2]) -> [usize; 2] {
        match self.projector {
            projector if projector.is_pixtral() => grid.map(|side| side / self.processor.merge),
            _ => [1, self.rows(grid)],
        }
    }

    /// Returns the text that a picture's placeholder becomes.
    fn expanded(&self, frames: &Frames, row: &str) -> String {
        let rows = |frame: usize| {
            let grid = frames.grids.get(frame).copied().unwrap_or_default();
            row.repeat(self.rows(grid))
        };
        match self.projector {
            Projector::Idefics3 => {
                const AROUND: &str = "<fake_token_around_image>";
                let [high, wide] = frames.tiles;
                let mut text = String::new();
                for r in 0..high {
                    for c in 0..wide {
                        let place = format!("<row_{}_col_{}>", r + 1, c + 1);
                        text += &format!("{AROUND}{place}{}", rows(r * wide + c));
                    }
                    text.push('\n');
                }
                if high > 0 {
                    text.push('\n');
                }
                text + &format!("{AROUND}<global-img>{}{AROUND}", rows(high * wide))
            }
            Projector::Gemma3 => {
                format!("\n\n<start_of_image>{}<end_of_image>\n\n", rows(0))
            }
            Projector::Qwen2Vl | Projector::Qwen25Vl | Projector::Qwen3Vl => rows(0),
            Projector::Clip | Projector::Siglip => String::new(),
            Projector::Gemma4 => format!("<|image>{}<image|>", rows(0)),
            Projector::Pixtral | Projector::PixtralUnmerged => {
                let grid = frames.grids.first().copied().unwrap_or_default();
                let [high, wide] = self.runs(grid);
                vec![row.repeat(wide); high].join(BREAK) + END
            }
            Projector::Lfm2 => {
                let [high, wide] = frames.tiles;
                let mut text = "<|image_start|>".to_owned();
                for r in 0..high {
                    for c in 0..wide {
                        text += &format!("<|img_row_{}_col_{}|>", r + 1, c + 1);
                        text += &rows(r * wide + c);
                    }
                }
                if high > 0 {
                    text += "<|img_thumbnail|>";
                }
                text + &rows(high * wide) + "<|image_end|>"
            }
        }
    }
}

/// Returns a message whose content is a text, with `mark` in the place of each picture.
fn flat(message: &Message, mark: char) -> Message {
    let Some(parts) = message.content.as_array() else {
        return message.clone();
    };
    let text: String = (parts.iter())
        .map(|part| match part["type"].as_str() {
            Some("image") => mark.to_string(),
            _ => part["text"].as_str().unwrap_or_default().to_owned(),
        })
        .collect();
    Message {
        content: text.into(),
        ..message.clone()
    }
}

/// Returns the id of row `row` of a frame of the picture with `key`. All ids of a frame together are as good as the key.
fn row_id_of(key: &[u8; 32], frame: usize, row: usize) -> u32 {
    let mut part = [0; 8];
    part.copy_from_slice(&key[row % 4 * 8..][..8]);
    // (the finaliser of SplitMix64)
    let mut mixed = u64::from_le_bytes(part) ^ ((frame as u64) << 32 | row as u64);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    FIRST_ROW_ID | (mixed ^ (mixed >> 31)) as u32
}
