//! Words that were said and not heard: a store shows no inbox, so they are found by asking who would still listen.

use vastflow_core::run::{Peer, Sink, Word};
use vastflow_core::{Event, Plan, State, Task, Timestamp};

/// What a scope said, as far as it has to be known when all of its journal is folded.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Whether it began scopes inside.
    pub(super) has_inner: bool,
    /// What it said to the one around it, in order; of what waits for an operator only the last.
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
                if matches!(word, Word::Parked { .. }) {
                    self.outwards.retain(|other| !matches!(other, Word::Parked { .. }));
                }
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

/// What an inner scope, as it stands at its end, would still hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ears {
    cancel: bool,
    kill: bool,
    undo: bool,
}

impl Ears {
    /// Of one that has not begun: all that is said to it waits behind the word that begins it.
    pub(super) const OPEN: Ears = Ears { cancel: true, kill: true, undo: true };

    /// Of one that has been copied.
    pub(super) fn of(plan: &Plan, state: &State, was_killed: bool) -> Self {
        let word = |text: &str| (text.into(), text.into());
        let ((by, why), (killer, reason)) = (word(""), word(""));
        Ears {
            cancel: hears(plan, state, Peer::Parent, Word::Cancel { by, why }),
            // It could be killed twice over, and the second time what it does to end.
            kill: !was_killed && hears(plan, state, Peer::Parent, Word::Kill { by: killer, why: reason }),
            undo: hears(plan, state, Peer::Parent, Word::Undo),
        }
    }

    /// Whether it would hear anything.
    pub(super) const fn are_open(self) -> bool {
        self.cancel || self.kill || self.undo
    }

    pub(super) const fn hear(self, word: &Word) -> bool {
        match word {
            Word::Cancel { .. } => self.cancel,
            Word::Kill { .. } => self.kill,
            Word::Undo => self.undo,
            _ => false,
        }
    }
}

/// Whether a scope waits for a word. Deciding changes nothing, and what is not waited for is refused.
pub(super) fn hears(plan: &Plan, state: &State, from: Peer, word: Word) -> bool {
    use vastflow_core::run::Input;
    state.decide(plan, Input::Told { from, word }, Timestamp::ZERO).is_ok()
}

/// Whether an event says that the scope was killed.
pub(super) const fn is_kill(event: &Event) -> bool {
    matches!(event, Event::Killed { .. })
}
