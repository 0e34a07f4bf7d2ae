//! Words that were said and not heard: a store shows no inbox, so they are found by asking who would still listen.

use std::collections::BTreeSet;
use vastflow_core::run::{Input, Peer, Sink, Word};
use vastflow_core::{Event, Plan, State, Task, Timestamp};

/// What a scope said, as far as it has to be known when all of its journal is folded.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Whether it began scopes inside.
    pub(super) has_inner: bool,
    /// What it said to the one around it, in order; of what it said several times about one thing, only the last.
    pub(super) outwards: Vec<Word>,
}

impl Sink for Said {
    fn queue(&mut self, _: Task, _: Timestamp) {}
    fn obsolete(&mut self, _: Task) {}
    fn cancel(&mut self, _: Task) {}

    fn send(&mut self, to: Peer, word: Word) {
        match to {
            Peer::Child { .. } => self.has_inner |= matches!(word, Word::Begin(_)),
            Peer::Parent => {
                self.outwards.retain(|other| !takes_back(&word, other));
                self.outwards.push(word);
            }
        }
    }
}

/// What a scope says to those inside it, event by event.
#[derive(Debug, Default)]
pub(super) struct Inwards(pub(super) Vec<(Peer, Word)>);

impl Sink for Inwards {
    fn queue(&mut self, _: Task, _: Timestamp) {}
    fn obsolete(&mut self, _: Task) {}
    fn cancel(&mut self, _: Task) {}

    fn send(&mut self, to: Peer, word: Word) {
        if to != Peer::Parent {
            self.0.push((to, word));
        }
    }
}

/// Whether what was said before is of no matter after a word: whether something waits for an operator, and who listens
/// for a signal, is so as it was said last.
fn takes_back(word: &Word, before: &Word) -> bool {
    match (word, before) {
        (Word::Parked { .. }, Word::Parked { .. }) => true,
        (Word::Listens { name, .. }, Word::Listens { name: other, .. }) => name == other,
        _ => false,
    }
}

/// What an inner scope would still hear, as it stands at its end, and what it has heard.
#[derive(Debug)]
pub(super) struct Ears {
    cancel: bool,
    kill: bool,
    undo: bool,
    heard: Heard,
}

impl Ears {
    /// Of one that has not begun: all that is said to it waits behind the word that begins it.
    pub(super) const OPEN: Ears = Ears { cancel: true, kill: true, undo: true, heard: Heard::NOTHING };

    /// Of one that has been copied.
    pub(super) fn of(plan: &Plan, state: &State, heard: Heard) -> Self {
        let no_one = || (Box::from(""), Box::from(""));
        let ((by, why), (killer, reason)) = (no_one(), no_one());
        Ears {
            cancel: hears(plan, state, Peer::Parent, Word::Cancel { by, why }),
            kill: hears(plan, state, Peer::Parent, Word::Kill { by: killer, why: reason }),
            undo: hears(plan, state, Peer::Parent, Word::Undo),
            heard,
        }
    }

    /// Whether it would hear anything.
    pub(super) const fn are_open(&self) -> bool {
        self.cancel || self.kill || self.undo
    }

    /// Whether it has heard a word. If so it has heard all that were said to it before: they are delivered in order, and
    /// it may have passed over some that it would take for news now.
    pub(super) fn have_heard(&self, word: &Word) -> bool {
        match word {
            Word::Cancel { .. } => self.heard.cancel,
            Word::Kill { .. } => self.heard.kill,
            Word::Undo => self.heard.undo,
            Word::Signal { id, .. } => self.heard.signals.contains(id),
            _ => false,
        }
    }

    /// Whether it would hear a word that it has not heard.
    pub(super) const fn would_hear(&self, word: &Word) -> bool {
        match word {
            // As long as it can be stopped, it takes signals.
            Word::Cancel { .. } | Word::Signal { .. } => self.cancel,
            Word::Kill { .. } => self.kill,
            Word::Undo => self.undo,
            _ => false,
        }
    }
}

/// What a scope has heard, as its journal tells.
#[derive(Debug, Default)]
pub(super) struct Heard {
    cancel: bool,
    kill: bool,
    undo: bool,
    /// The ids of the signals that it has.
    signals: BTreeSet<Box<str>>,
}

impl Heard {
    const NOTHING: Heard = Heard { cancel: false, kill: false, undo: false, signals: BTreeSet::new() };

    pub(super) fn take_in(&mut self, event: &Event) {
        match event {
            Event::CancelRequested { .. } => self.cancel = true,
            Event::Killed { .. } => self.kill = true,
            Event::UndoRequested => self.undo = true,
            Event::SignalReceived { id, .. } | Event::SignalPassed { id, .. } => _ = self.signals.insert(id.clone()),
            _ => {}
        }
    }
}

/// Whether a scope waits for a word. Deciding changes nothing, and what is not waited for is refused.
pub(super) fn hears(plan: &Plan, state: &State, from: Peer, word: Word) -> bool {
    state.decide(plan, Input::Told { from, word }, Timestamp::ZERO).is_ok()
}
