//! A cell: the state of one scope, ahead of the log.

use crate::call::start_task;
use crate::error::Error;
use crate::metrics::Tally;
use crate::shared::{Shared, TICK, lock};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use vastflow_core::run::{Changes, Input, Peer, RunSummary, StepError, TaskOutcome, Times, Word};
use vastflow_core::{
    Codec, Event, Name, Payload, Plan, RunStarted, RunStatus, ScopeId, Seq, State, Task, Timestamp, codec,
};
use vastflow_sdk::{Bound, Ctx, Temporary};
use vastflow_store::{ClaimToken, Commit, Control, Message, NewTask};

/// The state of one scope that is active in this engine.
pub(crate) struct Cell {
    pub(crate) scope: ScopeId,
    pub(crate) bound: Arc<Bound>,
    /// How the run began, where the scope is not the run's root.
    pub(crate) begun: Option<Arc<RunStarted>>,
    pub(crate) inner: Mutex<Inner>,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// All that was told so far, acknowledged or not.
    pub(crate) state: State,
    /// What goes out with the next commit.
    pub(crate) gathered: Gathered,
    /// What went out and is not answered yet.
    pub(crate) in_flight: Option<InFlight>,
    /// Whether the cell waits for its turn.
    pub(crate) is_dirty: bool,
    /// Calls under way here.
    pub(crate) calls: Vec<Calling>,
    /// Those of them whose tasks the store was never told of: they follow from nodes that are not durable.
    pub(crate) riders: Vec<Task>,
    /// What a run about to start brings along for its calls in this process. There may be a run of its id already,
    /// which must not get it, so it waits for the start to be recorded.
    pub(crate) brings: Option<Temporary>,
    /// Whether the run was held when something of this scope was last recorded.
    pub(crate) is_held: bool,
    /// Whether the engine let go of the cell, so that another may be the one of its scope.
    pub(crate) is_gone: bool,
}

/// A call under way.
pub(crate) struct Calling {
    pub(crate) task: Task,
    /// The right to report on it: of the last claim, which may be younger than the call.
    pub(crate) token: ClaimToken,
    pub(crate) ctx: Ctx,
    /// Ends it at its next wait, with nothing recorded.
    pub(crate) abort: AbortHandle,
}

/// What was told and is not on its way yet.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) told: Vec<Told>,
    /// What was refused because of something in `told`, with the answer to give when that is durable.
    pub(crate) refused: Vec<Refused>,
    events: Vec<Event>,
    changes: Changes,
    /// The time that its events are recorded with: when the first was told.
    at: Option<Timestamp>,
    /// Slots of calls that have ended, for what follows from them.
    slots: usize,
    status_changed: bool,
    /// The control word that fits the state before the first was told.
    word_before: Option<Control>,
}

/// Something that was told, kept until it is acknowledged: after a conflict it is decided again.
pub(crate) struct Told {
    pub(crate) input: Input,
    /// The task that it answers, with the right to.
    pub(crate) settles: Option<(Task, ClaimToken)>,
    /// Who wants to know that it is recorded, or why not.
    pub(crate) asks: Option<oneshot::Sender<Result<(), Error>>>,
}

/// Something that was told and refused, with the answer.
pub(crate) type Refused = (Told, Result<(), Error>);

/// A commit on its way.
pub(crate) struct InFlight {
    pub(crate) told: Vec<Told>,
    pub(crate) refused: Vec<Refused>,
    /// The tasks that this engine goes on with.
    pub(crate) kept: Vec<Task>,
    /// Tasks under way of which the store is told with it.
    pub(crate) riders: Vec<Task>,
    pub(crate) end: Option<Arc<RunSummary>>,
    /// What it tells of calls.
    pub(crate) tally: Tally,
    /// How often the store did not answer.
    pub(crate) tries: u32,
}

impl Cell {
    pub(crate) fn new(scope: ScopeId, bound: Arc<Bound>, state: State) -> Arc<Self> {
        Cell::within(scope, bound, None, state)
    }

    /// A cell of any scope; one that is not the root knows how its run began.
    pub(crate) fn within(scope: ScopeId, bound: Arc<Bound>, begun: Option<Arc<RunStarted>>, state: State) -> Arc<Self> {
        let inner = Inner { state, ..Inner::default() };
        Arc::new(Cell { scope, bound, begun, inner: Mutex::new(inner) })
    }

