//! The engine: a store, the code of a program, and the tasks that bring them together.

use crate::beat::{Beats, beat_once, introduce, say_goodbye};
use crate::claim::{claim_work, look_around};
use crate::error::Error;
use crate::form::Served;
use crate::lanes::Lanes;
use crate::limit::Limit;
use crate::observer::Observer;
use crate::report::{Report, report};
use crate::retention::{self, Retention, Rules};
use crate::run::{Run, TypedRun};
use crate::shared::{Room, Shared, Sight, lock};
use crate::start::StartRun;
use crate::stats::Stats;
use crate::turn::take_turns;
use crate::window::{Window, Windows, breathe};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLockWriteGuard};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use vastflow_core::plan::Schema;
use vastflow_core::{Name, RunId, ScopeId, Task};
use vastflow_sdk::{Andes, Atlantic, BoxError, Data, Flow, Headwaters, Library, MissingCode, River};
use vastflow_store::{RunQuery, Store, WindowOf};

/// How many calls run at once unless it is said otherwise. Handlers mostly wait for others, so there may be many.
const CONCURRENCY: usize = 1_000;
/// How long a worker counts as alive without a sign.
const LEASE: Duration = Duration::from_secs(15);
/// How many workers may die of a call, unless it is said otherwise.
const MAX_CRASHES: u8 = 3;
/// How long handlers are waited for when the engine shuts down.
const DRAIN: Duration = Duration::from_secs(30);

/// Clocks that are corrected a little are no news.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

/// Runs flows. Cloning shares it; when the last clone is gone the engine stops, as if the process had ended.
///
/// ```
/// use std::sync::Arc;
/// use vastflow_sdk::{Flow, Node, Result};
/// use vastflow_store::MemoryStore;
/// use vastflow_worker::Engine;
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
///
/// # #[tokio::main] async fn main() -> Result<()> {
/// let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// let engine = Engine::on(Arc::new(MemoryStore::new())).flow(flow).start().await?;
/// let run = engine.run("double", 21).await?;
/// assert_eq!(run.output::<u32>().await?, 42);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    /// Stops the engine when the last clone is gone.
    _alive: Arc<Alive>,
}

struct Alive {
    shared: Arc<Shared>,
    beats: Beats,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.shared.stop();
        self.shared.abort_calls();
        self.beats.end(&self.shared);
    }
}

/// An engine that does not run yet. What is wrong with it is told by [`EngineBuilder::start`].
#[must_use = "the engine runs when it is started"]
pub struct EngineBuilder {
    store: Arc<dyn Store>,
    library: Library,
    flows: Vec<(Arc<vastflow_core::Plan>, Served)>,
    concurrency: usize,
    lanes: BTreeMap<Name, usize>,
    limits: BTreeMap<Name, Limit>,
    windows: BTreeMap<WindowOf, Window>,
    lease: Duration,
    name: Option<Name>,
    max_crashes: Option<u8>,
    sight: Sight,
    rules: Rules,
    error: Option<Error>,
}

impl EngineBuilder {
    /// Registers a flow.
    pub fn flow<In, Out>(mut self, flow: Flow<In, Out>) -> Self {
        let added = self.library.add_flow(flow.name().clone(), Arc::clone(flow.code()));
        self.library.learn_rivers(flow.rivers());
        self.flows.push((Arc::clone(flow.plan()), Served::of(&flow)));
        self.note(added.map_err(Error::from))
    }

    /// Registers a river, so that runs that were drawn elsewhere, or before a crash, can go on here.
    pub fn river<R: River>(mut self) -> Self {
        let added = self.library.register_river::<R>();
        self.note(added.map_err(|error| as_error(&error)))
    }

    /// Registers an Atlantic.
    pub fn atlantic<A: Atlantic>(mut self) -> Self {
        let added = self.library.register_atlantic::<A>();
        self.note(added.map_err(|error| as_error(&error)))
    }

