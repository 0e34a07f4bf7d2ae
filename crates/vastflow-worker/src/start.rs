//! Starting a run.

use crate::cell::Cell;
use crate::claim::started_of;
use crate::engine::Engine;
use crate::error::Error;
use crate::form::readable;
use crate::run::Run;
use crate::shared::Shared;
use crate::stored;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use vastflow_core::run::{Changes, Input, Start, StepError};
use vastflow_core::{Name, Payload, PlanHash, RunId, ScopeId, Seq, State, Timestamp, Writes};
use vastflow_sdk::{Bound, Data, Temporary};
use vastflow_store::{Commit, NewTask};

/// A run about to start. Await it.
///
/// ```
/// # use std::sync::Arc;
/// # use vastflow_sdk::{Flow, Node, Result};
/// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
/// # #[tokio::main] async fn main() -> Result<()> {
/// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// # let store = Arc::new(vastflow_store::MemoryStore::new());
/// # let engine = vastflow_worker::Engine::on(store).flow(flow).start().await?;
/// let run = engine.run("double", 21).id("order-7").label("customer", "4711").await?;
/// assert_eq!(run.id().as_str(), "order-7");
/// let same = engine.run("double", 21).id("order-7").await?; // the same id and input: the same run
/// assert_eq!(same.output::<u32>().await?, 42);
/// # Ok(()) }
/// ```
#[must_use = "a run starts when this is awaited"]
pub struct StartRun {
    engine: Engine,
    plan: Follows,
    start: Result<Start, Error>,
    temporary: Option<Temporary>,
    /// Whether the plan was drawn for this start: then what stands in it belongs to what is asked for.
    is_drawn: bool,
    /// Whether nothing is known of the input, so that it is looked at.
    is_untyped: bool,
}

/// The plan that a run is about to follow.
enum Follows {
    /// One that is known, or why it is not.
    Known(Result<PlanHash, Error>),
    /// That of a flow which the store knows.
    OfStore(String),
}

impl StartRun {
    pub(crate) fn new(engine: Engine, plan: Result<PlanHash, Error>, input: Result<Payload, Error>) -> Self {
        StartRun::following(engine, Follows::Known(plan), input)
    }

    /// The same with what somebody gave.
    pub(crate) fn given<In: Data>(engine: Engine, plan: Result<PlanHash, Error>, input: In) -> Self {
        StartRun::of_value(engine, Follows::Known(plan), input)
    }

    /// A run of a flow that the store knows.
    pub(crate) fn of_stored<In: Data>(engine: Engine, flow: String, input: In) -> Self {
        StartRun::of_value(engine, Follows::OfStore(flow), input)
    }

    fn of_value<In: Data>(engine: Engine, plan: Follows, input: In) -> Self {
        let start = StartRun::following(engine, plan, input.encode().map_err(Error::from));
        StartRun { is_untyped: In::schema().is_any(), ..start }
    }

    fn following(engine: Engine, plan: Follows, input: Result<Payload, Error>) -> Self {
        let start = input.and_then(|input| {
            let id = engine.shared.ids.next(engine.shared.now())?;
            Ok(Start { input, ..Start::new(id) })
        });
        StartRun { engine, plan, start, temporary: None, is_drawn: false, is_untyped: false }
    }

    /// A start that is known in all its parts.
    pub(crate) const fn from_start(engine: Engine, plan: PlanHash, start: Start) -> Self {
        let plan = Follows::Known(Ok(plan));
        StartRun { engine, plan, start: Ok(start), temporary: None, is_drawn: false, is_untyped: false }
    }

    fn change(mut self, change: impl FnOnce(&mut Start)) -> Self {
        if let Ok(start) = &mut self.start {
            change(start);
        }
        self
    }

    /// The run's id. The same id with the same flow and input joins the run that is there; with another input it is an
    /// error. Without it the id is generated and ordered by time.
    pub fn id(mut self, id: &str) -> Self {
        self.start = self.start.and_then(|start| Ok(Start { run: RunId::new(id)?, ..start }));
        self
    }

