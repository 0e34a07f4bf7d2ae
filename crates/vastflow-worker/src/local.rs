//! A run without a store: the core and the code of a flow, nothing between them. For unit tests of flows, and for
//! work that need not survive.

use crate::clock::wall_clock;
use crate::error::Error;
use crate::shared::{TICK, lock};
use crate::tree::{At, Called, Surroundings, Tree};
use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::task::JoinSet;
use vastflow_core::run::{Changes, Input, Peer, Start, StepError, TaskOutcome, Times, Word};
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
    run.tell(At::ROOT, Input::Start(start))?;
    run.drive().await?;
    run.output()
}

struct Local {
    clock: Clock,
    tree: Tree,
    changes: Changes,
    events: Vec<Event>,
    ready: VecDeque<(At, Task)>,
    later: BTreeSet<(Timestamp, At, Task)>,
    /// What scopes say to each other and is not heard yet.
    words: VecDeque<(At, Peer, Word)>,
    /// Calls that have to wait.
    calls: JoinSet<(At, TaskOutcome)>,
    waiting: Vec<(At, Task, Ctx)>,
    temporary: Temporary,
    stop: Arc<StopWish>,
    link: Arc<dyn EngineLink>,
}

/// The time by which a run goes: that of its beginning, and what has passed since then. Asking the system's clock for
/// each call would take longer than planning it.
struct Clock {
    wall: Timestamp,
    began: Instant,
}

impl Clock {
    fn at(&self, instant: Instant) -> Timestamp {
        let passed = instant.duration_since(self.began).as_millis();
        Timestamp::from_millis(self.wall.millis().saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
    }

    fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }
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
            clock: Clock { wall: wall_clock(), began: Instant::now() },
            tree: Tree::new(bound, id),
            changes: Changes::default(),
            events: Vec::new(),
            ready: VecDeque::new(),
            later: BTreeSet::new(),
            words: VecDeque::new(),
            calls: JoinSet::new(),
            waiting: Vec::new(),
            temporary: Temporary::default(),
            link: Arc::clone(&stop) as Arc<dyn EngineLink>,
            stop,
        }
    }

    fn tell(&mut self, at: At, input: Input) -> Result<(), Error> {
        self.tell_at(self.clock.now(), at, input)
    }

    fn tell_at(&mut self, now: Timestamp, at: At, input: Input) -> Result<(), Error> {
        let times = Times { now: now.plus(TICK), recorded_at: now };
        // Nobody keeps a journal of it.
        self.events.clear();
        match self.tree.tell_into(at, input, times, &mut self.changes, &mut self.events) {
            Ok(()) => {}
            // The scope has moved on: nothing to tell.
            Err(StepError::Rejected(_)) => return Ok(()),
            Err(StepError::Illegal(source)) => {
                return Err(Error::Corrupt { id: self.tree.id(at).run().clone(), source });
            }
        }
        for (task, due) in self.changes.queue.drain(..) {
            if due == Timestamp::ZERO {
                self.ready.push_back((at, task));
            } else {
                self.later.insert((due, at, task));
            }
        }
        for task in self.changes.obsolete.drain(..) {
            self.later.retain(|(_, of, later)| (*of, *later) != (at, task));
        }
        for task in self.changes.cancel.drain(..) {
            let waiting = self.waiting.iter().find(|(of, called, _)| (*of, *called) == (at, task));
            waiting.into_iter().for_each(|(_, _, ctx)| ctx.cancel_call(self.tree.state(at).outcome()));
        }
        self.words.extend(self.changes.words.drain(..).map(|(peer, word)| (at, peer, word)));
        Ok(())
    }

    /// Hands on what one scope says to another.
    fn hand_on(&mut self, from: At, peer: &Peer, word: Word) -> Result<(), Error> {
        match self.tree.hearer(from, peer) {
            Some((to, from)) => self.tell(to, Input::Told { from, word }),
            None => Ok(()),
        }
    }

    async fn drive(&mut self) -> Result<(), Error> {
        while !self.root().status().is_final() {
            let wish = lock(&self.stop.0).take();
            if let Some((by, why)) = wish {
                self.tell(At::ROOT, Input::Cancel { by: by.into(), why: why.into() })?;
            } else if let Some((from, peer, word)) = self.words.pop_front() {
                self.hand_on(from, &peer, word)?;
            } else if let Some((at, task)) = self.ready.pop_front() {
                self.begin(at, task).await?;
            } else {
                self.wait().await?;
            }
        }
        Ok(())
    }

    fn root(&self) -> &State {
        self.tree.state(At::ROOT)
    }

    async fn begin(&mut self, at: At, task: Task) -> Result<(), Error> {
        let (state, bound) = (self.tree.state(at), self.tree.bound(at));
        if !state.expects(task) {
            return Ok(());
        }
        if !state.may_start(bound.plan(), task) {
            return self.tell(at, Input::NotStarted(task));
        }
        let began = Instant::now();
        let around = Surroundings { temporary: self.temporary.clone(), engine: &self.link, now: self.clock.at(began) };
        let ctx = self.tree.ctx(at, task, around);
        let mut called = Called::begin_at(began, bound, &ctx, task);
        if let Some(outcome) = called.poll_once().await {
            return self.tell_at(self.clock.at(began + outcome.took), at, Input::Outcome(outcome));
        }
        self.waiting.push((at, task, ctx));
        self.calls.spawn(async move { (at, called.end().await) });
        Ok(())
    }

    /// Waits for a call or a timer.
    async fn wait(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        let due = self.later.first().map(|(due, ..)| due.since(now));
        if due.is_none() && self.calls.is_empty() {
            return Err(self.stuck());
        }
        let timer = pin!(async move {
            match due {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        });
        tokio::select! {
            Some(Ok((at, outcome))) = self.calls.join_next() => {
                self.waiting.retain(|(of, task, _)| (*of, *task) != (at, outcome.task));
                self.tell(at, Input::Outcome(outcome))
            }
            () = timer => self.ripen(),
        }
    }

    /// Nothing runs and no timer is set: the run waits for somebody who cannot come.
    fn stuck(&self) -> Error {
        let what = if self.root().needs_attention() { "an operator" } else { "a signal" };
        Error::Setting(format!("a run in memory cannot wait for {what}: start it on an engine"))
    }

    fn ripen(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        while let Some((_, at, task)) = self.later.first().copied().filter(|(due, ..)| *due <= now) {
            self.later.pop_first();
            if task.is_timer() {
                self.tell(at, Input::Timer(task))?;
            } else {
                self.ready.push_back((at, task));
            }
        }
        Ok(())
    }

    fn output<Out: Data>(&self) -> Result<Out, Error> {
        let root = self.root();
        let id = self.tree.id(At::ROOT).run().clone();
        match root.outcome() {
            Some(RunOutcome::Failed(failure)) => Err(Error::RunFailed { id, failure }),
            Some(RunOutcome::Stopped { by, why }) => {
                Err(Error::RunStopped { id, by: by.into_string(), why: why.into_string() })
            }
            _ => Ok(Out::decode(&root.output(self.tree.bound(At::ROOT).plan()).unwrap_or_else(Payload::null))?),
        }
    }
}
