//! Tasks that can be claimed now, and those that can be later.

use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use vastflow_core::{Name, PlanHash, ScopeId, Task, Timestamp};

/// What decides where in the queue a task stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) plan: PlanHash,
    pub(super) priority: i8,
    /// The lane of a call; of a run in line, its key.
    pub(super) lane: Option<Name>,
    /// Whether it must be the only call in its worker's hands.
    pub(super) alone: bool,
}

/// What a task takes of the worker that it is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A timer or a delivery: nothing.
    Internal,
    /// A place in a window.
    Admit,
    /// A slot.
    Call,
}

impl Class {
    pub(super) const fn of(task: Task) -> Self {
        match task {
            Task::Admit => Class::Admit,
            task if task.takes_slot() => Class::Call,
            _ => Class::Internal,
        }
    }
}

/// Tasks that are claimed or left together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) class: Class,
    pub(super) plan: PlanHash,
    pub(super) lane: Option<Name>,
    pub(super) alone: bool,
}

impl Place {
    /// The same place in another lane.
    pub(super) fn in_lane(&self, lane: Option<Name>) -> Self {
        Place { lane, ..self.clone() }
    }

    fn kind(&self, task: Task) -> Kind {
        let class = Class::of(task);
        Kind { class, plan: self.plan, lane: self.lane.clone(), alone: self.alone && class == Class::Call }
    }
}

/// Higher priority first, then first come, first served.
pub(super) type Rank = (Reverse<i8>, u64);

/// Tasks of one kind that can be claimed, with the time from which on they could.
type Line = BTreeMap<Rank, (ScopeId, Task, Timestamp)>;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By class.
    ready: [BTreeMap<Kind, Line>; 3],
    /// Where each of these will stand is asked for when it is ripe: there may be a million of them, waiting for a month.
    later: BTreeMap<(Timestamp, u64), (ScopeId, Task)>,
    /// How many calls of each lane are in the hands of workers.
    in_hand: FxHashMap<Name, usize>,
    next_ticket: u64,
    /// Tasks before this are visible.
    now: Timestamp,
    /// The latest time that anything was heard of.
    clock: Timestamp,
    news: bool,
}

