//! Runs: starting them, telling them things, looking at them.

use crate::engine::{TestEngine, Went};
use crate::error::{Error, What};
use crate::history::History;
use crate::life::Life;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use vastflow_core::event::Choice;
use vastflow_core::run::{Input, Start};
use vastflow_core::view::RunView;
use vastflow_core::{Name, Payload, Plan, Recorded, RunId, RunOutcome, RunStatus, ScopeId, Timestamp};
use vastflow_sdk::{Andes, Data, Flow, Headwaters, Temporary};
use vastflow_worker::Fork;
use vastflow_worker::tree::{At, Past};

/// A run in a [`TestEngine`], and what it gives. It is told things, and looked at, through the engine.
///
/// ```
/// # use vastflow::{DurationExt, Flow, Node, Result};
/// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
/// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
/// let mut engine = TestEngine::new(&flow)?;
/// let run = engine.start(&flow, 21)?;
/// assert_eq!(run.id().as_str(), "run-1");
/// let same = engine.handle::<u32>("run-1")?;
/// engine.run_to_end(&same).await?;
/// assert_eq!(engine.output(&run)?, 42);
/// # Ok(()) }
/// ```
pub struct TestRun<Out> {
    id: RunId,
    output: PhantomData<fn() -> Out>,
}

impl<Out> TestRun<Out> {
    pub(crate) const fn new(id: RunId) -> Self {
        TestRun { id, output: PhantomData }
    }

    /// Its id: `run-1`, `run-2` and so on unless it was given one.
    #[must_use]
    pub const fn id(&self) -> &RunId {
        &self.id
    }
}

impl<Out> Clone for TestRun<Out> {
    fn clone(&self) -> Self {
        TestRun::new(self.id.clone())
    }
}

impl<Out> fmt::Debug for TestRun<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestRun({})", self.id)
    }
}

/// A run about to start.
///
/// ```
/// # use vastflow::{Flow, Node, Result};
/// # use vastflow_testing::TestEngine;
/// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
/// # fn main() -> Result<()> {
/// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// # let mut engine = TestEngine::new(&flow)?;
/// let run = engine.run("double", 21).id("order-7").label("customer", "4711").start::<u32>()?;
/// assert_eq!(run.id().as_str(), "order-7");
/// # Ok(()) }
/// ```
#[must_use = "a run starts by `start`"]
pub struct Starting<'a> {
    engine: &'a mut TestEngine,
    plan: Result<Arc<Plan>, Error>,
    start: Result<Start, Error>,
    temporary: Option<Temporary>,
}

impl Starting<'_> {
    fn change(mut self, change: impl FnOnce(&mut Start)) -> Self {
        if let Ok(start) = &mut self.start {
            change(start);
        }
        self
    }

    /// The run's id. The same id with the same flow and input joins the run that is there.
    pub fn id(mut self, id: &str) -> Self {
        let id = RunId::new(id).map_err(|error| self.engine.refuse(error));
        self.start = self.start.and_then(|start| Ok(Start { run: id?, ..start }));
        self
    }

    /// A label.
    pub fn label(self, key: &str, value: &str) -> Self {
        self.change(|start| start.info.labels.push((key.into(), value.into())))
    }

    /// A header of the request that starts the run.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.change(|start| start.info.headers.push((name.into(), value.into())))
    }

    /// The raw query of the request that starts the run.
    pub fn query(self, query: &str) -> Self {
        self.change(|start| start.info.query = query.into())
    }

    /// A value of the run's shared data, there from the start.
    pub fn put<T: Data>(self, key: &str, value: &T) -> Self {
        let value = value.encode().map_err(|error| self.engine.refuse(error));
        self.put_payload(key, value)
    }

    pub(crate) fn put_payload(mut self, key: &str, value: Result<Payload, Error>) -> Self {
        self.start = self.start.and_then(|mut start| {
            start.context.push((key.into(), Some(value?)));
            Ok(start)
        });
        self
    }

    /// The run's key: see [`TestEngineBuilder::key_window`](crate::TestEngineBuilder::key_window).
    pub fn key(self, key: &str) -> Self {
        self.named(key, |start, key| start.info.key = Some(key))
    }

    /// The lane that the run's calls queue in where their nodes name none.
    pub fn lane(self, lane: &str) -> Self {
        self.named(lane, |start, lane| start.info.lane = Some(lane))
    }

    fn named(mut self, name: &str, set: impl FnOnce(&mut Start, Name)) -> Self {
        let name = Name::new(name).map_err(|error| self.engine.refuse(error));
        self.start = self.start.and_then(|mut start| {
            set(&mut start, name?);
            Ok(start)
        });
        self
    }

    /// The moment by which the run must have ended.
    pub fn deadline(self, deadline: Timestamp) -> Self {
        self.change(|start| start.info.deadline = Some(deadline))
    }

    /// Starts it. Nothing of it runs before the engine is driven.
    ///
    /// # Errors
    /// [`vastflow_worker::Error::AlreadyExists`], `MissingCode`, `UnknownFlow`, `Data`.
    pub fn start<Out>(self) -> Result<TestRun<Out>, Error> {
        let (plan, start) = (self.plan?, self.start?);
        let id = start.run.clone();
        let run = self.engine.begin_run(&plan, start)?;
        if let Some(values) = self.temporary {
            self.engine.lives[run].memory.temporary.of(&id).take_over(&values);
        }
        Ok(TestRun::new(id))
    }
}

