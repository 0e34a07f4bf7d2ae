//! A run without a store: the core and the code of a flow, nothing between them. For unit tests of flows, and for
//! work that need not survive.

use crate::call::{Called, Site};
use crate::clock::wall_clock;
use crate::error::Error;
use crate::shared::{TICK, lock};
use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;
use vastflow_core::run::{Changes, Input, Start, StepError, TaskOutcome, Times};
use vastflow_core::{Event, Payload, RunId, RunOutcome, State, Task, Timestamp};
use vastflow_sdk::{Bound, Ctx, Data, EngineLink, Flow, Temporary};

/// Runs a flow here and now, in memory: same graph, same handlers, same retries and timers, no store and no engine.
/// Nothing of it survives the process.
///
/// A handler is polled once in place; only one that has to wait becomes a task of its own.
///
/// ```
/// use vastflow_sdk::{Flow, Node, Result};
/// use vastflow_worker::run_in_memory;
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// assert_eq!(run_in_memory(&flow, 21).await?, 42);
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Error::RunFailed`], [`Error::RunStopped`], [`Error::Data`].
pub async fn run_in_memory<In: Data, Out: Data>(flow: &Flow<In, Out>, input: In) -> Result<Out, Error> {
    let bound = flow.bound()?;
    let id = RunId::new("in-memory")?;
    let start = Start { input: input.encode()?, ..Start::new(id.clone()) };
    let mut run = Local::new(bound, id);
    run.tell(Input::Start(start))?;
    run.drive().await?;
    run.output()
}

struct Local {
    id: RunId,
    bound: Arc<Bound>,
    state: State,
    changes: Changes,
    events: Vec<Event>,
    ready: VecDeque<Task>,
    later: BTreeSet<(Timestamp, Task)>,
    /// Calls that have to wait.
    calls: JoinSet<TaskOutcome>,
    waiting: Vec<(Task, Ctx)>,
    temporary: Temporary,
    stop: Arc<StopWish>,
    link: Arc<dyn EngineLink>,
}

/// Whether a call asked that the run stop, by whom and why.
#[derive(Default)]
struct StopWish(Mutex<Option<(String, String)>>);

impl EngineLink for StopWish {
    fn cancel(&self, _: &RunId, by: &str, why: &str) {
        lock(&self.0).get_or_insert_with(|| (by.to_owned(), why.to_owned()));
    }
}

impl Local {
    fn new(bound: Arc<Bound>, id: RunId) -> Self {
        let stop = Arc::new(StopWish::default());
        Local {
            id,
            bound,
            state: State::default(),
            changes: Changes::default(),
            events: Vec::new(),
            ready: VecDeque::new(),
            later: BTreeSet::new(),
            calls: JoinSet::new(),
            waiting: Vec::new(),
            temporary: Temporary::default(),
            link: Arc::clone(&stop) as Arc<dyn EngineLink>,
            stop,
        }
    }

    fn tell(&mut self, input: Input) -> Result<(), Error> {
        let now = wall_clock();
        let times = Times { now: now.plus(TICK), recorded_at: now };
        // Nobody keeps a journal of it.
        self.events.clear();
        match self.state.step_into(self.bound.plan(), input, times, &mut self.changes, &mut self.events) {
            Ok(()) => {}
            // The run has moved on: nothing to tell.
            Err(StepError::Rejected(_)) => return Ok(()),
            Err(StepError::Illegal(source)) => return Err(Error::Corrupt { id: self.id.clone(), source }),
        }
        for (task, due) in self.changes.queue.drain(..) {
            if due == Timestamp::ZERO {
                self.ready.push_back(task);
            } else {
                self.later.insert((due, task));
            }
        }
        for task in self.changes.obsolete.drain(..) {
            self.later.retain(|(_, later)| *later != task);
        }
        for task in self.changes.cancel.drain(..) {
            let waiting = self.waiting.iter().find(|(called, _)| *called == task);
            waiting.into_iter().for_each(|(_, ctx)| ctx.cancel_call(self.state.outcome()));
        }
        Ok(())
    }

    async fn drive(&mut self) -> Result<(), Error> {
        while !self.state.status().is_final() {
            let wish = lock(&self.stop.0).take();
            if let Some((by, why)) = wish {
                self.tell(Input::Cancel { by: by.into(), why: why.into() })?;
            } else if let Some(task) = self.ready.pop_front() {
                self.begin(task).await?;
            } else {
                self.wait().await?;
            }
        }
        Ok(())
    }

    async fn begin(&mut self, task: Task) -> Result<(), Error> {
        if !self.state.expects(task) {
            return Ok(());
        }
        if !self.state.may_start(self.bound.plan(), task) {
            return self.tell(Input::NotStarted(task));
        }
        let site = Site {
            run: &self.id,
            bound: &self.bound,
            state: &self.state,
            temporary: self.temporary.clone(),
            engine: &self.link,
            now: wall_clock(),
        };
        let ctx = site.ctx(task);
        let mut called = Called::begin(&self.bound, &ctx, task);
        if let Some(outcome) = called.poll_once().await {
            return self.tell(Input::Outcome(outcome));
        }
        self.waiting.push((task, ctx));
        self.calls.spawn(called.end());
        Ok(())
    }

    /// Waits for a call or a timer.
    async fn wait(&mut self) -> Result<(), Error> {
        let now = wall_clock();
        let due = self.later.first().map(|(due, _)| due.since(now));
        let timer = pin!(async move {
            match due {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        });
        tokio::select! {
            Some(Ok(outcome)) = self.calls.join_next() => {
                self.waiting.retain(|(task, _)| *task != outcome.task);
                self.tell(Input::Outcome(outcome))
            }
            () = timer => self.ripen(),
        }
    }

    fn ripen(&mut self) -> Result<(), Error> {
        let now = wall_clock();
        while let Some((_, task)) = self.later.first().copied().filter(|(due, _)| *due <= now) {
            self.later.pop_first();
            if task.is_timer() {
                self.tell(Input::Timer(task))?;
            } else {
                self.ready.push_back(task);
            }
        }
        Ok(())
    }

    fn output<Out: Data>(&self) -> Result<Out, Error> {
        let id = self.id.clone();
        match self.state.outcome() {
            Some(RunOutcome::Failed(failure)) => Err(Error::RunFailed { id, failure }),
            Some(RunOutcome::Stopped { by, why }) => {
                Err(Error::RunStopped { id, by: by.into_string(), why: why.into_string() })
            }
            _ => Ok(Out::decode(&self.state.output(self.bound.plan()).unwrap_or_else(Payload::null))?),
        }
    }
}
