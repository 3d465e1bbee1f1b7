//! BPE over characters, as SentencePiece has it: a score for every piece, or a rank for every pair.
//!
//! The two neighbours whose union has the best score are joined until no union is a piece (Kudo & Richardson
//! 2018; `bpe_model.cc` in google/sentencepiece). Files without scores list merges instead, and then the pair of the
//! lowest rank is joined first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::decode::byte_token;
use super::merges::Merges;
use super::vocab::{Kind, Vocab};

/// The rule that says which neighbours are joined first.
#[derive(Debug)]
pub(super) enum Order {
    /// By the score of the piece that they become: one for each token.
    Scores(Vec<f32>),
    /// By the rank of the pair.
    Ranks(Merges),
}

/// The order of joins and the byte tokens of a SentencePiece vocabulary.
#[derive(Debug)]
pub(super) struct SentencePiece {
    order: Order,
    /// A run of line ends that is a piece is not taken apart, and no piece crosses a run's border (Gemma 4).
    whole_lines: bool,
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
    /// The piece, if it is one.
    id: Option<u32>,
    previous: Option<usize>,
    next: Option<usize>,
}

/// A candidate join of two neighbours.
struct Join {
    score: f32,
    left: usize,
    right: usize,
    /// The piece that they become.
    id: u32,
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
    /// Prepares encoding with `vocab`; `order` is of the same vocabulary.
    pub(super) fn new(
        vocab: &Vocab,
        order: Order,
        unknown: Option<u32>,
        whole_lines: bool,
    ) -> Self {
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
            order,
            whole_lines,
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

    /// Passes on the ids of `text`, whose blanks are "▁" already, and the text of each.
    pub(super) fn encode(&self, vocab: &Vocab, text: &str, out: &mut dyn FnMut(u32, &str)) {
        if !self.whole_lines {
            return self.encode_run(vocab, text, out);
        }
        let mut rest = text;
        while !rest.is_empty() {
            let is_lines = rest.starts_with('\n');
            let end = rest.find(|c| (c == '\n') != is_lines);
            let (run, after) = rest.split_at(end.unwrap_or(rest.len()));
            match self.piece(vocab, run.as_bytes()).filter(|_| is_lines) {
                Some(id) => out(id, run),
                None => self.encode_run(vocab, run, out),
            }
            rest = after;
        }
    }

    fn encode_run(&self, vocab: &Vocab, text: &str, out: &mut dyn FnMut(u32, &str)) {
        let mut symbols: Vec<Symbol> = text
            .char_indices()
            .enumerate()
            .map(|(i, (start, c))| Symbol {
                start,
                end: start + c.len_utf8(),
                id: self.piece(vocab, &text.as_bytes()[start..start + c.len_utf8()]),
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
            id,
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
            symbols[left].id = Some(id);
            symbols[left].next = b.next;
            symbols[right].end = b.start;
            if let Some(next) = b.next {
                symbols[next].previous = Some(left);
            }
            self.consider(vocab, text, &symbols, a.previous, Some(left), &mut joins);
            self.consider(vocab, text, &symbols, Some(left), b.next, &mut joins);
        }
        // A run of unknown characters becomes one unknown token.
        let mut unknown: Option<std::ops::Range<usize>> = None;
        let flush = |run: Option<std::ops::Range<usize>>, out: &mut dyn FnMut(u32, &str)| {
            if let Some((id, run)) = self.unknown.zip(run) {
                out(id, &text[run]);
            }
        };
        for symbol in symbols.iter().filter(|s| s.start < s.end) {
            let piece = &text[symbol.start..symbol.end];
            let bytes = piece.bytes().map(|b| self.bytes[usize::from(b)]);
            if let Some(id) = symbol.id {
                flush(unknown.take(), out);
                out(id, piece);
            } else if bytes.clone().all(|id| id.is_some()) {
                flush(unknown.take(), out);
                bytes.flatten().for_each(|id| out(id, ""));
            } else {
                let start = unknown.map_or(symbol.start, |run| run.start);
                unknown = Some(start..symbol.end);
            }
        }
        flush(unknown, out);
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
        let (a, b) = (symbols[left], symbols[right]);
        let joined = match &self.order {
            Order::Scores(scores) => (self.piece(vocab, &text.as_bytes()[a.start..b.end]))
                .map(|id| (scores.get(id as usize).copied().unwrap_or(f32::MIN), id)),
            Order::Ranks(merges) => (a.id.zip(b.id))
                .and_then(|(a, b)| merges.find(a, b))
                .map(|(rank, id)| (-(rank as f32), id)),
        };
        if let Some((score, id)) = joined {
            joins.push(Join {
                score,
                left,
                right,
                id,
                length: b.end - a.start,
            });
        }
    }
}