impl fmt::Debug for Starting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Starting({:?})", self.start.as_ref().map(|start| &start.run))
    }
}

/// # Starting runs
impl TestEngine {
    /// Starts a run of a flow. Nothing of it runs before the engine is driven.
    ///
    /// # Errors
    /// As [`Starting::start`].
    pub fn start<In: Data, Out: Data>(&mut self, flow: &Flow<In, Out>, input: In) -> Result<TestRun<Out>, Error> {
        self.run(flow.name(), input).start()
    }

    /// A run of the flow with this name; see [`Starting`].
    pub fn run<In: Data>(&mut self, flow: &str, input: In) -> Starting<'_> {
        self.run_payload(flow, input.encode().map_err(|error| self.refuse(error)))
    }

    pub(crate) fn run_payload(&mut self, flow: &str, input: Result<Payload, Error>) -> Starting<'_> {
        let plan = self.plans.get(flow).cloned().ok_or_else(|| {
            let known: Vec<Name> = self.plans.keys().cloned().collect();
            self.refuse(vastflow_worker::Error::UnknownFlow { name: flow.to_owned(), known })
        });
        let id = RunId::new(format!("run-{}", self.lives.len() + 1));
        let id = id.map_err(|error| self.refuse(error));
        let start = input.and_then(|input| Ok(Start { input, ..Start::new(id?) }));
        Starting { engine: self, plan, start, temporary: None }
    }

    /// Draws a river system and starts it. The headwaters' request id is the run's id.
    ///
    /// # Errors
    /// What is wrong with the drawing or the headwaters; as [`Starting::start`].
    pub fn draw(&mut self, andes: Andes, headwaters: Headwaters) -> Result<TestRun<()>, Error> {
        let flow = andes.into_flow().map_err(|error| self.refuse(error))?;
        let begin = headwaters.into_start().map_err(|error| self.refuse(error))?;
        self.library.learn_rivers(flow.rivers());
        let id = RunId::new(&begin.request_id).map_err(|error| self.refuse(error))?;
        let mut start = Start { input: begin.input, context: begin.context, ..Start::new(id) };
        start.info.labels = begin.labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let plan = Ok(Arc::clone(flow.plan()));
        Starting { engine: self, plan, start: Ok(start), temporary: Some(begin.temporary) }.start()
    }

    /// The run with this id, of which it is known what it gives.
    ///
    /// # Errors
    /// [`vastflow_worker::Error::UnknownRun`].
    pub fn handle<Out>(&self, id: &str) -> Result<TestRun<Out>, Error> {
        let id = RunId::new(id).map_err(|error| self.refuse(error))?;
        self.find(&id).map(|_| TestRun::new(id))
    }

    /// Starts a new run that goes on where this one failed or was stopped; asking again gives the same new run.
    ///
    /// ```
    /// # use vastflow::{Flow, Node, Result};
    /// # use vastflow_testing::{Fault, TestEngine};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("two", double, dag.node("one", double, n)))?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// engine.inject("two", Fault::fail("no power"));
    /// let run = engine.start(&flow, 21)?;
    /// engine.run_to_end(&run).await?;
    /// let again = engine.retry(&run, "ops", "power is back")?;
    /// engine.run_to_end(&again).await?;
    /// assert_eq!((engine.output(&again)?, engine.calls("one"), engine.calls("two")), (84, 1, 2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`vastflow_worker::Run::retry`].
    pub fn retry<Out>(&mut self, run: &TestRun<Out>, by: &str, why: &str) -> Result<TestRun<Out>, Error> {
        self.go_on(run, |past, history| past.retry(history, (by, why)))
    }

    /// Starts a new run from the start, with the same input; asking again gives the same new run.
    ///
    /// # Errors
    /// As [`vastflow_worker::Run::rerun`].
    pub fn rerun<Out>(&mut self, run: &TestRun<Out>, by: &str, why: &str) -> Result<TestRun<Out>, Error> {
        self.go_on(run, |past, _| past.rerun((by, why)))
    }

    /// Starts a new run that keeps what this one's nodes gave, but for one node and all that follows from it.
    ///
    /// # Errors
    /// As [`vastflow_worker::Run::fork`].
    pub fn fork<Out>(&mut self, run: &TestRun<Out>, fork: Fork, by: &str, why: &str) -> Result<TestRun<Out>, Error> {
        self.go_on(run, |past, history| past.fork(fork, history, (by, why)))
    }

    fn go_on<Out>(
        &mut self,
        run: &TestRun<Out>,
        start: impl FnOnce(&Past, &[Recorded]) -> Result<Start, vastflow_worker::Error>,
    ) -> Result<TestRun<Out>, Error> {
        let life = &self.lives[self.find(&run.id)?];
        let not_begun = || vastflow_worker::Error::UnknownRun { id: run.id.clone() };
        let started = life.state().started().cloned().ok_or_else(|| self.refuse(not_begun()))?;
        let plan = Arc::clone(life.bound.plan());
        let past = Past { id: run.id.clone(), started, plan: Arc::clone(&plan), status: life.state().status() };
        let history = life.journals().next().map_or(&[][..], |(_, journal)| journal);
        let start = start(&past, history).map_err(|error| self.fail(error))?;
        let id = start.run.clone();
        self.begin_run(&plan, start)?;
        Ok(TestRun::new(id))
    }

    fn begin_run(&mut self, plan: &Arc<Plan>, mut start: Start) -> Result<usize, Error> {
        if let Some(run) = self.known(&start.run) {
            let life = &self.lives[run];
            let is_same = life.state().started().is_some_and(|known| start.is_same_as(known));
            if is_same && life.bound.plan().flow() == plan.flow() {
                return Ok(run);
            }
            let flow = life.bound.plan().flow().clone();
            return Err(self.fail(vastflow_worker::Error::AlreadyExists { id: start.run, flow }));
        }
        let bound = self.bind(plan)?;
        start.queued = self.room.concerns(plan.flow(), start.info.key.as_ref());
        let run = self.admit(Life::new(bound, start.run.clone()));
        self.ask_at(run, At::ROOT, &Input::Start(start))?;
        Ok(run)
    }
}

