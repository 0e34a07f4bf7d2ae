//! Tasks that can be claimed now, and those that can be later.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use vastflow_core::{PlanHash, ScopeId, Task, Timestamp};

/// What decides where in the queue a run's tasks stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) plan: PlanHash,
    pub(super) priority: i8,
}

/// Higher priority first, then first come, first served.
type Rank = (Reverse<i8>, u64);

/// Tasks of one plan that can be claimed.
type Line = BTreeMap<Rank, (ScopeId, Task)>;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By whether they take a slot, then by plan.
    ready: BTreeMap<(bool, PlanHash), Line>,
    later: BTreeMap<(Timestamp, u64), (ScopeId, Task, Place)>,
    next_ticket: u64,
    /// Tasks before this are visible.
    now: Timestamp,
    news: bool,
}

impl Queue {
    /// Adds a task; the ticket finds it again.
    pub(super) fn push(&mut self, scope: &ScopeId, task: Task, due: Timestamp, place: Place) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.news = true;
        if due > self.now {
            self.later.insert((due, ticket), (scope.clone(), task, place));
        } else {
            self.line(place, ticket, scope.clone(), task);
        }
        ticket
    }

    fn line(&mut self, place: Place, ticket: u64, scope: ScopeId, task: Task) {
        self.ready
            .entry((task.takes_slot(), place.plan))
            .or_default()
            .insert((Reverse(place.priority), ticket), (scope, task));
    }

    /// Takes a task out, wherever it stands.
    pub(super) fn remove(&mut self, task: Task, due: Timestamp, ticket: u64, place: Place) {
        if self.later.remove(&(due, ticket)).is_some() {
            return;
        }
        let key = (task.takes_slot(), place.plan);
        if let Some(line) = self.ready.get_mut(&key) {
            line.remove(&(Reverse(place.priority), ticket));
            if line.is_empty() {
                self.ready.remove(&key);
            }
        }
    }

    /// Time has come this far: what was due by now can be claimed.
    pub(super) fn ripen(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= self.now) {
            let ((_, ticket), (scope, task, place)) = first.remove_entry();
            self.line(place, ticket, scope, task);
        }
    }

    /// The best task of any plan that is not excepted, among those that take a slot or among the others.
    pub(super) fn pop(&mut self, takes_slot: bool, except: &[PlanHash]) -> Option<(ScopeId, Task)> {
        let lines = self.ready.iter().filter(|((slot, plan), _)| *slot == takes_slot && !except.contains(plan));
        let (_, key) = lines.filter_map(|(key, line)| Some((*line.first_key_value()?.0, *key))).min()?;
        let line = self.ready.get_mut(&key)?;
        let (_, task) = line.pop_first()?;
        if line.is_empty() {
            self.ready.remove(&key);
        }
        Some(task)
    }

    /// Whether there is a task of any plan that is not excepted.
    pub(super) fn has_any(&self, except: &[PlanHash]) -> bool {
        self.ready.keys().any(|(_, plan)| !except.contains(plan))
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((due, _), _)| *due)
    }

    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }
}
