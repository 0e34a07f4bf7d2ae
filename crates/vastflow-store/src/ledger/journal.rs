//! A journal: what was appended, of which the beginning may be kept elsewhere.

use crate::commit::OpId;
use crate::error::StoreError;
use vastflow_core::{Event, Plan, Recorded, ScopeId, Seq, State, Timestamp};

/// What one commit appended to a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The position of its first event.
    pub first: Seq,
    /// When it was recorded.
    pub at: Timestamp,
    /// The commit.
    pub op: OpId,
    /// What it recorded.
    pub events: Vec<Event>,
}

impl Append {
    /// The position behind its last event.
    #[must_use]
    pub const fn end(&self) -> Seq {
        self.first.after(self.events.len())
    }
}

/// What has to be known of an append whose events are kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The position of its first event.
    pub first: Seq,
    /// The position behind its last event.
    pub end: Seq,
    /// The commit.
    pub op: OpId,
    /// Whether it says how the scope began.
    pub begins: bool,
    /// Whether the scope is over after it; none when it does not change that.
    pub ends: Option<bool>,
}

impl Append {
    /// The append without its events.
    #[must_use]
    pub fn head(&self) -> Head {
        let ends = self.events.iter().rev().find_map(|event| match event {
            Event::RunEnded { .. } => Some(true),
            Event::UndoRequested => Some(false),
            _ => None,
        });
        let begins = matches!(self.events.first(), Some(Event::RunStarted(_)));
        Head { first: self.first, end: self.end(), op: self.op, begins, ends }
    }
}

/// Up to so many names of commits take no more memory than they need: most scopes have no more.
const SHORT: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The first positions and the names of the commits whose events are kept elsewhere: enough to know a repetition.
    past: Vec<(Seq, OpId)>,
    kept: Vec<Append>,
    /// Where `kept` begins.
    kept_from: Seq,
    len: Seq,
    /// What the events that are kept elsewhere fold into, while the queue is not derived yet.
    folded: Option<Box<State>>,
    has_begun: bool,
    has_ended: bool,
}

impl Journal {
    pub(super) const fn len(&self) -> Seq {
        self.len
    }

    /// Whether it says how the scope began; before that there is nothing to do in it but to hear so.
    pub(super) const fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether it says that the scope is over.
    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub(super) fn has_op(&self, first: Seq, op: OpId) -> bool {
        if first >= self.len {
            return false;
        }
        if first < self.kept_from {
            let at = self.past.binary_search_by_key(&first, |(first, _)| *first);
            return at.is_ok_and(|at| self.past[at].1 == op);
        }
        let at = self.kept.binary_search_by_key(&first, |append| append.first);
        at.is_ok_and(|at| self.kept[at].op == op)
    }

    pub(super) fn push(&mut self, append: Append) {
        self.note(append.head());
        self.kept.push(append);
    }

    fn note(&mut self, head: Head) {
        self.has_begun |= head.begins && head.first == Seq::ZERO;
        self.has_ended = head.ends.unwrap_or(self.has_ended);
        self.len = head.end;
    }

    /// Notes an append that is kept elsewhere.
    pub(super) fn push_past(&mut self, head: Head) {
        self.note(head);
        self.past.push((head.first, head.op));
        self.kept_from = self.len;
    }

    /// Folds an append that is kept elsewhere, for [`Journal::take_state`].
    pub(super) fn fold(&mut self, id: &ScopeId, plan: &Plan, append: &Append) -> Result<(), StoreError> {
        fold(self.folded.get_or_insert_default(), id, plan, append)
    }

    /// What all of it folds into. Asked for once, when what is kept elsewhere was folded.
    pub(super) fn take_state(&mut self, id: &ScopeId, plan: &Plan) -> Result<State, StoreError> {
        let mut state = self.folded.take().map_or_else(State::default, |state| *state);
        self.kept.iter().try_for_each(|append| fold(&mut state, id, plan, append))?;
        Ok(state)
    }

    /// Where the events begin that are kept here.
    pub(super) const fn kept_from(&self) -> Seq {
        self.kept_from
    }

    /// Lets go of the appends that end at or before a position.
    pub(super) fn trim(&mut self, upto: Seq) -> Vec<Append> {
        let count = self.kept.partition_point(|append| append.end() <= upto);
        if count == 0 {
            return Vec::new();
        }
        let rest = self.kept.split_off(count);
        let trimmed = std::mem::replace(&mut self.kept, rest);
        if self.past.len() < SHORT {
            self.past.reserve_exact(count);
        }
        self.past.extend(trimmed.iter().map(|append| (append.first, append.op)));
        self.kept_from = trimmed.last().map_or(self.kept_from, Append::end);
        trimmed
    }

    /// Events that are kept here, from position `after` on.
    pub(super) fn history(&self, after: Seq, limit: usize) -> Vec<Recorded> {
        let from = self.kept.partition_point(|append| append.end() <= after);
        let all = self.kept[from..].iter().flat_map(|append| {
            let numbered = (append.first.0..).map(Seq).zip(&append.events);
            numbered.map(|(seq, event)| Recorded { seq, at: append.at, event: event.clone() })
        });
        all.skip_while(|recorded| recorded.seq < after).take(limit).collect()
    }
}

fn fold(state: &mut State, id: &ScopeId, plan: &Plan, append: &Append) -> Result<(), StoreError> {
    for event in &append.events {
        let illegal = |illegal| StoreError::corrupt(format!("scope {id}: {illegal}"));
        state.evolve(plan, event, append.at, &mut ()).map_err(illegal)?;
    }
    Ok(())
}