/// # Telling runs things
impl TestEngine {
    /// Sends a signal to the node that waits for one of this name, or will.
    ///
    /// ```
    /// # use vastflow::{Flow, Node, Result};
    /// # use vastflow_testing::TestEngine;
    /// # async fn pay(by: String) -> Result<String> { Ok(format!("paid by {by}")) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let flow = Flow::dag("approval", |dag, cents: Node<u32>| {
    ///     let by: Node<String> = dag.wait_signal("approved", cents);
    ///     dag.node("pay", pay, by)
    /// })?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// let run = engine.start(&flow, 700)?;
    /// engine.run_until_idle().await?;
    /// engine.signal(&run, "approved", "Ann".to_owned())?;
    /// engine.run_until_idle().await?;
    /// assert_eq!(engine.output(&run)?, "paid by Ann");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As of a run of a real engine: see [`vastflow_worker::Signal::send`].
    pub fn signal<Out, T: Data>(&mut self, run: &TestRun<Out>, name: &str, payload: T) -> Result<(), Error> {
        let id = format!("signal-{}", self.commits() + 1);
        self.signal_as(run, "", (name, &id), payload)
    }

    /// The same with the signal's id, and for a node that waits inside others: where, as `outer[key]`.
    ///
    /// # Errors
    /// As [`TestEngine::signal`].
    pub fn signal_as<Out, T: Data>(
        &mut self,
        run: &TestRun<Out>,
        within: &str,
        (name, id): (&str, &str),
        payload: T,
    ) -> Result<(), Error> {
        let payload = payload.encode().map_err(|error| self.refuse(error))?;
        let name = Name::new(name).map_err(|error| self.refuse(error))?;
        self.ask(run, within, &Input::Signal { id: id.into(), name, payload })
    }

