//! Tasks that can be claimed now, and those that can be later.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use vastflow_core::{Name, PlanHash, ScopeId, Task, Timestamp};

/// What decides where in the queue a task stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) plan: PlanHash,
    pub(super) priority: i8,
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
type Rank = (Reverse<i8>, u64);

/// Tasks of one kind that can be claimed, with the time from which on they could.
type Line = BTreeMap<Rank, (ScopeId, Task, Timestamp)>;

#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: BTreeMap<Kind, Line>,
    later: BTreeMap<(Timestamp, u64), (ScopeId, Task, Place)>,
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
            self.later.insert((due, ticket), (scope.clone(), task, place.clone()));
        } else {
            self.line(place, ticket, (scope.clone(), task, self.clock.max(due)));
        }
        ticket
    }

    fn line(&mut self, place: &Place, ticket: u64, task: (ScopeId, Task, Timestamp)) {
        let line = self.ready.entry(place.kind(task.1)).or_default();
        line.insert((Reverse(place.priority), ticket), task);
    }

    /// It is at least this late.
    pub(super) fn hear_time(&mut self, now: Timestamp) {
        self.clock = self.clock.max(now);
    }

    /// Takes a task out, wherever it stands.
    pub(super) fn remove(&mut self, task: Task, due: Timestamp, ticket: u64, place: &Place) {
        if self.later.remove(&(due, ticket)).is_some() {
            return;
        }
        let kind = place.kind(task);
        if let Some(line) = self.ready.get_mut(&kind) {
            line.remove(&(Reverse(place.priority), ticket));
            if line.is_empty() {
                self.ready.remove(&kind);
            }
        }
    }

    /// Time has come this far: what was due by now can be claimed.
    pub(super) fn ripen(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.hear_time(now);
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= self.now) {
            let ((due, ticket), (scope, task, place)) = first.remove_entry();
            self.line(&place, ticket, (scope, task, due));
        }
    }

    /// Takes out the best task of any kind that is wanted.
    pub(super) fn pop(&mut self, wanted: impl Fn(&Kind) -> bool) -> Option<(Kind, ScopeId, Task)> {
        let lines = self.ready.iter().filter(|(kind, _)| wanted(kind));
        let (_, kind) = lines.filter_map(|(kind, line)| Some((*line.first_key_value()?.0, kind))).min()?;
        let kind = kind.clone();
        let line = self.ready.get_mut(&kind)?;
        let (_, (scope, task, _)) = line.pop_first()?;
        if line.is_empty() {
            self.ready.remove(&kind);
        }
        Some((kind, scope, task))
    }

    /// Whether there is a task of any kind that is wanted.
    pub(super) fn has_any(&self, wanted: impl Fn(&Kind) -> bool) -> bool {
        self.ready.keys().any(wanted)
    }

    /// Somebody has left: who waits in line may be let in.
    pub(super) fn tell_the_line(&mut self) {
        self.news |= self.has_any(|kind| kind.class == Class::Admit);
    }

    /// How many tasks of a class there are of each plan.
    pub(super) fn lengths(&self, class: Class) -> impl Iterator<Item = (PlanHash, usize)> {
        self.ready.iter().filter(move |(kind, _)| kind.class == class).map(|(kind, line)| (kind.plan, line.len()))
    }

    /// The calls that are queued, with the time from which on they can be claimed if that has come.
    pub(super) fn calls(&self) -> impl Iterator<Item = (Kind, &ScopeId, Option<Timestamp>)> {
        let lines = self.ready.iter().flat_map(|(kind, line)| line.values().map(move |task| (kind, task)));
        let ready = lines.map(|(kind, (scope, _, since))| (kind.clone(), scope, Some(*since)));
        let later = self.later.iter().map(|((due, _), (scope, task, place))| {
            (place.kind(*task), scope, Some(*due).filter(|due| *due <= self.clock))
        });
        ready.chain(later).filter(|(kind, ..)| kind.class == Class::Call)
    }

    /// The kinds of which there are tasks.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.ready.keys().cloned()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((due, _), _)| *due)
    }

    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }
}