    /// How many calls may run at once; 1,000 unless said. With 0 this engine makes no calls and takes no work: it starts
    /// runs, watches and controls them, and other engines on the store do what they ask for.
    pub const fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls;
        self
    }

    /// Serves a lane: how many calls of nodes that queue in it may run at once, besides the limit for all. 0 leaves it to
    /// other engines.
    pub fn lane(mut self, lane: &str, calls: usize) -> Self {
        match Name::new(lane) {
            Ok(lane) => _ = self.lanes.insert(lane, calls),
            Err(error) => self = self.note(Err(error.into())),
        }
        self
    }

    /// Limits a lane over all engines of the store together: every engine that serves the lane should say the same. The
    /// lane must be served here too ([`EngineBuilder::lane`]).
    pub fn limit(mut self, lane: &str, limit: Limit) -> Self {
        match Name::new(lane) {
            Ok(lane) => _ = self.limits.insert(lane, limit),
            Err(error) => self = self.note(Err(error.into())),
        }
        self
    }

    /// How many runs of all flows together may be in flight at once; the others wait in line, recorded. Runs that a run
    /// starts do not wait: their parent holds a place already, and would wait for itself.
    pub fn window(mut self, window: Window) -> Self {
        self.windows.insert(WindowOf::All, window);
        self
    }

    /// How many runs of one flow may be in flight at once.
    pub fn flow_window(mut self, flow: &str, window: Window) -> Self {
        match Name::new(flow) {
            Ok(flow) => _ = self.windows.insert(WindowOf::Flow(flow), window),
            Err(error) => self = self.note(Err(error.into())),
        }
        self
    }

    /// How many runs of one flow that have the same key ([`StartRun::key`]) may be in flight at once: one customer's do not
    /// wait for another's. Runs without a key are not held up.
    pub fn key_window(mut self, flow: &str, runs: usize) -> Self {
        match Name::new(flow) {
            Ok(flow) => _ = self.windows.insert(WindowOf::KeyOf(flow), Window::fixed(runs)),
            Err(error) => self = self.note(Err(error.into())),
        }
        self
    }

    /// How long this engine counts as alive without a sign, 15 s unless said; at least 1 s.
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// A name for this engine among the workers of its store, such as that of its machine. No two that are alive have the
    /// same: the second is refused at its start. Runs can be left to it by that name ([`StartRun::lane`]).
    pub fn worker_name(mut self, name: &str) -> Self {
        match Name::new(name) {
            Ok(name) => self.name = Some(name),
            Err(error) => self = self.note(Err(error.into())),
        }
        self
    }

    /// How many workers may die while they make a call and no other, before that call is not made any more: its node waits
    /// for an operator, who finds it by [`Run::attention`]. 3 unless said where workers share a store, else never; 0 is
    /// never. Of an SQLite file the process that has it open is the worker, and the next one that opens it goes on counting;
    /// who is killed from outside during the same call each time looks the same. `memory:` forgets with its process.
    pub const fn max_crashes(mut self, workers: u8) -> Self {
        self.max_crashes = Some(workers);
        self
    }

    /// Whether the engine counts what it does for [`Engine::metrics`]; it does unless said.
    pub const fn metrics(mut self, counts: bool) -> Self {
        self.sight.counts = counts;
        self
    }

    /// Who is told what runs and calls were like: see [`Observer`]. One at a time: the last counts.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.sight.observer = Some(Arc::new(observer));
        self
    }

    /// How long runs are kept when they are over; for ever unless said. Old ones are deleted in the background.
    pub const fn retain(mut self, kept: Retention) -> Self {
        self.rules.all = kept;
        self
    }

    /// The same for the runs of one flow, for which [`EngineBuilder::retain`] does not hold then.
    pub fn retain_flow(mut self, flow: &str, kept: Retention) -> Self {
        let name = Name::new(flow).map(|name| self.rules.flows.insert(name, kept));
        self.note(name.map(drop).map_err(Error::from))
    }

    fn note(mut self, result: Result<(), Error>) -> Self {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
        self
    }

    /// Starts the engine. Unfinished runs of the store go on at once.
    ///
    /// # Errors
    /// What is wrong with the settings or the registered code; a store error.
    pub async fn start(self) -> Result<Engine, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        check_runtime()?;
        if self.lease < Duration::from_secs(1) {
            return Err(Error::Setting("an engine needs a lease of at least 1 s".into()));
        }
        let mut served = self.lanes;
        if let Some(name) = &self.name {
            served.entry(name.clone()).or_insert(self.concurrency);
        }
        if let Some(lane) = self.limits.keys().find(|lane| !served.contains_key(*lane)) {
            return Err(Error::Setting(format!(
                "lane {lane:?} has a limit and is not served here; add `.lane({lane:?}, n)` with the number of calls that may \
                 run at once in this engine"
            )));
        }
        let limits = self.limits.into_iter().map(|(lane, limit)| limit.of(lane)).collect::<Result<_, Error>>()?;
        let lanes = Lanes::new(served);
        self.flows.iter().try_for_each(|(plan, _)| lanes.check(plan))?;
        let is_fleet = self.store.capabilities().fleet;
        let max_crashes = self.max_crashes.unwrap_or(if is_fleet { MAX_CRASHES } else { 0 });
        let about = introduce(self.name, self.concurrency, lanes.names());
        let windows = Windows::new(self.windows)?;
        let room = Room { slots: self.concurrency, lanes, limits, windows, max_crashes, sight: self.sight };
        let shared = Shared::new(self.store, self.library, room, about, self.lease);
        for (plan, served) in self.flows {
            shared.serve(plan.flow(), served);
            shared.store.put_plan(plan).await?;
        }
        if self.concurrency > 0 {
            bind_all(&shared).await?;
        }
        beat_once(&shared).await?;
        let beats = match settle_in(&shared, !self.rules.keep_all()).await {
            Ok(beats) => beats,
            Err(error) => {
                // Nobody must wait for its name until its lease is over.
                say_goodbye(&shared).await;
                return Err(error);
            }
        };
        if !self.rules.keep_all() {
            shared.runtime.spawn(retention::retain(Arc::clone(&shared), self.rules));
        }
        shared.runtime.spawn(take_turns(Arc::clone(&shared)));
        shared.runtime.spawn(look_around(Arc::clone(&shared)));
        match self.concurrency {
            0 => shared.claims.turn_off(),
            _ => drop(shared.runtime.spawn(claim_work(Arc::clone(&shared)))),
        }
        shared.runtime.spawn(breathe(Arc::clone(&shared)));
        let alive = Alive { beats, shared: Arc::clone(&shared) };
        Ok(Engine { _alive: Arc::new(alive), shared })
    }
}