    pub(crate) fn signal_payload<Out>(
        &mut self,
        run: &TestRun<Out>,
        name: &str,
        payload: Payload,
    ) -> Result<(), Error> {
        let name = Name::new(name).map_err(|error| self.refuse(error))?;
        self.ask(run, "", &Input::Signal { id: name.as_str().into(), name, payload })
    }

    /// Asks that nothing new start.
    ///
    /// ```
    /// # use vastflow::{DurationExt, Flow, Node, Result};
    /// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// let run = engine.start(&flow, 21)?;
    /// engine.pause(&run, "ops", "deployment")?;
    /// engine.advance(9.days()).await?;
    /// engine.resume(&run, "ops", "done")?;
    /// assert_eq!(engine.calls("double"), 0);
    /// engine.run_until_idle().await?;
    /// assert_eq!(engine.output(&run)?, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`vastflow_worker::Run::pause`].
    pub fn pause<Out>(&mut self, run: &TestRun<Out>, by: &str, why: &str) -> Result<(), Error> {
        self.ask(run, "", &Input::Pause { by: by.into(), why: why.into() })
    }

    /// Asks that a paused run go on.
    ///
    /// # Errors
    /// As [`vastflow_worker::Run::resume`].
    pub fn resume<Out>(&mut self, run: &TestRun<Out>, by: &str, why: &str) -> Result<(), Error> {
        self.ask(run, "", &Input::Resume { by: by.into(), why: why.into() })
    }

    /// Asks that the run stop.
    ///
    /// ```
    /// # use vastflow::{DurationExt, Flow, Node, Result};
    /// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// let run = engine.start(&flow, 21)?;
    /// engine.cancel(&run, "ops", "enough")?;
    /// engine.run_to_end(&run).await?;
    /// assert!(engine.output(&run).unwrap_err().to_string().contains("stopped by ops: enough"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`vastflow_worker::Run::cancel`].
    pub fn cancel<Out>(&mut self, run: &TestRun<Out>, by: &str, why: &str) -> Result<(), Error> {
        self.ask(run, "", &Input::Cancel { by: by.into(), why: why.into() })
    }

    /// Asks that the run end without waiting for what runs.
    ///
    /// # Errors
    /// As [`vastflow_worker::Run::kill`].
    pub fn kill<Out>(&mut self, run: &TestRun<Out>, by: &str, why: &str) -> Result<(), Error> {
        self.ask(run, "", &Input::Kill { by: by.into(), why: why.into() })
    }

    /// Says how it goes on with a node that waits for an operator; inside others it is `outer[key]/node`.
    ///
    /// # Errors
    /// As [`vastflow_worker::Run::resolve`].
    pub fn resolve<Out>(&mut self, run: &TestRun<Out>, at: &str, choice: Choice, why: &str) -> Result<(), Error> {
        let (path, name) = at.rsplit_once('/').unwrap_or(("", at));
        let (number, scope) = self.scope(run, path)?;
        let found = self.lives[number].memory.tree.bound(scope).plan().find(name);
        let unknown = || vastflow_worker::Error::UnknownPlace { id: run.id.clone(), at: at.to_owned() };
        let node = found.ok_or_else(|| self.fail(unknown()))?;
        self.ask_at(number, scope, &Input::Resolve { node, choice, by: "test".into(), why: why.into() })
    }

    fn ask<Out>(&mut self, run: &TestRun<Out>, path: &str, input: &Input) -> Result<(), Error> {
        let (run, at) = self.scope(run, path)?;
        self.ask_at(run, at, input)
    }

    /// Asks until there is an answer: who is not told whether it was recorded asks again.
    fn ask_at(&mut self, run: usize, at: At, input: &Input) -> Result<(), Error> {
        loop {
            match self.tell(run, at, input.clone())? {
                Went::Recorded => return Ok(()),
                Went::Rejected(rejection) => {
                    let meaning = self.lives[run].memory.tree.meaning(at, &rejection);
                    return meaning.map_err(|error| self.fail(error));
                }
                Went::Lost => {}
            }
        }
    }

    fn scope<Out>(&self, run: &TestRun<Out>, path: &str) -> Result<(usize, At), Error> {
        let number = self.find(&run.id)?;
        let tree = &self.lives[number].memory.tree;
        let found = tree.find(&ScopeId::from_parts(run.id.clone(), path));
        let unknown = || vastflow_worker::Error::UnknownPlace { id: run.id.clone(), at: path.to_owned() };
        Ok((number, found.ok_or_else(|| self.fail(unknown()))?))
    }
}