    /// A searchable label.
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

    /// W3C trace context to join.
    pub fn trace(self, traceparent: &str) -> Self {
        self.change(|start| start.info.trace = Some(traceparent.into()))
    }

    /// Higher goes first when there is more work than slots; 0 unless said.
    pub fn priority(self, priority: i8) -> Self {
        self.change(|start| start.info.priority = priority)
    }

    /// The key of the run, such as a customer's number: how many runs of a flow with the same key are in flight at once can
    /// be limited ([`EngineBuilder::key_window`](crate::EngineBuilder::key_window)).
    pub fn key(self, key: &str) -> Self {
        self.with_name(key, |start, key| start.info.key = Some(key))
    }

    /// The lane that the run's calls queue in where their nodes name none: it is left to the engines that serve it, or to
    /// the one that has this name ([`EngineBuilder::worker_name`](crate::EngineBuilder::worker_name)). Runs that it
    /// starts queue there too.
    pub fn lane(self, lane: &str) -> Self {
        self.with_name(lane, |start, lane| start.info.lane = Some(lane))
    }

    fn with_name(mut self, name: &str, change: impl FnOnce(&mut Start, Name)) -> Self {
        self.start = self.start.and_then(|mut start| {
            change(&mut start, Name::new(name)?);
            Ok(start)
        });
        self
    }

    /// The moment by which the run must have ended.
    pub fn deadline(self, deadline: Timestamp) -> Self {
        self.change(|start| start.info.deadline = Some(deadline))
    }

    /// The same, from now on: how long the run may take, with all its waits.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use vastflow_sdk::{Flow, Node, Result};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("long", Duration::from_secs(9), n)))?;
    /// # let store = Arc::new(vastflow_store::MemoryStore::new());
    /// # let engine = vastflow_worker::Engine::on(store).flow(flow).start().await?;
    /// let run = engine.run("double", 21).deadline_in(Duration::from_millis(20)).await?;
    /// assert!(run.output::<u32>().await.unwrap_err().to_string().contains("by its deadline"));
    /// # Ok(()) }
    /// ```
    pub fn deadline_in(self, limit: Duration) -> Self {
        let deadline = self.engine.shared.now().plus(limit);
        self.deadline(deadline)
    }

    pub(crate) fn context(self, context: Writes) -> Self {
        self.change(|start| start.context = context)
    }

    pub(crate) fn temporary(mut self, values: Temporary) -> Self {
        self.temporary = Some(values);
        self
    }

    pub(crate) const fn drawn(mut self) -> Self {
        self.is_drawn = true;
        self
    }

    /// The commit that begins the run, for a store that can make it true together with something else: see the method
    /// `commit_in` of the PostgreSQL store. Nothing has begun until the store was given it.
    ///
    /// # Errors
    /// As when it is awaited, but for a run that is there already: that the store answers.
    pub async fn into_commit(self) -> Result<Commit, Error> {
        let shared = &self.engine.shared;
        let mut start = self.start?;
        let bound = self.plan.bound(shared).await?;
        let plan = bound.plan();
        if self.is_untyped {
            start.input = readable(shared, plan, start.input)?;
        }
        start.queued = shared.windows.concern(plan.flow(), start.info.key.as_ref());
        let (scope, at) = (ScopeId::root(start.run.clone()), shared.now());
        let (mut state, mut changes) = (State::default(), Changes::default());
        let events = state.step(plan, Input::Start(start), at, &mut changes).map_err(|why| unfit(&scope, why))?;
        let info = state.started().map(|started| started.info.clone()).unwrap_or_default();
        let new = |(task, due)| NewTask { lane: info.lane_of(plan, task).cloned(), ..NewTask::new(task, due) };
        Ok(Commit {
            op: shared.next_op(),
            scope,
            expected: Seq::ZERO,
            at,
            worker: shared.worker(),
            settle: Vec::new(),
            events,
            queue: changes.queue.into_iter().map(new).collect(),
            obsolete: Vec::new(),
            messages: Vec::new(),
            control: None,
            summary: state.summary(plan).map(Arc::new),
        })
    }

