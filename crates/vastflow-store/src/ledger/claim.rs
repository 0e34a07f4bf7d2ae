//! Handing out tasks: to whom there is room for, the best first.

use super::queue::{Class, Kind, Rank};
use super::room::Rooms;
use super::scope::{Handed, TaskState};
use super::{Crowd, Ledger, Run, crowds};
use crate::error::StoreError;
use crate::work::{Claim, Claimed, Claims, WindowOf, WindowState};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use vastflow_core::{Name, RunStarted, ScopeId, Task};

/// The most timers and deliveries that one claim hands out.
const INTERNAL_A_CLAIM: usize = 1_024;
/// The most runs that one claim lets in where there is no window.
const ADMITTED_A_CLAIM: usize = 256;

impl Ledger {
    /// Hands out visible tasks, highest priority first, then oldest first. Timers and deliveries take no slot of a
    /// worker, so `max` does not hold them back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: a later claim of the worker came before it.
    pub fn claim(&mut self, ask: &Claim) -> Result<Claims, StoreError> {
        self.take_turn(ask)?;
        let mut claims = Claims::default();
        self.claim_internal(ask, &mut claims);
        self.claim_admits(ask, &mut claims);
        let rooms = self.claim_calls(ask, &mut claims);
        let is_left = |kind: &Kind| is_known(ask, kind) && rooms.has_room(kind.lane.as_ref());
        claims.more = self.queue.has_any(Class::Internal, |kind| is_known(ask, kind))
            || self.queue.has_any(Class::Call, |kind| kind.alone == ask.alone && is_left(kind));
        claims.alone_waits = self.queue.has_any(Class::Call, |kind| kind.alone && is_left(kind));
        let waits_in = |ledger: &Self, lane: &Name| {
            ledger.queue.has_any(Class::Call, |kind| is_known(ask, kind) && kind.lane.as_ref() == Some(lane))
        };
        let next_token = self.spend(ask, &rooms, waits_in);
        claims.next_due = self.queue.next_due().into_iter().chain(next_token).min();
        self.note_given(ask, &claims.tasks);
        Ok(claims)
    }

    fn claim_internal(&mut self, ask: &Claim, claims: &mut Claims) {
        while claims.tasks.len() < INTERNAL_A_CLAIM
            && self.claim_best(ask, claims, Class::Internal, |kind| is_known(ask, kind)).is_some()
        {}
    }