/// What may still fail once the store knows of an engine.
async fn settle_in(shared: &Arc<Shared>, deletes: bool) -> Result<Beats, Error> {
    check_clock(shared).await?;
    if deletes {
        retention::check(shared).await?;
    }
    Beats::begin(shared)
}

/// An engine runs on the tokio runtime that it is started on, which must have its clock.
fn check_runtime() -> Result<(), Error> {
    let wrong = |what: &str| {
        Error::Setting(format!(
            "{what}; start the engine in #[tokio::main], or on a runtime that was built with `enable_all()`"
        ))
    };
    if Handle::try_current().is_err() {
        return Err(wrong("an engine runs on tokio, and this is no tokio runtime"));
    }
    // There is no asking: without a clock this panics.
    match std::panic::catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))) {
        Ok(()) => Ok(()),
        Err(_) => Err(wrong("an engine needs tokio's clock, and this runtime was built without")),
    }
}

/// Says so when the clock stands before what the store has recorded: what waits for a time waits for longer then.
async fn check_clock(shared: &Shared) -> Result<(), Error> {
    let newest = shared.store.runs(&RunQuery { limit: 1, ..RunQuery::default() }).await?;
    let Some(row) = newest.rows.first() else { return Ok(()) };
    let latest = row.summary.ended_at.unwrap_or(row.summary.started_at);
    let behind = latest.since(shared.now());
    if behind >= CLOCK_TOLERANCE {
        tracing::warn!(
            run = %row.id,
            "the clock stands {behind:?} before the newest run of the store: it was set back, or is wrong; timers and retries \
             of runs that are there come late by as much"
        );
    }
    Ok(())
}

/// Finds out which stored plans can be served here, and says whether runs wait because theirs cannot. An engine that makes no
/// calls does not ask: no run waits for it.
async fn bind_all(shared: &Shared) -> Result<(), Error> {
    let report = report(shared).await?;
    for waiting in &report.waiting {
        tracing::warn!(plan = %waiting.missing.plan, runs = waiting.runs, "{waiting}: they wait");
    }
    tracing::info!("{report}");
    Ok(())
}

fn as_error(error: &BoxError) -> Error {
    match error.downcast_ref::<vastflow_sdk::NameTaken>() {
        Some(taken) => taken.clone().into(),
        None => Error::Setting(error.to_string()),
    }
}

impl Engine {
    /// An engine on a store.
    pub fn on(store: Arc<dyn Store>) -> EngineBuilder {
        EngineBuilder {
            store,
            library: Library::default(),
            flows: Vec::new(),
            concurrency: CONCURRENCY,
            lanes: BTreeMap::new(),
            limits: BTreeMap::new(),
            windows: BTreeMap::new(),
            lease: LEASE,
            name: None,
            max_crashes: None,
            sight: Sight { counts: true, observer: None },
            rules: Rules::default(),
            error: None,
        }
    }

