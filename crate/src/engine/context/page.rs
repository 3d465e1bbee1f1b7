//! A page: the bytes that stand for a part of a conversation.
//!
//! | words | what |
//! |---|---|
//! | 1 | magic |
//! | 1 | layout |
//! | 1 | kind |
//! | 2 | first position, and the one after the last; a state has seen the tokens before the second |
//! | 8 | fingerprint of the engine |
//! | 8 | digest of the fingerprint and of all tokens up to the page's end |
//! | n | the page's tokens, one a position; none in a state |
//! | | rows: those of each layer's KV cache; a state: of each layer the first position of its history, then its values |
//! | 1 | CRC-32 of all before |
//!
//! All are little-endian. A page is taken only as a whole: one wrong bit, and it is as if it had never been saved.

use sha2::{Digest, Sha256};

use super::fingerprint::{Fingerprint, LAYOUT};
use hearth_modelfile::error::{Error, Result};

const MAGIC: u32 = u32::from_le_bytes(*b"hctx");
/// Words before the tokens.
const HEADER: usize = 21;

/// Contents of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows of the KV caches.
    Rows,
    /// States of the layers at a prompt's end.
    Prompt,
    /// States of the layers within an answer.
    Answer,
}

impl Kind {
    const ALL: [(Kind, &str); 3] = [
        (Kind::Rows, "rows"),
        (Kind::Prompt, "state-prompt"),
        (Kind::Answer, "state-answer"),
    ];

    pub(super) fn name(self) -> &'static str {
        Kind::ALL[self as usize].1
    }
}

/// A page that was found to be whole, and of this engine.
pub(super) struct Page {
    pub(super) kind: Kind,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) ids: Vec<u32>,
    /// Rows or states.
    pub(super) words: Vec<u32>,
    digest: [u8; 32],
}

/// Digests of the prefixes of a conversation.
pub(super) struct Prefixes(Sha256);

impl Prefixes {
    pub(super) fn new(fingerprint: &Fingerprint) -> Self {
        Self(Sha256::new().chain_update(fingerprint))
    }

    /// Adds the next tokens; returns the digest of all so far.
    pub(super) fn push(&mut self, ids: &[u32]) -> [u8; 32] {
        self.0.update(bytemuck::cast_slice::<u32, u8>(ids));
        self.0.clone().finalize().into()
    }
}

fn wrong(what: &str, expected: impl ToString, found: impl ToString) -> Error {
    Error::BadFile {
        format: "saved context",
        what: what.into(),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

/// Returns the length in bytes of a page with this many words of tokens and contents.
pub(super) fn length(words: usize) -> usize {
    4 * (HEADER + words + 1)
}

/// Returns the bytes of a page.
pub(super) fn encode(
    kind: Kind,
    (from, to): (usize, usize),
    fingerprint: &Fingerprint,
    digest: &[u8; 32],
    ids: &[u32],
    words: &[u32],
) -> Vec<u8> {
    let head = [MAGIC, LAYOUT, kind as u32, from as u32, to as u32];
    let mut bytes = Vec::with_capacity(length(ids.len() + words.len()));
    bytes.extend_from_slice(bytemuck::cast_slice(&head));
    bytes.extend_from_slice(fingerprint);
    bytes.extend_from_slice(digest);
    bytes.extend_from_slice(bytemuck::cast_slice(ids));
    bytes.extend_from_slice(bytemuck::cast_slice(words));
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// Reads a page of an engine.
///
/// # Errors
/// [`Error::BadFile`] if it is damaged, of another engine, or no page at all.
pub(super) fn decode(bytes: &[u8], fingerprint: &Fingerprint) -> Result<Page> {
    let least = length(0);
    if bytes.len() < least || !bytes.len().is_multiple_of(4) {
        let expected = format!("at least {least}, and whole words");
        return Err(wrong("length", expected, bytes.len()));
    }
    let (body, sum) = bytes.split_at(bytes.len() - 4);
    let found = crc32fast::hash(body);
    if found.to_le_bytes() != sum {
        return Err(wrong(
            "checksum",
            format!("{sum:02x?}"),
            format!("{found:08x}"),
        ));
    }
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(body);
    let (magic, layout) = (words[0], words[1]);
    if magic != MAGIC || layout != LAYOUT {
        let expected = format!("{MAGIC:08x} {LAYOUT}");
        return Err(wrong("layout", expected, format!("{magic:08x} {layout}")));
    }
    if body[20..52] != *fingerprint {
        return Err(wrong("fingerprint", "this engine's", "another's"));
    }
    let kinds = Kind::ALL.map(|(kind, _)| kind);
    let Some(kind) = kinds.get(words[2] as usize) else {
        return Err(wrong("kind", "0 to 2", words[2]));
    };
    let (from, to) = (words[3] as usize, words[4] as usize);
    let n = match kind {
        Kind::Rows => to.saturating_sub(from),
        _ => 0,
    };
    if to <= from || HEADER + n > words.len() {
        return Err(wrong(
            "positions",
            "some, each with a token",
            format!("{from} to {to}"),
        ));
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(&body[52..84]);
    Ok(Page {
        kind: *kind,
        from,
        to,
        ids: words[HEADER..HEADER + n].to_vec(),
        words: words[HEADER + n..].to_vec(),
        digest,
    })
}

impl Page {
    /// Checks that the page continues a conversation of `before`, with the tokens of its own after it.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it belongs after other tokens.
    pub(super) fn check_follows(&self, fingerprint: &Fingerprint, before: &[u32]) -> Result<()> {
        let mut prefixes = Prefixes::new(fingerprint);
        prefixes.push(before);
        match prefixes.push(&self.ids) == self.digest {
            true => Ok(()),
            false => Err(wrong("tokens before", "this conversation's", "another's")),
        }
    }

    /// Checks the length of what is in it.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it is of another length.
    pub(super) fn check_words(&self, expected: usize) -> Result<()> {
        match self.words.len() == expected {
            true => Ok(()),
            false => Err(wrong("words", expected, self.words.len())),
        }
    }
}

/// Returns the error for a page that begins after the end of what is there.
pub(super) fn beyond(from: usize, len: usize) -> Error {
    wrong("first position", format!("at most {len}"), from)
}
