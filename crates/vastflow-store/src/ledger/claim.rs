//! Handing out tasks: to whom there is room for, the best first.

use super::queue::{Class, Kind};
use super::scope::{Handed, TaskState};
use super::{Ledger, Run};
use crate::work::{Claim, Claimed, Claims, WindowState};
use rustc_hash::FxHashMap;
use vastflow_core::{Name, Task};

/// The most timers and deliveries that one claim hands out.
const INTERNAL_A_CLAIM: usize = 1_024;
/// The most runs that one claim lets in where there is no window.
const ADMITTED_A_CLAIM: usize = 256;

impl Ledger {
    /// Hands out visible tasks, highest priority first, then oldest first. Timers and deliveries take no slot of a
    /// worker, so `max` does not hold them back.
    pub fn claim(&mut self, ask: &Claim) -> Claims {
        self.lives(ask.worker, ask.now.plus(ask.lease));
        self.queue.ripen(ask.now);
        let mut claims = Claims::default();
        self.claim_internal(ask, &mut claims);
        self.claim_admits(ask, &mut claims);
        let rooms = self.claim_calls(ask, &mut claims);
        let has_room =
            |lane: &Option<Name>| lane.as_ref().is_none_or(|lane| rooms.get(lane).is_some_and(|room| *room > 0));
        let is_left = |kind: &Kind| kind.class != Class::Admit && is_known(ask, kind) && has_room(&kind.lane);
        claims.more = self.queue.has_any(|kind| kind.alone == ask.alone && is_left(kind));
        claims.alone_waits = self.queue.has_any(|kind| kind.alone && is_left(kind));
        claims.next_due = self.queue.next_due();
        claims
    }

    fn claim_internal(&mut self, ask: &Claim, claims: &mut Claims) {
        while claims.tasks.len() < INTERNAL_A_CLAIM
            && self.claim_one(ask, claims, |kind| kind.class == Class::Internal).is_some()
        {}
    }

    /// Calls, as many as there are slots, and of each lane as many as it has room for. Gives the room that is left.
    fn claim_calls<'a>(&mut self, ask: &'a Claim, claims: &mut Claims) -> FxHashMap<&'a Name, usize> {
        let mut rooms: FxHashMap<&Name, usize> = ask.lanes.iter().map(|(lane, room)| (lane, *room)).collect();
        for _ in 0..if ask.alone { ask.max.min(1) } else { ask.max } {
            let has_room = |kind: &Kind| match &kind.lane {
                Some(lane) => rooms.get(lane).is_some_and(|room| *room > 0),
                None => true,
            };
            let is_wanted = |kind: &Kind| kind.class == Class::Call && kind.alone == ask.alone && has_room(kind);
            let Some(kind) = self.claim_one(ask, claims, is_wanted) else { break };
            if let Some(room) = kind.lane.as_ref().and_then(|lane| rooms.get_mut(lane)) {
                *room -= 1;
            }
        }
        rooms
    }

    /// Runs that wait in line, as far as the windows let them in.
    fn claim_admits(&mut self, ask: &Claim, claims: &mut Claims) {
        let flights = if ask.windows.is_empty() { FxHashMap::default() } else { self.in_flight() };
        let mut in_flight: Vec<usize> = ask.windows.iter().map(|(flow, _)| of(&flights, flow.as_ref())).collect();
        for _ in 0..ADMITTED_A_CLAIM {
            let full: Vec<&Option<Name>> = ask
                .windows
                .iter()
                .zip(&in_flight)
                .filter(|((_, most), now)| *now >= most)
                .map(|((flow, _), _)| flow)
                .collect();
            let kinds = self.queue.kinds().filter(|kind| kind.class == Class::Admit);
            let wanted: Vec<Kind> = kinds.filter(|kind| !full.iter().any(|flow| self.concerns(flow, kind))).collect();
            if wanted.is_empty() {
                break;
            }
            let Some(kind) = self.claim_one(ask, claims, |kind| wanted.contains(kind)) else { break };
            for ((flow, _), now) in ask.windows.iter().zip(&mut in_flight) {
                *now += usize::from(self.concerns(flow, &kind));
            }
        }
        let waits = |flow: &Option<Name>| {
            self.queue.has_any(|kind| kind.class == Class::Admit && is_known(ask, kind) && self.concerns(flow, kind))
        };
        claims.windows = ask
            .windows
            .iter()
            .zip(in_flight)
            .map(|((flow, _), in_flight)| WindowState { flow: flow.clone(), in_flight, waits: waits(flow) })
            .collect();
    }

    /// Whether a window is one of those that runs of this kind wait for.
    fn concerns(&self, window: &Option<Name>, kind: &Kind) -> bool {
        let flow = || self.plans.get(&kind.plan).map(|plan| plan.flow());
        window.as_ref().is_none_or(|window| flow() == Some(window))
    }

    /// How many runs of each flow have begun their work, or are about to, and have not ended: all but those in line.
    fn in_flight(&mut self) -> FxHashMap<Name, usize> {
        let runs = &self.runs;
        let is_held = |run: &Run| matches!(run.root.state_of(Task::Admit), Some(TaskState::Held));
        self.held_in_line.retain(|id| runs.get(id).is_some_and(|run| is_held(run)));
        let mut flights = self.tally.unfinished.clone();
        let held = self.held_in_line.iter().filter_map(|id| Some((runs.get(id)?.summary.started.flow.clone(), 1)));
        let queued = self.queue.lengths(Class::Admit);
        let queued = queued.filter_map(|(plan, count)| Some((self.plans.get(&plan)?.flow().clone(), count)));
        for (flow, count) in held.chain(queued) {
            if let Some(flight) = flights.get_mut(&flow) {
                *flight = flight.saturating_sub(count);
            }
        }
        flights
    }

    /// Hands out the best task of any kind that is wanted; gives its kind.
    fn claim_one(&mut self, ask: &Claim, claims: &mut Claims, wanted: impl Fn(&Kind) -> bool) -> Option<Kind> {
        loop {
            let (kind, scope_id, task) = self.queue.pop(|kind| is_known(ask, kind) && wanted(kind))?;
            let Some(run) = self.runs.get_mut(scope_id.run()) else { continue };
            let (control, plan) = (run.control, run.summary.started.plan);
            let Some(scope) = run.scope_mut(&scope_id) else { continue };
            if !control.control.hands_out() {
                scope.hold(task);
                if task == Task::Admit {
                    self.held_in_line.insert(scope_id.run().clone());
                }
                continue;
            }
            let Some(handed) = scope.claim(task, ask.worker) else { continue };
            let Handed { token, crashes, messages } = handed;
            let (len, lane) = (scope.journal.len(), kind.lane.clone());
            claims.tasks.push(Claimed { scope: scope_id, task, token, lane, crashes, plan, len, control, messages });
            return Some(kind);
        }
    }
}

/// How many runs of a flow, or of all, there are.
fn of(flights: &FxHashMap<Name, usize>, flow: Option<&Name>) -> usize {
    match flow {
        Some(flow) => flights.get(flow).copied().unwrap_or(0),
        None => flights.values().sum(),
    }
}

fn is_known(ask: &Claim, kind: &Kind) -> bool {
    !ask.except.contains(&kind.plan)
}
