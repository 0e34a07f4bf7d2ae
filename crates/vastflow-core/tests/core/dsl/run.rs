//! A run under test: the state, what a store's queue would hold, and the journal.

use super::flaw::Flaw;
use super::plan::plan;
use core::time::Duration;
use std::collections::BTreeMap;
use vastflow_core::run::{Changes, Rejection, StepError, Times};
use vastflow_core::{Event, Input, NodeIx, Plan, Recorded, Seq, State, Task, Timestamp, codec};

/// One run, with everything that must stay in step with its state.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    /// How long before `now` the commit that a step joins was begun.
    pub(crate) lag: Duration,
    /// The queue as a store keeps it: only what the sink was told, minus what was answered.
    pub(crate) queue: BTreeMap<Task, Timestamp>,
    pub(crate) journal: Vec<Recorded>,
    /// The state as another process has it that read the journal.
    replayed: State,
    /// What is wrong with the world around it, on purpose.
    pub(crate) flaw: Flaw,
}

impl Run {
    pub(crate) fn of(text: &str) -> Self {
        Run::new(plan(text))
    }

    /// A scope that `node` of a run of the plan opens for `key`.
    pub(crate) fn inside(text: &str, node: &str, key: &str) -> Self {
        let plan = plan(text);
        let body = plan.body(plan.find(node).unwrap(), key).unwrap();
        Run::new((**body).clone())
    }

    pub(crate) fn new(plan: Plan) -> Self {
        let state = State::default();
        let (replayed, queue) = (state.clone(), BTreeMap::new());
        let (now, lag, journal, flaw) = (Timestamp::ZERO, Duration::ZERO, Vec::new(), Flaw::default());
        Run { plan, state, now, lag, queue, journal, replayed, flaw }
    }

    /// One step at the present time. Whatever comes of it, the laws hold after it, or this panics.
    pub(crate) fn step(&mut self, input: Input) -> Result<(Vec<Event>, Changes), Rejection> {
        let settled = match &input {
            Input::Outcome(outcome) => Some(outcome.task),
            Input::Admit => Some(Task::Admit),
            Input::Timer(task) | Input::NotStarted(task) | Input::Quarantine { task, .. } => Some(*task),
            _ => None,
        };
        let mut changes = Changes::default();
        let times = Times { now: self.now, recorded_at: self.recorded_at() };
        let mut events = Vec::new();
        match self.state.step_into(&self.plan, input, times, &mut changes, &mut events) {
            Ok(()) => {}
            Err(StepError::Rejected(why)) => {
                // The replayed state is the state before: a rejection changes nothing.
                assert_eq!(self.state, self.replayed, "a rejection changed the state");
                assert_eq!(changes, Changes::default(), "a rejection changed the queue");
                return Err(why);
            }
            Err(StepError::Illegal(bug)) => panic!("decide and evolve disagree: {bug}"),
        };
        self.flaw.spoil(&self.plan, &mut changes);
        if settled.is_some() && self.flaw.forgets_the_commit() {
            self.state = self.replayed.clone();
            self.queue.retain(|task, _| Some(*task) != settled);
            return Ok((events, changes));
        }
        self.keep_the_queue(settled, &changes);
        self.replay(&events);
        Ok((events, changes))
    }

    /// The process is gone: another one reads the journal from its beginning.
    pub(crate) fn crash(&mut self) {
        self.state = State::default();
        for recorded in &self.journal {
            self.state.evolve(&self.plan, &recorded.event, recorded.at, &mut ()).unwrap();
        }
        assert_eq!(self.state, self.replayed, "the whole journal gives another state (law 1)");
    }

    /// Law 2: the queue that was kept from the sink's words alone is what the state says must exist.
    fn keep_the_queue(&mut self, settled: Option<Task>, changes: &Changes) {
        if let Some(task) = settled {
            assert!(self.queue.remove(&task).is_some(), "{task:?} was answered but is not in the queue");
        }
        for task in &changes.obsolete {
            let known = self.queue.remove(task).is_some() || settled == Some(*task);
            assert!(known, "{task:?} became obsolete but is not in the queue");
        }
        for (task, due) in &changes.queue {
            assert_eq!(self.queue.insert(*task, *due), None, "{task:?} was queued twice");
        }
        let mut outstanding = Changes::default();
        self.state.outstanding(&self.plan, &mut outstanding);
        let count = outstanding.queue.len();
        let outstanding: BTreeMap<_, _> = outstanding.queue.into_iter().collect();
        assert_eq!(outstanding.len(), count, "a task is outstanding twice");
        assert_eq!(self.queue, outstanding, "the queue is not what is outstanding (law 2)");
    }

    /// Law 1: the events, read back from their bytes, fold into the same state.
    fn replay(&mut self, events: &[Event]) {
        let bytes = codec::encode(events, Vec::new()).unwrap();
        let (read, at) = (codec::decode(&bytes).unwrap(), self.recorded_at());
        assert_eq!(read, events, "the codec lost something");
        for event in read {
            self.replayed.evolve(&self.plan, &event, at, &mut ()).unwrap();
            self.journal.push(Recorded { seq: Seq::ZERO.after(self.journal.len()), at, event });
        }
        assert_eq!(self.state, self.replayed, "replayed events give another state (law 1)");
    }

    /// The time that the events of a step are recorded with: never before those that were.
    pub(crate) fn recorded_at(&self) -> Timestamp {
        let begun = Timestamp::ZERO.plus(self.now.since(Timestamp::ZERO).saturating_sub(self.lag));
        self.journal.last().map_or(begun, |last| begun.max(last.at))
    }

    /// The task of a node, or of a hook, that waits for an answer; no timer.
    pub(crate) fn task_of(&self, subject: &str) -> Option<Task> {
        let is_of = |task: &Task| match task {
            Task::Hook { hook, .. } => super::print::hook_text(*hook) == subject,
            Task::Undo { .. } | Task::Reduce { .. } => false,
            task => !task.is_timer() && task.node().is_some_and(|node| *self.name(node) == *subject),
        };
        self.queue.keys().copied().find(is_of)
    }

    pub(crate) fn name(&self, node: NodeIx) -> &str {
        &self.plan.node(node).unwrap().name
    }
}