    /// Starts a run of the flow with this name. Await it, or give it an id, labels and more first.
    ///
    /// The input is a value that owns what it holds: `"text".to_owned()`, because a `&str` has nothing that it could be
    /// read back into. It travels as JSON, so a handler that takes [`Bytes`](vastflow_sdk::Bytes) sees a `String` in
    /// quotes; give such a flow a `Bytes`, which travels as it is: `Bytes::from("text")`.
    ///
    /// A value that the flow cannot read is refused ([`Error::InputMismatch`]), as far as the types tell; of what has none,
    /// as JSON that came from elsewhere, the value itself is looked at.
    pub fn run<In: Data>(&self, flow: &str, input: In) -> StartRun {
        StartRun::given(self.clone(), self.flow_plan(flow, &In::schema()), input)
    }

    /// Starts a run of a flow, with its types. The flow must be registered.
    ///
    /// # Errors
    /// As awaiting [`Engine::run`].
    pub async fn start<In: Data, Out: Data>(&self, flow: &Flow<In, Out>, input: In) -> Result<TypedRun<Out>, Error> {
        // The types fit, or it would not compile.
        let plan = self.flow_plan(flow.name(), &Schema::Any);
        let run = StartRun::new(self.clone(), plan, input.encode().map_err(Error::from));
        Ok(TypedRun::new(run.await?))
    }

    /// Draws a river system and starts it. The headwaters' request id is the run's id: the same id with the same
    /// drawing and headwaters joins the run that is there.
    ///
    /// Each different drawing is a plan that stays in the store. What differs from run to run belongs into the headwaters,
    /// not into the fields of rivers.
    ///
    /// # Errors
    /// What is wrong with the drawing or the headwaters; a store error;
    /// [`Error::AlreadyExists`] when the id is taken by another run.
    pub async fn draw(&self, andes: Andes, headwaters: Headwaters) -> Result<Run, Error> {
        let flow = andes.into_flow()?;
        let start = headwaters.into_start()?;
        self.shared.lanes.check(flow.plan())?;
        self.library().learn_rivers(flow.rivers());
        self.shared.forget_unservable();
        self.shared.store.put_plan(Arc::clone(flow.plan())).await?;
        let run = StartRun::new(self.clone(), Ok(flow.plan().hash()), Ok(start.input));
        let run = run.drawn().id(&start.request_id).context(start.context).temporary(start.temporary);
        start.labels.iter().fold(run, |run, (key, value)| run.label(key, value)).await
    }

    /// Registers a flow while the engine runs. Runs that waited for its code go on.
    ///
    /// # Errors
    /// [`Error::NameTaken`] when there is a flow of that name: [`Engine::replace`] says that this is meant.
    pub async fn register<In, Out>(&self, flow: Flow<In, Out>) -> Result<(), Error> {
        self.shared.lanes.check(flow.plan())?;
        // First of all what may fail, so that it can be tried again.
        self.shared.store.put_plan(Arc::clone(flow.plan())).await?;
        self.library().add_flow(flow.name().clone(), Arc::clone(flow.code()))?;
        self.adopt(&flow).await
    }

    /// Puts a flow in the place of the one that has its name, while the engine runs. New runs follow it. Runs that have
    /// begun follow the plan that they began with, and are called with the new code, if it has all that their plan names;
    /// if not, they wait, and [`Engine::missing_code`] says for what.
    ///
    /// # Errors
    /// [`Error::Setting`] when it queues in a lane that this engine does not know; a store error.
    pub async fn replace<In, Out>(&self, flow: Flow<In, Out>) -> Result<(), Error> {
        self.shared.lanes.check(flow.plan())?;
        self.shared.store.put_plan(Arc::clone(flow.plan())).await?;
        self.library().replace_flow(flow.name().clone(), Arc::clone(flow.code()));
        self.adopt(&flow).await
    }

    async fn adopt<In, Out>(&self, flow: &Flow<In, Out>) -> Result<(), Error> {
        self.library().learn_rivers(flow.rivers());
        self.shared.serve(flow.name(), Served::of(flow));
        self.shared.forget_bounds_of(flow.name());
        bind_all(&self.shared).await?;
        self.shared.slots.poke();
        Ok(())
    }

    fn library(&self) -> RwLockWriteGuard<'_, Library> {
        self.shared.library.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run by its id.
    ///
    /// # Errors
    /// [`Error::UnknownRun`] when the store has none of that id.
    pub async fn handle(&self, id: &str) -> Result<Run, Error> {
        Run::find(self.clone(), RunId::new(id)?).await
    }

