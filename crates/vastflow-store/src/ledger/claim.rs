//! Handing out tasks: to whom there is room for, the best first.

use super::queue::{Class, Kind};
use super::scope::TaskState;
use super::{Ledger, Run};
use crate::work::{Claim, Claimed, Claims};
use rustc_hash::FxHashMap;
use vastflow_core::{Name, RunStatus, Task};

/// The most timers and deliveries that one claim hands out.
const INTERNAL_A_CLAIM: usize = 1_024;
/// The most runs that one claim lets in where there is no window.
const ADMITTED_A_CLAIM: usize = 256;

impl Ledger {
    /// Hands out visible tasks, highest priority first, then oldest first. Timers and deliveries take no slot of a
    /// worker, so `max` does not hold them back.
    pub fn claim(&mut self, ask: &Claim) -> Claims {
        self.workers.insert(ask.worker, ask.now.plus(ask.lease));
        self.queue.ripen(ask.now);
        let mut claims = Claims::default();
        self.claim_internal(ask, &mut claims);
        self.claim_admits(ask, &mut claims);
        let rooms = self.claim_calls(ask, &mut claims);
        let has_room =
            |lane: &Option<Name>| lane.as_ref().is_none_or(|lane| rooms.get(lane).is_some_and(|room| *room > 0));
        let is_left = |kind: &Kind| kind.class != Class::Admit && is_known(ask, kind) && has_room(&kind.lane);
        claims.more = self.queue.has_any(is_left);
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
        for _ in 0..ask.max {
            let has_room = |kind: &Kind| match &kind.lane {
                Some(lane) => rooms.get(lane).is_some_and(|room| *room > 0),
                None => true,
            };
            let Some(kind) = self.claim_one(ask, claims, |kind| kind.class == Class::Call && has_room(kind)) else {
                break;
            };
            if let Some(room) = kind.lane.as_ref().and_then(|lane| rooms.get_mut(lane)) {
                *room -= 1;
            }
        }
        rooms
    }

    /// Runs that wait in line, as far as the windows let them in.
    fn claim_admits(&mut self, ask: &Claim, claims: &mut Claims) {
        let waits = |ledger: &Self| ledger.queue.has_any(|kind| kind.class == Class::Admit && is_known(ask, kind));
        if !waits(self) {
            return;
        }
        let mut flights = self.in_flight();
        for _ in 0..ADMITTED_A_CLAIM {
            let all: usize = flights.values().sum();
            let plans = &self.plans;
            let flow = |kind: &Kind| plans.get(&kind.plan).map(|plan| plan.flow().clone());
            let has_room = |kind: &Kind| {
                let of = flow(kind);
                let own = of.as_ref().and_then(|flow| flights.get(flow)).copied().unwrap_or(0);
                ask.windows.iter().all(|(window, most)| match window {
                    None => all < *most,
                    window if *window == of => own < *most,
                    _ => true,
                })
            };
            let wanted: Vec<Kind> =
                self.queue.kinds().filter(|kind| kind.class == Class::Admit && has_room(kind)).collect();
            let Some(kind) = self.claim_one(ask, claims, |kind| wanted.contains(kind)) else { break };
            if let Some(flow) = self.plans.get(&kind.plan).map(|plan| plan.flow().clone()) {
                *flights.entry(flow).or_default() += 1;
            }
        }
        claims.is_full = waits(self);
    }

    /// How many runs of each flow have begun their work, or are about to, and have not ended.
    fn in_flight(&self) -> FxHashMap<Name, usize> {
        let mut flights: FxHashMap<Name, usize> = FxHashMap::default();
        for run in self.runs.values().filter(|run| run.is_in_flight()) {
            *flights.entry(run.summary.started.flow.clone()).or_default() += 1;
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
                continue;
            }
            let Some((token, messages)) = scope.claim(task, ask.worker) else { continue };
            let (len, lane) = (scope.journal.len(), kind.lane.clone());
            claims.tasks.push(Claimed { scope: scope_id, task, token, lane, plan, len, control, messages });
            return Some(kind);
        }
    }
}

impl Run {
    fn is_in_flight(&self) -> bool {
        let status = self.summary.status;
        let admitting = || {
            let claimed = self.root.tasks_in(|state| matches!(state, TaskState::Claimed { .. }));
            claimed.contains(&Task::Admit)
        };
        !status.is_final() && (status != RunStatus::Queued || admitting())
    }
}

fn is_known(ask: &Claim, kind: &Kind) -> bool {
    !ask.except.contains(&kind.plan)
}