    /// Calls, as many as there are slots, and of each lane as many as it has room for. Gives the room that is left.
    fn claim_calls<'a>(&mut self, ask: &'a Claim, claims: &mut Claims) -> Rooms<'a> {
        let mut rooms = Rooms::of(self, ask);
        for _ in 0..if ask.alone { ask.max.min(1) } else { ask.max } {
            let wanted =
                |kind: &Kind| is_known(ask, kind) && kind.alone == ask.alone && rooms.has_room(kind.lane.as_ref());
            let Some(kind) = self.claim_best(ask, claims, Class::Call, wanted) else { break };
            rooms.take(kind.lane.as_ref());
        }
        rooms
    }

    /// Runs that wait in line, as far as the windows let them in.
    fn claim_admits(&mut self, ask: &Claim, claims: &mut Claims) {
        let mut waiting = if ask.windows.is_empty() { Waiting::default() } else { self.waiting() };
        let line = self.queue.heads(Class::Admit).filter(|(_, kind)| is_known(ask, kind));
        let mut line: BTreeSet<(Rank, Kind)> = line.map(|(rank, kind)| (rank, kind.clone())).collect();
        let mut admitted = 0;
        while let Some((_, kind)) = line.pop_first().filter(|_| admitted < ADMITTED_A_CLAIM) {
            let Some(flow) = self.plans.get(&kind.plan).map(|plan| plan.flow().clone()) else { continue };
            let key = kind.lane.as_ref();
            let has_room = |(window, most): &(WindowOf, usize)| {
                !window.concerns(&flow, key) || self.in_flight(&waiting, window, key) < *most
            };
            if !ask.windows.iter().all(has_room) {
                continue;
            }
            if let Some((scope, task)) = self.queue.pop_of(&kind)
                && self.hand_out(ask, claims, &kind, scope, task)
            {
                admitted += 1;
                waiting.remove(&flow, key);
            }
            line.extend(self.queue.head_of(&kind).map(|rank| (rank, kind)));
        }
        claims.windows = self.window_states(ask, &waiting);
    }

    fn window_states(&self, ask: &Claim, waiting: &Waiting) -> Vec<WindowState> {
        let waits = |window: &WindowOf| {
            self.queue.has_any(Class::Admit, |kind| {
                let flow = self.plans.get(&kind.plan).map(|plan| plan.flow());
                is_known(ask, kind) && flow.is_some_and(|flow| window.concerns(flow, kind.lane.as_ref()))
            })
        };
        let windows = ask.windows.iter().map(|(window, _)| window);
        let whole = windows.filter(|window| !matches!(window, WindowOf::KeyOf(_)));
        let state = |of: &WindowOf| WindowState {
            of: of.clone(),
            in_flight: self.in_flight(waiting, of, None),
            waits: waits(of),
        };
        whole.map(state).collect()
    }

    /// How many runs that count for a window have begun their work, or are about to, and have not ended: all but those
    /// in line. For a window by key, those that have `key`.
    fn in_flight(&self, waiting: &Waiting, window: &WindowOf, key: Option<&Name>) -> usize {
        let crowd = match window {
            WindowOf::All => return self.tally.open.saturating_sub(waiting.all),
            WindowOf::Flow(flow) => (flow.clone(), None),
            WindowOf::KeyOf(flow) => (flow.clone(), key.cloned()),
        };
        let open = self.tally.unfinished.get(&crowd).copied().unwrap_or(0);
        open.saturating_sub(waiting.crowds.get(&crowd).copied().unwrap_or(0))
    }

    /// The runs that wait in line, those that are held there among them.
    fn waiting(&mut self) -> Waiting {
        let runs = &self.runs;
        let is_held = |run: &Run| matches!(run.root.state_of(Task::Admit), Some(TaskState::Held));
        self.held_in_line.retain(|id| runs.get(id).is_some_and(|run| is_held(run)));
        let mut waiting = Waiting::default();
        for run in self.held_in_line.iter().filter_map(|id| runs.get(id)) {
            let RunStarted { flow, info, .. } = run.known.started();
            waiting.add(flow, info.key.as_ref(), 1);
        }
        for (kind, count) in self.queue.lengths(Class::Admit) {
            if let Some(plan) = self.plans.get(&kind.plan) {
                waiting.add(plan.flow(), kind.lane.as_ref(), count);
            }
        }
        waiting
    }

    /// Hands out the best task of any kind of a class that is wanted; gives its kind.
    fn claim_best(
        &mut self,
        ask: &Claim,
        claims: &mut Claims,
        class: Class,
        wanted: impl Fn(&Kind) -> bool,
    ) -> Option<Kind> {
        loop {
            let (kind, scope, task) = self.queue.pop(class, &wanted)?;
            if self.hand_out(ask, claims, &kind, scope, task) {
                return Some(kind);
            }
        }
    }

    /// Hands out a task that was taken out of the queue, unless its run's word keeps it back; whether it did.
    fn hand_out(&mut self, ask: &Claim, claims: &mut Claims, kind: &Kind, scope: ScopeId, task: Task) -> bool {
        let Ledger { runs, queue, held_in_line, .. } = self;
        let Some(run) = runs.get_mut(scope.run()) else { return false };
        let (control, plan) = (run.control, run.known.started().plan);
        let Some(known) = run.scope_mut(&scope) else { return false };
        if !control.control.hands_out() {
            known.hold(task);
            if task == Task::Admit {
                held_in_line.insert(scope.run().clone());
            }
            return false;
        }
        let Some(Handed { token, crashes, messages }) = known.claim(task, ask.worker, queue) else { return false };
        let lane = kind.lane.clone().filter(|_| kind.class == Class::Call);
        let len = known.journal.len();
        claims.tasks.push(Claimed { scope, task, token, lane, crashes, plan, len, control, messages });
        true
    }
}

/// How many runs wait in line.
#[derive(Default)]
struct Waiting {
    all: usize,
    crowds: FxHashMap<Crowd, usize>,
}

impl Waiting {
    fn add(&mut self, flow: &Name, key: Option<&Name>, runs: usize) {
        self.all += runs;
        crowds(flow, key).for_each(|crowd| *self.crowds.entry(crowd).or_default() += runs);
    }

    fn remove(&mut self, flow: &Name, key: Option<&Name>) {
        self.all = self.all.saturating_sub(1);
        for crowd in crowds(flow, key) {
            if let Some(count) = self.crowds.get_mut(&crowd) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

fn is_known(ask: &Claim, kind: &Kind) -> bool {
    !ask.except.contains(&kind.plan)
}
