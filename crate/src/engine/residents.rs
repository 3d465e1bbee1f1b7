//! Conversations that stay in memory beside the present one, each in a sequence of its own.

use crate::engine::Engine;
use crate::engine::sequence::Sequence;
use crate::engine::stepper::graph::Recordings;

/// Most conversations that an engine has room for.
pub(crate) const MOST_CONVERSATIONS: usize = 16;

/// Returns which of `others` a request should continue, the least recently used one first; `None` for the present one.
/// A conversation is continued where more of it is kept than lost: two chats that share a system prompt stay apart.
fn choose(ids: &[u32], present: &[u32], others: &[&[u32]]) -> Option<usize> {
    let gain = |held: &[u32]| {
        let shared = ids.iter().zip(held).take_while(|(a, b)| a == b).count();
        2 * shared as i64 - held.len() as i64
    };
    let mut best = (gain(present), None);
    for (at, held) in others.iter().enumerate() {
        let found = gain(held);
        if found > best.0 {
            best = (found, Some(at));
        }
    }
    match best.0 > 0 {
        true => best.1,
        false => vacant(present, others),
    }
}

/// Returns which of `others` a conversation should take that is in none of them: an empty one, or else the least recently
/// used; `None` for the present one.
fn vacant(present: &[u32], others: &[&[u32]]) -> Option<usize> {
    match present.is_empty() || others.is_empty() {
        true => None,
        false => Some(others.iter().position(|ids| ids.is_empty()).unwrap_or(0)),
    }
}

impl Engine {
    /// Makes room for `n` conversations, each with caches of its own.
    pub(crate) fn with_conversations(mut self, n: usize) -> Self {
        let model = &self.stepper.model;
        let generates = model.config.spec.generates();
        for _ in 1..if generates { n } else { 1 } {
            let mut sequence = Sequence::new(model);
            sequence.place(model, &[]);
            self.others.push(sequence);
        }
        self.info.kv_bytes *= 1 + self.others.len() as u64;
        self.info.state_bytes *= 1 + self.others.len() as u64;
        self
    }

    /// Makes that conversation the present one which these tokens continue.
    pub(super) fn resume_conversation(&mut self, ids: &[u32]) {
        let others: Vec<_> = self.others.iter().map(Sequence::ids).collect();
        let chosen = choose(ids, self.sequence.ids(), &others);
        self.exchange(chosen);
    }

    /// Makes a conversation the present one that may be replaced.
    pub(super) fn vacate_conversation(&mut self) {
        let others: Vec<_> = self.others.iter().map(Sequence::ids).collect();
        let chosen = vacant(self.sequence.ids(), &others);
        self.exchange(chosen);
    }

    fn exchange(&mut self, chosen: Option<usize>) {
        let Some(at) = chosen else { return };
        self.cancel();
        let next = self.others.remove(at);
        let last = std::mem::replace(&mut self.sequence, next);
        self.others.push(last);
    }

    /// Forgets all conversations, and the steps that were recorded for them: these have the launches and the memory of the
    /// weights before.
    pub(super) fn forget_conversations(&mut self) {
        let ops = &self.stepper.model.ops;
        for sequence in &mut self.others {
            sequence.recordings = Recordings::default();
            sequence.clear(ops);
        }
        self.sequence.recordings = Recordings::default();
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{choose, vacant};

    fn chat(system: u32, own: u32, n: u32) -> Vec<u32> {
        (0..system).chain((0..n).map(|i| own + i)).collect()
    }

    #[test]
    fn a_conversation_goes_on_where_it_is() {
        let (a, b) = (chat(50, 1000, 300), chat(50, 2000, 400));
        let next = chat(50, 2000, 420);
        assert_eq!(choose(&next, &a, &[&b]), Some(0));
        assert_eq!(choose(&next, &b, &[&a]), None);
        // Asked again from its middle on, and with what a template renders otherwise at its end.
        assert_eq!(choose(&chat(50, 2000, 250), &a, &[&b]), Some(0));
        assert_eq!(choose(&chat(50, 1000, 299), &b, &[&[], &a]), Some(1));
    }

    #[test]
    fn a_new_conversation_spares_the_others() {
        let (a, b) = (chat(50, 1000, 300), chat(50, 2000, 400));
        let new = chat(50, 3000, 10);
        assert_eq!(choose(&new, &[], &[&a]), None);
        assert_eq!(choose(&new, &a, &[&b, &[]]), Some(1));
        // The least recently used one goes.
        assert_eq!(choose(&new, &a, &[&b]), Some(0));
        assert_eq!(choose(&new, &a, &[]), None);
        assert_eq!(vacant(&a, &[&b, &b]), Some(0));
        assert_eq!(vacant(&[], &[&b]), None);
    }
}