/// # Looking at runs
impl TestEngine {
    /// Lets time pass until the run is over; gives how it ended.
    ///
    /// ```
    /// # use vastflow::{DurationExt, Flow, Node, Result};
    /// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// let run = engine.start(&flow, 21)?;
    /// let began = engine.now();
    /// assert_eq!(engine.run_to_end(&run).await?, vastflow::RunStatus::Succeeded);
    /// assert_eq!(engine.now().since(began), 1.days());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `stuck` when time alone does not bring its end; as [`TestEngine::run_until_idle`].
    pub async fn run_to_end<Out>(&mut self, run: &TestRun<Out>) -> Result<RunStatus, Error> {
        let number = self.find(&run.id)?;
        self.run_until_idle().await?;
        while !self.lives[number].is_over() {
            if !self.pass().await? {
                return Err(self.fail(What::Stuck(self.view(run)?.to_string())));
            }
        }
        self.status(run)
    }

    /// Where it stands.
    ///
    /// # Errors
    /// [`vastflow_worker::Error::UnknownRun`].
    pub fn status<Out>(&self, run: &TestRun<Out>) -> Result<RunStatus, Error> {
        Ok(self.lives[self.find(&run.id)?].state().status())
    }

    /// What it gave.
    ///
    /// # Errors
    /// [`vastflow_worker::Error::RunNotEnded`], `RunFailed`, `RunStopped`, `Data`.
    pub fn output<Out: Data>(&self, run: &TestRun<Out>) -> Result<Out, Error> {
        let (id, life) = (run.id.clone(), &self.lives[self.find(&run.id)?]);
        let state = life.state();
        let error = match state.outcome() {
            _ if !life.is_over() => vastflow_worker::Error::RunNotEnded { id, status: state.status() },
            Some(RunOutcome::Failed(failure)) => vastflow_worker::Error::RunFailed { id, failure },
            Some(RunOutcome::Stopped { by, why }) => {
                vastflow_worker::Error::RunStopped { id, by: by.into_string(), why: why.into_string() }
            }
            _ => {
                let output = state.output(life.bound.plan()).unwrap_or_else(Payload::null);
                return Out::decode(&output).map_err(|error| self.refuse(error));
            }
        };
        Err(self.fail(error))
    }

    /// A value of its shared data, as it is recorded.
    ///
    /// # Errors
    /// [`vastflow_worker::Error::UnknownRun`], `Data`.
    pub fn get<Out, T: Data>(&self, run: &TestRun<Out>, key: &str) -> Result<Option<T>, Error> {
        let life = &self.lives[self.find(&run.id)?];
        let value = life.state().context().get(key).map(T::decode).transpose();
        value.map_err(|error| self.refuse(error))
    }

    /// The run to look at. Its `Display` prints one line a node.
    ///
    /// # Errors
    /// [`vastflow_worker::Error::UnknownRun`].
    pub fn view<Out>(&self, run: &TestRun<Out>) -> Result<RunView, Error> {
        let life = &self.lives[self.find(&run.id)?];
        let journal = life.journals().next().map_or(&[][..], |(_, journal)| journal);
        let view = RunView::fold(run.id.clone(), life.bound.plan(), journal);
        view.map_err(|source| self.fail(vastflow_worker::Error::Corrupt { id: run.id.clone(), source }))
    }

    /// All that is recorded of it.
    ///
    /// # Errors
    /// [`vastflow_worker::Error::UnknownRun`].
    pub fn history<Out>(&self, run: &TestRun<Out>) -> Result<History, Error> {
        let life = &self.lives[self.find(&run.id)?];
        let journals = life.journals().map(|(scope, journal)| (scope.clone(), journal.to_vec()));
        Ok(History::new(Arc::clone(life.bound.plan()), journals.collect()))
    }

    /// What of it waits for an operator, as [`TestEngine::resolve`] names it, with why.
    ///
    /// # Errors
    /// [`vastflow_worker::Error::UnknownRun`].
    pub fn attention<Out>(&self, run: &TestRun<Out>) -> Result<Vec<(String, String)>, Error> {
        let tree = &self.lives[self.find(&run.id)?].memory.tree;
        let of_scope = |at: At| {
            let before = if at == At::ROOT { String::new() } else { format!("{}/", tree.id(at).path()) };
            let plan = tree.bound(at).plan();
            let name = move |node| plan.node(node).map_or("", |spec| spec.name.as_str());
            tree.state(at).waiting_for_operator().map(move |(node, why)| (format!("{before}{}", name(node)), why))
        };
        Ok(tree.all().flat_map(of_scope).collect())
    }
}
