//! SentencePiece's BPE: no list of merges, but a score for every piece.
//!
//! The two neighbours whose union has the best score are joined until no union is a piece (Kudo & Richardson
//! 2018; `bpe_model.cc` in google/sentencepiece). Hugging Face's converter turns the scores into half a million
//! merges for a Gemma vocabulary, which the `tokenizers` crate wants as pairs of owned strings; working on the
//! scores gives the same ids and needs no table at all.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::decode::byte_token;
use super::vocab::{Kind, Vocab};

/// Scores and byte tokens of a SentencePiece vocabulary.
#[derive(Debug)]
pub(super) struct SentencePiece {
    scores: Vec<f32>,
    /// Token of each byte, for characters that are in no piece.
    bytes: [Option<u32>; 256],
    unknown: Option<u32>,
    /// Length of the longest piece in bytes.
    longest: usize,
}

/// A run of text that is one piece so far; empty once joined to its left neighbour.
#[derive(Clone, Copy)]
struct Symbol {
    start: usize,
    end: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// A candidate join of two neighbours.
struct Join {
    score: f32,
    left: usize,
    right: usize,
    /// Bytes of both: if a neighbour has grown since, the entry is stale.
    length: usize,
}

impl Ord for Join {
    fn cmp(&self, other: &Self) -> Ordering {
        // The best score first, then the leftmost.
        self.score
            .total_cmp(&other.score)
            .then(Reverse(self.left).cmp(&Reverse(other.left)))
    }
}

impl PartialOrd for Join {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Join {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Join {}

impl SentencePiece {
    /// `scores[id]` belongs to token `id` of `vocab`.
    pub(super) fn new(vocab: &Vocab, scores: Vec<f32>, unknown: Option<u32>) -> Self {
        let mut bytes = [None; 256];
        let mut longest = 0;
        for id in vocab.ids() {
            let text = vocab.text(id).unwrap_or_default();
            match vocab.kind(id) {
                Some(Kind::Byte) => {
                    if let Some(byte) = byte_token(text) {
                        bytes[usize::from(byte)] = Some(id);
                    }
                }
                Some(Kind::Normal) => longest = longest.max(text.len()),
                _ => {}
            }
        }
        SentencePiece {
            scores,
            bytes,
            unknown,
            longest,
        }
    }

    /// Returns the piece with this text. Only normal tokens count: a user's text must never become a special token.
    fn piece(&self, vocab: &Vocab, text: &[u8]) -> Option<u32> {
        match text.len() <= self.longest {
            true => vocab
                .id(text)
                .filter(|&id| vocab.kind(id) == Some(Kind::Normal)),
            false => None,
        }
    }

    /// Appends the ids of `text`, whose blanks are "▁" already.
    pub(super) fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let mut symbols: Vec<Symbol> = text
            .char_indices()
            .enumerate()
            .map(|(i, (start, c))| Symbol {
                start,
                end: start + c.len_utf8(),
                previous: i.checked_sub(1),
                next: Some(i + 1),
            })
            .collect();
        if let Some(last) = symbols.last_mut() {
            last.next = None;
        }
        let mut joins = BinaryHeap::with_capacity(symbols.len());
        for right in 1..symbols.len() {
            self.consider(
                vocab,
                text,
                &symbols,
                Some(right - 1),
                Some(right),
                &mut joins,
            );
        }
        while let Some(Join {
            left,
            right,
            length,
            ..
        }) = joins.pop()
        {
            let (a, b) = (symbols[left], symbols[right]);
            let stale = a.start == a.end
                || b.start == b.end
                || b.end - a.start != length
                || a.next != Some(right);
            if stale {
                continue;
            }
            symbols[left].end = b.end;
            symbols[left].next = b.next;
            symbols[right].end = b.start;
            if let Some(next) = b.next {
                symbols[next].previous = Some(left);
            }
            self.consider(vocab, text, &symbols, a.previous, Some(left), &mut joins);
            self.consider(vocab, text, &symbols, Some(left), b.next, &mut joins);
        }
        let mut after_unknown = false;
        for symbol in symbols.iter().filter(|s| s.start < s.end) {
            let piece = &text.as_bytes()[symbol.start..symbol.end];
            if let Some(id) = self.piece(vocab, piece) {
                out.push(id);
                after_unknown = false;
            } else if piece.iter().all(|&b| self.bytes[usize::from(b)].is_some()) {
                out.extend(piece.iter().filter_map(|&b| self.bytes[usize::from(b)]));
                after_unknown = false;
            } else {
                // A run of unknown characters becomes one unknown token.
                out.extend(self.unknown.filter(|_| !after_unknown));
                after_unknown = true;
            }
        }
    }

    fn consider(
        &self,
        vocab: &Vocab,
        text: &str,
        symbols: &[Symbol],
        left: Option<usize>,
        right: Option<usize>,
        joins: &mut BinaryHeap<Join>,
    ) {
        let (Some(left), Some(right)) = (left, right) else {
            return;
        };
        let both = &text.as_bytes()[symbols[left].start..symbols[right].end];
        if let Some(id) = self.piece(vocab, both) {
            let score = self.scores.get(id as usize).copied().unwrap_or(f32::MIN);
            joins.push(Join {
                score,
                left,
                right,
                length: both.len(),
            });
        }
    }
}