impl Queue {
    /// Adds a task; the ticket finds it again.
    pub(super) fn push(&mut self, scope: &ScopeId, task: Task, due: Timestamp, place: &Place) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.news = true;
        if due > self.now {
            self.later.insert((due, ticket), (scope.clone(), task));
        } else {
            self.line(place, ticket, (scope.clone(), task, self.clock.max(due)));
        }
        ticket
    }

    fn line(&mut self, place: &Place, ticket: u64, task: (ScopeId, Task, Timestamp)) {
        let kind = place.kind(task.1);
        let line = self.ready[kind.class as usize].entry(kind).or_default();
        line.insert((Reverse(place.priority), ticket), task);
    }

    /// It is at least this late.
    pub(super) fn hear_time(&mut self, now: Timestamp) {
        self.clock = self.clock.max(now);
    }

    /// The latest time that anything was heard of.
    pub(super) const fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Takes a task out, wherever it stands.
    pub(super) fn remove(&mut self, task: Task, due: Timestamp, ticket: u64, place: &Place) {
        if self.later.remove(&(due, ticket)).is_some() {
            return;
        }
        let kind = place.kind(task);
        let lines = &mut self.ready[kind.class as usize];
        if let Some(line) = lines.get_mut(&kind) {
            line.remove(&(Reverse(place.priority), ticket));
            if line.is_empty() {
                lines.remove(&kind);
            }
        }
    }

    /// Time has come this far: what was due by now can be claimed, at its place.
    pub(super) fn ripen(&mut self, now: Timestamp, place_of: impl Fn(&ScopeId, Task) -> Option<Place>) {
        self.now = self.now.max(now);
        self.hear_time(now);
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= self.now) {
            let ((due, ticket), (scope, task)) = first.remove_entry();
            if let Some(place) = place_of(&scope, task) {
                self.line(&place, ticket, (scope, task, due));
            }
        }
    }

    /// Takes out the best task of any kind of a class that is wanted.
    pub(super) fn pop(&mut self, class: Class, wanted: impl Fn(&Kind) -> bool) -> Option<(Kind, ScopeId, Task)> {
        let (_, kind) = self.heads(class).filter(|(_, kind)| wanted(kind)).min()?;
        let kind = kind.clone();
        self.pop_of(&kind).map(|(scope, task)| (kind, scope, task))
    }

    /// Takes out the best task of a kind.
    pub(super) fn pop_of(&mut self, kind: &Kind) -> Option<(ScopeId, Task)> {
        let lines = &mut self.ready[kind.class as usize];
        let line = lines.get_mut(kind)?;
        let (_, (scope, task, _)) = line.pop_first()?;
        if line.is_empty() {
            lines.remove(kind);
        }
        Some((scope, task))
    }

    /// The kinds of a class of which there are tasks, with the rank of the best.
    pub(super) fn heads(&self, class: Class) -> impl Iterator<Item = (Rank, &Kind)> {
        self.ready[class as usize].iter().filter_map(|(kind, line)| Some((*line.first_key_value()?.0, kind)))
    }

    /// The rank of the best task of a kind.
    pub(super) fn head_of(&self, kind: &Kind) -> Option<Rank> {
        Some(*self.ready[kind.class as usize].get(kind)?.first_key_value()?.0)
    }

    /// Whether there is a task of any kind of a class that is wanted.
    pub(super) fn has_any(&self, class: Class, wanted: impl Fn(&Kind) -> bool) -> bool {
        self.ready[class as usize].keys().any(wanted)
    }

    /// Somebody has left: who waits in line may be let in.
    pub(super) fn tell_the_line(&mut self) {
        self.news |= !self.ready[Class::Admit as usize].is_empty();
    }

    /// A call of a lane is in somebody's hands now.
    pub(super) fn enter_lane(&mut self, lane: &Option<Name>) {
        if let Some(lane) = lane {
            *self.in_hand.entry(lane.clone()).or_default() += 1;
        }
    }

    /// A call of a lane is in nobody's hands any more.
    pub(super) fn leave_lane(&mut self, lane: &Option<Name>) {
        let Some(lane) = lane else { return };
        if let Some(count) = self.in_hand.get_mut(lane) {
            *count -= 1;
            if *count == 0 {
                self.in_hand.remove(lane);
            }
        }
        self.news |= self.has_any(Class::Call, |kind| kind.lane.as_ref() == Some(lane));
    }

    /// How many calls of a lane are in the hands of workers.
    pub(super) fn in_hand(&self, lane: &Name) -> usize {
        self.in_hand.get(lane).copied().unwrap_or(0)
    }

    /// How many tasks of each kind of a class there are.
    pub(super) fn lengths(&self, class: Class) -> impl Iterator<Item = (&Kind, usize)> {
        self.ready[class as usize].iter().map(|(kind, line)| (kind, line.len()))
    }

    /// The calls that are queued, with the time from which on they can be claimed if that has come.
    pub(super) fn calls(
        &self,
        place_of: impl Fn(&ScopeId, Task) -> Option<Place>,
    ) -> impl Iterator<Item = (Kind, &ScopeId, Option<Timestamp>)> {
        let lines = self.ready[Class::Call as usize].iter();
        let lines = lines.flat_map(|(kind, line)| line.values().map(move |task| (kind, task)));
        let ready = lines.map(|(kind, (scope, _, since))| (kind.clone(), scope, Some(*since)));
        let later = self.later.iter().filter_map(move |((due, _), (scope, task))| {
            Some((place_of(scope, *task)?.kind(*task), scope, Some(*due).filter(|due| *due <= self.clock)))
        });
        ready.chain(later).filter(|(kind, ..)| kind.class == Class::Call)
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((due, _), _)| *due)
    }

    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }
}