    /// Who another scope of the run is to this one.
    pub(crate) fn peer(&self, other: &ScopeId) -> Option<Peer> {
        if self.scope.parent().is_some_and(|(parent, ..)| parent == *other) {
            return Some(Peer::Parent);
        }
        let (parent, node, key) = other.parent()?;
        let node = self.bound.plan().find(node)?;
        (parent == self.scope).then(|| Peer::Child { node, key: key.into() })
    }

    /// Where what is said to a peer goes.
    fn scope_of(&self, peer: &Peer) -> Option<ScopeId> {
        match peer {
            Peer::Parent => self.scope.parent().map(|(parent, ..)| parent),
            Peer::Child { node, key } => Some(self.scope.child(&self.bound.plan().node(*node)?.name, key)),
        }
    }

    fn message(&self, (peer, word): (Peer, Word)) -> Option<Message> {
        let body = codec::encode_word(&word).ok()?;
        Some(Message { to: self.scope_of(&peer)?, kind: word.kind(), body: Payload::new(Codec::Bytes, body) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Tells the scope something that answers no task in hand.
    pub(crate) fn tell(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        input: Input,
        asks: Option<oneshot::Sender<Result<(), Error>>>,
    ) {
        let mut inner = self.lock();
        if let Some(other) = shared.replacement(self, &mut inner) {
            drop(inner);
            return other.tell(shared, input, asks);
        }
        inner.tell(self, shared, Told { input, settles: None, asks });
        // Looked at after the telling: either the last turn sees what was told, or this sees that there was one.
        if shared.stopped.is_off() {
            let slots = inner.refuse_all(&shared.why_stopped());
            return shared.slots.give_back(slots);
        }
        self.go_on(shared, inner);
    }

    /// Tells the scope what came of a call. Its slot stays for what follows from it.
    pub(crate) fn ended(self: &Arc<Self>, shared: &Arc<Shared>, outcome: TaskOutcome) {
        let mut inner = self.lock();
        // One that is not among the calls was ended from outside, and its slot given back.
        let Some(at) = inner.calls.iter().position(|call| call.task == outcome.task) else { return };
        let call = inner.calls.swap_remove(at);
        self.answer_in(shared, inner, Input::Outcome(outcome), (call.task, call.token), 1);
    }

    /// Tells the scope what came of a task that was not called, which came with so many slots.
    pub(crate) fn answer(self: &Arc<Self>, shared: &Arc<Shared>, input: Input, task: (Task, ClaimToken), slots: usize) {
        self.answer_in(shared, self.lock(), input, task, slots);
    }

    fn answer_in(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        mut inner: MutexGuard<'_, Inner>,
        input: Input,
        task: (Task, ClaimToken),
        slots: usize,
    ) {
        inner.gathered.slots += slots;
        let queued = inner.gathered.changes.queue.len();
        let settles = inner.is_stored(task.0).then_some(task);
        inner.tell(self, shared, Told { input, settles, asks: None });
        let riders = inner.take_riders(self, shared, task.0, queued);
        if riders.is_empty() {
            return self.go_on(shared, inner);
        }
        drop(inner);
        riders.into_iter().for_each(|rider| start_task(shared, self, rider, ClaimToken::FIRST, None));
    }

    /// The run is stopping, and these tasks are in nobody's hands and will not be: they are not begun.
    pub(crate) fn drop_queued(self: &Arc<Self>, shared: &Shared, tasks: impl IntoIterator<Item = Task>) {
        let mut inner = self.lock();
        for task in tasks {
            if inner.state.expects(task) && !inner.state.may_start(self.bound.plan(), task) {
                inner.tell(self, shared, Told { input: Input::NotStarted(task), settles: None, asks: None });
            }
        }
        self.go_on(shared, inner);
    }

    /// Asks for a turn if there is something to send and nothing on its way; lets go of the cell if it has no work.
    fn go_on(self: &Arc<Self>, shared: &Shared, mut inner: MutexGuard<'_, Inner>) {
        if inner.wants_turn() {
            inner.is_dirty = true;
            drop(inner);
            lock(&shared.turn.dirty).push(Arc::clone(self));
            shared.turn.wake.notify_one();
            // Looked at after the push: either the last turn found the cell there, or this sees that there was one.
            if let Some(why) = shared.turn.over.get() {
                let slots = self.lock().refuse_all(why);
                shared.slots.give_back(slots);
            }
        } else if inner.is_idle() {
            shared.dismiss(self, &mut inner);
        }
    }

    /// Something about the cell has ended: goes on with what gathered meanwhile, if anything.
    pub(crate) fn after(self: &Arc<Self>, shared: &Shared) {
        self.go_on(shared, self.lock());
    }

    /// The next commit, if there is something to commit.
    pub(crate) fn take_commit(&self, shared: &Shared) -> Option<Commit> {
        let mut inner = self.lock();
        inner.is_dirty = false;
        if inner.in_flight.is_some() {
            return None;
        }
        let gathered = std::mem::take(&mut inner.gathered);
        if gathered.events.is_empty() {
            shared.slots.give_back(gathered.slots);
            gathered.told.into_iter().for_each(Told::recorded);
            gathered.refused.into_iter().for_each(|(told, answer)| told.answer(answer));
            return None;
        }
        Some(inner.commit(self, shared, gathered))
    }
}

impl InFlight {
    /// Whether it begins the run.
    pub(crate) fn is_start(&self) -> bool {
        self.told.iter().any(Told::is_start)
    }
}

impl Gathered {
    /// How many slots of ended calls it holds.
    pub(crate) const fn slots(&self) -> usize {
        self.slots
    }
}

/// The control word that fits a state.
fn word(state: &State) -> Control {
    match state.status() {
        RunStatus::Paused => Control::Held,
        _ if state.outcome().is_some() => Control::Stopping,
        _ => Control::Running,
    }
}

/// What was told, without the answer that it was going to get.
pub(crate) fn of_refused(refused: Vec<Refused>) -> impl Iterator<Item = Told> {
    refused.into_iter().map(|(told, _)| told)
}

impl Told {
    /// Whether it begins the run.
    pub(crate) const fn is_start(&self) -> bool {
        matches!(self.input, Input::Start(_))
    }

    pub(crate) fn recorded(self) {
        self.answer(Ok(()));
    }

    pub(crate) fn refused(self, error: Error) {
        self.answer(Err(error));
    }

    pub(crate) fn answer(self, answer: Result<(), Error>) {
        if let Some(asks) = self.asks {
            // The one who asked may have gone away.
            let _ = asks.send(answer);
        }
    }
}

impl Inner {
    fn wants_turn(&self) -> bool {
        let has_news = !self.gathered.told.is_empty() || self.gathered.slots > 0;
        has_news && self.in_flight.is_none() && !self.is_dirty
    }

    /// Whether nothing is on its way or waits to be.
    pub(crate) fn is_quiet(&self) -> bool {
        self.gathered.told.is_empty() && self.in_flight.is_none() && !self.is_dirty
    }

    /// Whether something was told before a task was due, and is not sent yet. Whatever joins it is recorded with its time.
    pub(crate) fn gathers_since_before(&self, task: Task) -> bool {
        self.gathered.at.is_some_and(|at| self.state.due(task).is_some_and(|due| at < due))
    }

    /// Whether a call of this task is under way here.
    pub(crate) fn calls(&self, task: Task) -> bool {
        self.calls.iter().any(|call| call.task == task)
    }

    fn is_idle(&self) -> bool {
        self.is_quiet() && self.calls.is_empty() && self.gathered.slots == 0
    }

    /// Nothing of this will be sent any more, so the state that it led to is worth nothing. Gives the slots that it held.
    pub(crate) fn refuse_all(&mut self, error: &Error) -> usize {
        self.state = State::default();
        let (sent, gathered) = (self.in_flight.take(), std::mem::take(&mut self.gathered));
        let slots = sent.as_ref().map_or(0, |sent| sent.kept.len()) + gathered.slots;
        let sent = sent.into_iter().flat_map(|sent| sent.told.into_iter().chain(of_refused(sent.refused)));
        let gathered = gathered.told.into_iter().chain(of_refused(gathered.refused));
        sent.chain(gathered).for_each(|told| told.refused(error.clone()));
        slots
    }

    /// Decides and folds at once; what it means for others waits for the acknowledgement.
    pub(crate) fn tell(&mut self, cell: &Cell, shared: &Shared, told: Told) {
        let before = (self.state.is_empty(), self.state.status());
        self.gathered.word_before.get_or_insert(word(&self.state));
        let plan = cell.bound.plan();
        let now = shared.now();
        let times = Times { now: now.plus(TICK), recorded_at: self.gathered.at.unwrap_or(now) };
        let Gathered { told: all_told, changes, events, .. } = &mut self.gathered;
        if events.is_empty() {
            // Most commits tell one thing, and its events stay in memory until the run is in the tables.
            events.reserve_exact(1);
            all_told.reserve_exact(1);
        }
        match self.state.step_into(plan, told.input.clone(), times, changes, events) {
            Ok(()) => {
                self.gathered.at = Some(times.recorded_at);
                if let (None, Input::Outcome(outcome)) = (&told.settles, &told.input) {
                    // A rider's, decided again: the store need not hear of its task at all.
                    self.gathered.changes.queue.retain(|(task, _)| *task != outcome.task);
                }
                if let (None, Input::NotStarted(task)) = (&told.settles, &told.input) {
                    // Nobody holds it, so there is no claim to settle.
                    self.gathered.changes.obsolete.push(*task);
                }
                self.gathered.status_changed |= before != (false, self.state.status());
                self.gathered.told.push(told);
                self.cancel_calls();
            }
            Err(StepError::Rejected(rejection)) if told.asks.is_some() && !self.is_quiet() => {
                // The answer follows from what is not durable yet, so it waits for that; after a conflict it is asked again.
                tracing::debug!(scope = %cell.scope, "will be refused: {rejection}");
                let answer = crate::mend::meaning(cell, &rejection);
                let latest = if self.gathered.told.is_empty() {
                    self.in_flight.as_mut().map(|sent| &mut sent.refused)
                } else {
                    None
                };
                latest.unwrap_or(&mut self.gathered.refused).push((told, answer));
            }
            Err(StepError::Rejected(rejection)) => {
                tracing::debug!(scope = %cell.scope, "not recorded: {rejection}");
                told.answer(crate::mend::meaning(cell, &rejection));
            }
            Err(StepError::Illegal(source)) => {
                let error = Error::Corrupt { id: cell.scope.run().clone(), source };
                told.refused(error.clone());
                shared.break_down(&error);
            }
        }
    }

    /// Whether the store knows this task. One that it was not told of needs no settling.
    fn is_stored(&mut self, task: Task) -> bool {
        let at = self.riders.iter().position(|rider| *rider == task);
        at.map(|at| self.riders.swap_remove(at)).is_none()
    }

    /// What follows from a node that is not durable may begin before it is recorded, if this engine can begin all of it
    /// at once: the node's events then ride in front of theirs. The new tasks are those behind `queued`.
    fn take_riders(&mut self, cell: &Cell, shared: &Shared, from: Task, queued: usize) -> Vec<Task> {
        let node = from.node().and_then(|node| cell.bound.plan().node(node));
        let new = self.gathered.changes.queue.get(queued..).unwrap_or_default();
        let may_ride = node.is_some_and(|node| !node.durable)
            && !self.is_held
            && !self.state.is_paused()
            && shared.may_keep()
            && !self.gathered.status_changed
            && new
                .iter()
                .all(|(task, due)| task.takes_slot() && *due == Timestamp::ZERO && self.lane(cell, *task).is_none());
        if !may_ride {
            return Vec::new();
        }
        let own = self.gathered.slots.min(new.len());
        let more = shared.slots.take_up_to(new.len() - own);
        if own + more < new.len() {
            shared.slots.give_back(more);
            return Vec::new();
        }
        self.gathered.slots -= own;
        let riders: Vec<Task> = self.gathered.changes.queue.drain(queued..).map(|(task, _)| task).collect();
        self.riders.extend(&riders);
        riders
    }

    /// The store was not told of `riders` after all: what they answered, or will answer, needs no settling.
    pub(crate) fn ride_again(&mut self, riders: &[Task], answers: &mut [Told]) {
        for told in answers {
            told.settles = told.settles.filter(|(task, _)| !riders.contains(task));
        }
        let riding = riders.iter().copied().filter(|rider| self.calls(*rider));
        let riding: Vec<Task> = riding.collect();
        self.riders.extend(riding);
    }

    /// Ends the riders that follow from something that is not so any more; gives their slots.
    pub(crate) fn drop_strays(&mut self) -> usize {
        let (riders, strays): (Vec<Task>, Vec<Task>) =
            std::mem::take(&mut self.riders).into_iter().partition(|rider| self.state.expects(*rider));
        self.riders = riders;
        let calls = self.calls.len();
        self.calls.retain(|call| {
            let is_stray = strays.contains(&call.task);
            if is_stray {
                call.abort.abort();
            }
            !is_stray
        });
        calls - self.calls.len()
    }

    /// Takes over a state that somebody else has brought further. What was told here stands ahead of the journal, and
    /// is not given up for it.
    pub(crate) fn learn(&mut self, plan: &Plan, state: State) {
        if self.is_quiet() && self.state.len() < state.len() {
            self.state = state;
            self.cancel_needless_calls(plan);
        }
    }

    /// Tells running calls that they should stop if that is what became of them elsewhere.
    pub(crate) fn cancel_needless_calls(&self, plan: &Plan) {
        let is_needless = |task| !self.state.expects(task) || !self.state.may_start(plan, task);
        for call in self.calls.iter().filter(|call| is_needless(call.task)) {
            call.ctx.cancel_call(self.state.outcome());
        }
    }

    /// Tells running calls that they should stop.
    fn cancel_calls(&mut self) {
        for task in std::mem::take(&mut self.gathered.changes.cancel) {
            if let Some(call) = self.calls.iter().find(|call| call.task == task) {
                call.ctx.cancel_call(self.state.outcome());
            }
        }
    }

    fn commit(&mut self, cell: &Cell, shared: &Shared, gathered: Gathered) -> Commit {
        let Gathered { told, refused, events, changes, at, slots, status_changed, word_before } = gathered;
        let len = self.state.len();
        let mut new = changes.queue;
        // The events that riders follow from are on their way now, so the store must know of them too.
        let riders = std::mem::take(&mut self.riders);
        new.retain(|(task, _)| !riders.contains(task));
        new.extend(riders.iter().map(|rider| (*rider, Timestamp::ZERO)));
        let (queue, kept) = self.keep(cell, shared, new, slots);
        let status = self.state.status();
        let is_news = status_changed && cell.scope.is_root();
        let summary = is_news.then(|| self.state.summary(cell.bound.plan())).flatten().map(Arc::new);
        let end = summary.clone().filter(|_| status.is_final());
        // The last word is of no matter to a run that is over, unless scopes of it are held.
        let matters = !status.is_final() || word_before == Some(Control::Held);
        let word = Some(word(&self.state)).filter(|word| is_news && matters && word_before != Some(*word));
        let tally = if shared.metrics.is_some() { Tally::of(&events) } else { Tally::default() };
        let commit = Commit {
            op: shared.next_op(),
            scope: cell.scope.clone(),
            expected: Seq(len.0 - events.len() as u64),
            at: at.unwrap_or_default(),
            worker: shared.worker(),
            settle: told.iter().filter_map(|told| told.settles).collect(),
            events,
            queue,
            obsolete: changes.obsolete,
            messages: changes.words.into_iter().filter_map(|said| cell.message(said)).collect(),
            control: word,
            summary,
        };
        self.in_flight = Some(InFlight { told, refused, kept, riders, end, tally, tries: 0 });
        commit
    }

    /// The lane that a task queues in.
    pub(crate) fn lane<'a>(&'a self, cell: &'a Cell, task: Task) -> Option<&'a Name> {
        let begun = cell.begun.as_ref().or_else(|| self.state.started());
        begun.and_then(|begun| begun.info.lane_of(cell.bound.plan(), task))
    }

    /// Decides which of the new tasks this engine goes on with: as many as it has slots, its own first. Gives them
    /// with those that are to be called once the commit is acknowledged.
    fn keep(
        &self,
        cell: &Cell,
        shared: &Shared,
        new: Vec<(Task, Timestamp)>,
        mut slots: usize,
    ) -> (Vec<NewTask>, Vec<Task>) {
        let mut kept = Vec::new();
        let may_begin = cell.bound.has_code() && shared.may_keep();
        let mut decide = |(task, due): (Task, Timestamp)| {
            if self.calls(task) {
                return NewTask { keep: true, is_under_way: true, ..NewTask::new(task, due) };
            }
            // What queues in a lane waits for its turn there.
            let lane = self.lane(cell, task).cloned();
            let is_ready = may_begin && lane.is_none() && task.takes_slot() && due == Timestamp::ZERO;
            let keep = is_ready && (slots > 0 || shared.slots.take());
            if keep {
                slots = slots.saturating_sub(1);
                kept.push(task);
            }
            NewTask { keep, lane, ..NewTask::new(task, due) }
        };
        let queue = new.into_iter().map(&mut decide).collect();
        shared.slots.give_back(slots);
        (queue, kept)
    }
}