    async fn begin(self) -> Result<Run, Error> {
        let shared = &self.engine.shared;
        let mut start = self.start?;
        let bound = self.plan.bound(shared).await?;
        if shared.draining.is_off() {
            return Err(shared.why_stopped());
        }
        if self.is_untyped {
            match readable(shared, bound.plan(), start.input.clone()) {
                Ok(input) => start.input = input,
                // Who asks again for a run that began when its flow took that joins it.
                Err(refused) => {
                    let joined = join(&self.engine, &bound, &start, self.is_drawn).await;
                    let is_none =
                        |error: &Error| matches!(error, Error::UnknownRun { .. } | Error::AlreadyExists { .. });
                    return joined.map_err(|error| if is_none(&error) { refused } else { error });
                }
            }
        }
        start.queued = shared.windows.concern(bound.plan().flow(), start.info.key.as_ref());
        let id = start.run.clone();
        let run = Run::new(self.engine.clone(), id.clone());
        match tell(shared, Arc::clone(&bound), start.clone(), self.temporary).await {
            Err(Error::AlreadyExists { .. }) => join(&self.engine, &bound, &start, self.is_drawn).await,
            told => told.map(|()| run),
        }
    }
}

impl Follows {
    /// The plan with its code. An engine that makes no calls needs none, nor does a run of a flow that the store knows: an
    /// engine that has the code finds its work in the queue.
    async fn bound(self, shared: &Shared) -> Result<Arc<Bound>, Error> {
        let (plan, is_stored) = match self {
            Follows::Known(plan) => (plan?, false),
            Follows::OfStore(flow) => (stored::plan_of(shared, &flow).await?, true),
        };
        match shared.bound(plan).await {
            Err(Error::MissingCode(_)) if is_stored || shared.slots.all() == 0 => {
                Ok(Arc::new(Bound::without_code(shared.plan(plan).await?)))
            }
            bound => bound,
        }
    }
}

/// Why a run cannot begin.
fn unfit(scope: &ScopeId, why: StepError) -> Error {
    match why {
        StepError::Rejected(rejection) => Error::Setting(format!("run {scope} cannot begin: {rejection}")),
        StepError::Illegal(source) => Error::Corrupt { id: scope.run().clone(), source },
    }
}

/// Tells a new cell to start; answers when the start is durable. Until then nobody else knows the cell: there may be a
/// run of that id already, which this one must not stand for.
pub(crate) async fn tell(
    shared: &Arc<Shared>,
    bound: Arc<Bound>,
    start: Start,
    brings: Option<Temporary>,
) -> Result<(), Error> {
    let scope = ScopeId::root(start.run.clone());
    let (asks, told) = oneshot::channel();
    let cell = Cell::new(scope, bound, State::default());
    cell.lock().brings = brings;
    cell.tell(shared, Input::Start(start), Some(asks));
    told.await.unwrap_or_else(|_| Err(shared.why_stopped()))
}

/// There is a run of that id: it is the one that is asked for if it has the same flow and input. A flow that is registered
/// may have changed since; a drawing is part of what is asked for.
async fn join(engine: &Engine, bound: &Bound, start: &Start, is_drawn: bool) -> Result<Run, Error> {
    let id = start.run.clone();
    let started = started_of(&engine.shared, &id).await?;
    let started = started.ok_or_else(|| Error::UnknownRun { id: id.clone() })?;
    let is_other = is_drawn && started.plan != bound.plan().hash();
    if started.flow == *bound.plan().flow() && start.is_same_as(&started) && !is_other {
        if let Err(Error::MissingCode(missing)) = engine.shared.bound(started.plan).await {
            tracing::warn!(run = %id, "it was started when its flow was another, and waits: {missing}");
        }
        return Run::find(engine.clone(), id).await;
    }
    Err(Error::AlreadyExists { id, flow: started.flow.clone() })
}

impl IntoFuture for StartRun {
    type Output = Result<Run, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Run, Error>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin())
    }
}
