//! A run without a store: the core and the code of a flow, nothing between them. For unit tests of flows, and for
//! work that need not survive.

use crate::call::{Called, Site};
use crate::clock::wall_clock;
use crate::error::Error;
use crate::shared::{TICK, lock};
use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;
use vastflow_core::run::{Changes, Input, Peer, Start, StepError, TaskOutcome, Times, Word};
use vastflow_core::{Event, NodeIx, Payload, RunId, RunOutcome, ScopeId, State, Task, Timestamp};
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
    run.tell(0, Input::Start(start))?;
    run.drive().await?;
    run.output()
}

struct Local {
    /// The scopes of the run, the root first.
    scopes: Vec<LocalScope>,
    places: FxHashMap<ScopeId, usize>,
    changes: Changes,
    events: Vec<Event>,
    ready: VecDeque<(usize, Task)>,
    later: BTreeSet<(Timestamp, usize, Task)>,
    /// What scopes say to each other and is not heard yet.
    words: VecDeque<(usize, Peer, Word)>,
    /// Calls that have to wait.
    calls: JoinSet<(usize, TaskOutcome)>,
    waiting: Vec<(usize, Task, Ctx)>,
    temporary: Temporary,
    stop: Arc<StopWish>,
    link: Arc<dyn EngineLink>,
}

/// One scope of a run in memory.
struct LocalScope {
    id: ScopeId,
    bound: Arc<Bound>,
    state: State,
    /// The scope around it, with the node and the key that it stands under there.
    parent: Option<(usize, NodeIx, Box<str>)>,
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
        let root = LocalScope { id: ScopeId::root(id), bound, state: State::default(), parent: None };
        Local {
            scopes: vec![root],
            places: FxHashMap::default(),
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

    fn tell(&mut self, at: usize, input: Input) -> Result<(), Error> {
        let now = wall_clock();
        let times = Times { now: now.plus(TICK), recorded_at: now };
        let scope = &mut self.scopes[at];
        // Nobody keeps a journal of it.
        self.events.clear();
        match scope.state.step_into(scope.bound.plan(), input, times, &mut self.changes, &mut self.events) {
            Ok(()) => {}
            // The scope has moved on: nothing to tell.
            Err(StepError::Rejected(_)) => return Ok(()),
            Err(StepError::Illegal(source)) => return Err(Error::Corrupt { id: scope.id.run().clone(), source }),
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
            waiting.into_iter().for_each(|(_, _, ctx)| ctx.cancel_call(self.scopes[at].state.outcome()));
        }
        let words = std::mem::take(&mut self.changes.words);
        self.words.extend(words.into_iter().map(|(peer, word)| (at, peer, word)));
        Ok(())
    }

    /// Hands on what one scope says to another.
    fn hand_on(&mut self, from: usize, peer: Peer, word: Word) -> Result<(), Error> {
        let heard = match peer {
            Peer::Parent => {
                let parent = self.scopes[from].parent.clone();
                parent.map(|(parent, node, key)| (parent, Peer::Child { node, key }))
            }
            Peer::Child { node, key } => self.child(from, node, key).map(|child| (child, Peer::Parent)),
        };
        match heard {
            Some((to, from)) => self.tell(to, Input::Told { from, word }),
            None => Ok(()),
        }
    }

    /// The scope that a node opened for `key`; a new one when it is not there yet.
    fn child(&mut self, parent: usize, node: NodeIx, key: Box<str>) -> Option<usize> {
        let outer = &self.scopes[parent];
        let name = &outer.bound.plan().node(node)?.name;
        let id = outer.id.child(name, &key);
        if let Some(&known) = self.places.get(&id) {
            return Some(known);
        }
        let bound = self.scopes[0].bound.of_scope(&id)?;
        let at = self.scopes.len();
        self.places.insert(id.clone(), at);
        self.scopes.push(LocalScope { id, bound, state: State::default(), parent: Some((parent, node, key)) });
        Some(at)
    }

    async fn drive(&mut self) -> Result<(), Error> {
        while !self.root().status().is_final() {
            let wish = lock(&self.stop.0).take();
            if let Some((by, why)) = wish {
                self.tell(0, Input::Cancel { by: by.into(), why: why.into() })?;
            } else if let Some((from, peer, word)) = self.words.pop_front() {
                self.hand_on(from, peer, word)?;
            } else if let Some((at, task)) = self.ready.pop_front() {
                self.begin(at, task).await?;
            } else {
                self.wait().await?;
            }
        }
        Ok(())
    }

    fn root(&self) -> &State {
        &self.scopes[0].state
    }

    async fn begin(&mut self, at: usize, task: Task) -> Result<(), Error> {
        let scope = &self.scopes[at];
        if !scope.state.expects(task) {
            return Ok(());
        }
        if !scope.state.may_start(scope.bound.plan(), task) {
            return self.tell(at, Input::NotStarted(task));
        }
        let site = Site {
            scope: &scope.id,
            bound: &scope.bound,
            state: &scope.state,
            begun: self.root().started(),
            temporary: self.temporary.clone(),
            engine: &self.link,
            now: wall_clock(),
        };
        let ctx = site.ctx(task);
        let mut called = Called::begin(&scope.bound, &ctx, task);
        if let Some(outcome) = called.poll_once().await {
            return self.tell(at, Input::Outcome(outcome));
        }
        self.waiting.push((at, task, ctx));
        self.calls.spawn(async move { (at, called.end().await) });
        Ok(())
    }

    /// Waits for a call or a timer.
    async fn wait(&mut self) -> Result<(), Error> {
        let now = wall_clock();
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
        let now = wall_clock();
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
        let root = &self.scopes[0];
        let id = root.id.run().clone();
        match root.state.outcome() {
            Some(RunOutcome::Failed(failure)) => Err(Error::RunFailed { id, failure }),
            Some(RunOutcome::Stopped { by, why }) => {
                Err(Error::RunStopped { id, by: by.into_string(), why: why.into_string() })
            }
            _ => Ok(Out::decode(&root.state.output(root.bound.plan()).unwrap_or_else(Payload::null))?),
        }
    }
}