    /// The store that the engine runs on.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// What this program can serve of what the store holds now: its flows, the stored plans that have all their code
    /// here, and how many runs wait because theirs have not. It is logged at the start, too.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use vastflow_sdk::{Flow, Node, Result};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
    /// # let store = Arc::new(vastflow_store::MemoryStore::new());
    /// let engine = vastflow_worker::Engine::on(store).flow(flow).start().await?;
    /// let report = engine.report().await?;
    /// assert_eq!((report.plans, report.runs_waiting()), (1, 0));
    /// assert_eq!(report.to_string(), "1 flow and 1 stored plan can be served");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Store errors.
    pub async fn report(&self) -> Result<Report, Error> {
        report(&self.shared).await
    }

    /// The call that runs alone here, because it was under way whenever its process ended, with its scope.
    #[must_use]
    pub fn suspect(&self) -> Option<(ScopeId, Task)> {
        lock(&self.shared.suspect).clone()
    }

    /// What this engine has done since it started, in numbers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats.now()
    }

    /// What unfinished runs in the store need that this program lacks, a plan at a time: they wait.
    /// [`Engine::report`] says how many they are.
    ///
    /// # Errors
    /// Store errors.
    pub async fn missing_code(&self) -> Result<Vec<MissingCode>, Error> {
        Ok(self.report().await?.waiting.into_iter().map(|waiting| waiting.missing).collect())
    }

    /// Stops claiming work, waits up to 30 s for the handlers that run, and closes the store. What did not end is told
    /// to stop and handed back: it runs again on another worker at once, or at the next start; no attempt is spent.
    ///
    /// # Errors
    /// [`Error::DrainTimeout`] when handlers did not end in time; a store error.
    pub async fn shutdown(self) -> Result<(), Error> {
        self.shutdown_within(DRAIN).await
    }

    /// The same with another time limit.
    ///
    /// # Errors
    /// As [`Engine::shutdown`].
    pub async fn shutdown_within(self, limit: Duration) -> Result<(), Error> {
        self.shared.draining.turn_off();
        // What a claim that is on its way still brings would be out of reach until the lease ends, and its asking would
        // come after the goodbye. It is soon answered, whatever the limit for handlers is.
        let began = Instant::now();
        let _ = tokio::time::timeout(self.shared.lease / 3, self.shared.claims.off()).await;
        let rested = tokio::time::timeout(limit.saturating_sub(began.elapsed()), async {
            tokio::select! {
                () = self.shared.rest() => true,
                // Of an engine that broke down nothing more can be recorded.
                () = self.shared.stopped.off() => false,
            }
        })
        .await;
        let calls = if rested == Ok(true) { 0 } else { self.shared.cancel_calls() };
        let leases = self.shared.leases();
        self.shared.stop();
        // What did not end goes to others at once, instead of when the lease ends, and no attempt is spent.
        if let Err(error) = self.shared.store.release(&leases).await {
            tracing::warn!(tasks = leases.len(), "cannot give tasks back: {error}");
        }
        say_goodbye(&self.shared).await;
        self.shared.store.close().await?;
        rested.map(drop).map_err(|_| Error::DrainTimeout { calls, waited: limit })
    }

    /// The plan of a flow, if its runs can read what is given.
    fn flow_plan(&self, flow: &str, given: &Schema) -> Result<vastflow_core::PlanHash, Error> {
        let flows = self.shared.flows.read().unwrap_or_else(PoisonError::into_inner);
        let served = flows.get(flow).ok_or_else(|| {
            let known: Vec<Name> = flows.keys().cloned().collect();
            Error::UnknownFlow { name: flow.to_owned(), known }
        });
        served?.plan_for(flow, given)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({:?})", self.shared.worker())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::Heard;
    use vastflow_store::MemoryStore;
    use vastflow_testsuite::fixture::{Story, plan};

    #[tokio::test]
    async fn a_clock_that_was_set_back_is_told_of() {
        for (ahead, warnings) in [(Duration::ZERO, 0), (Duration::from_secs(3_600), 1)] {
            let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
            store.put_plan(plan()).await.unwrap();
            let mut story = Story::new(plan(), "r");
            story.now = crate::clock::wall_clock().plus(ahead);
            store.commit(story.start()).await.unwrap();
            let heard = Heard::default();
            let _guard = tracing::subscriber::set_default(heard.clone());
            let _engine = Engine::on(store).start().await.unwrap();
            let lines = heard.lines();
            let of_clock = lines.iter().filter(|line| line.contains("the clock stands")).count();
            assert_eq!(of_clock, warnings, "{lines:?}");
        }
    }
}
