//! What all parts of an engine share.

use crate::cell::{Calling, Cell, Inner};
use crate::claim::started_of;
use crate::clock::StoreClock;
use crate::control::cell_at;
use crate::error::Error;
use crate::form::Served;
use crate::ids::Ids;
use crate::lanes::Lanes;
use crate::life::Life;
use crate::mend::until_answered;
use crate::metrics::{Measured, Metrics};
use crate::observer::Observer;
use crate::parked::Parked;
use crate::slots::Slots;
use crate::stats::Counting;
use crate::stored::Catalogue;
use crate::switch::Switch;
use crate::watch::Watchers;
use crate::window::Windows;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use vastflow_core::run::Input;
use vastflow_core::{Name, Plan, PlanHash, RunId, RunStarted, ScopeId, Task, Timestamp};
use vastflow_sdk::{Bound, BoxError, BoxFuture, ChildAsk, ChildState, EngineLink, Library, MissingCode, Temporary};
use vastflow_store::{LaneLimit, Lease, OpId, Store, StoreError, WorkerId, WorkerInfo};

/// What all parts of an engine share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) life: Life,
    /// Held while a sign of life is on its way.
    pub(crate) signs: tokio::sync::Mutex<()>,
    /// What time it is for this engine.
    pub(crate) clock: StoreClock,
    pub(crate) stats: Counting,
    /// Who is told what runs and calls were like.
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// What is counted besides, if anything is.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// What it tells of itself, as it was told last.
    about: Mutex<Arc<WorkerInfo>>,
    pub(crate) runtime: Handle,
    pub(crate) slots: Slots,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) limits: Arc<[LaneLimit]>,
    pub(crate) windows: Windows,
    pub(crate) watchers: Watchers,
    pub(crate) lease: Duration,
    /// Flows, rivers and Atlantics that this program has.
    pub(crate) library: RwLock<Library>,
    /// Set when no new work may begin.
    pub(crate) draining: Switch,
    /// Set when nothing is claimed any more, and no claim is on its way.
    pub(crate) claims: Switch,
    /// Set when everything must end.
    pub(crate) stopped: Switch,
    /// Why the engine cannot go on, once it cannot.
    pub(crate) broken: OnceLock<Error>,
    pub(crate) turn: Arc<TurnQueue>,
    /// The registered flows, as new runs of them follow.
    pub(crate) flows: RwLock<BTreeMap<Name, Served>>,
    /// What new runs of other flows follow.
    pub(crate) catalogue: Catalogue,
    bounds: RwLock<FxHashMap<PlanHash, Result<Arc<Bound>, MissingCode>>>,
    cells: Mutex<FxHashMap<ScopeId, Arc<Cell>>>,
    parked: Parked,
    /// How runs began whose inner scopes are active here.
    begun: Mutex<FxHashMap<RunId, Weak<RunStarted>>>,
    /// Values of this process that the calls of a run share.
    pub(crate) temporary: Temporary,
    /// What calls may ask of this engine.
    pub(crate) link: Arc<dyn EngineLink>,
    /// Where generated run ids come from.
    pub(crate) ids: Ids,
    next_op: AtomicU64,
    /// How many calls of user code are under way.
    pub(crate) calling: AtomicUsize,
    /// Whether other engines work on the store: then what they record must be looked for.
    pub(crate) has_company: AtomicBool,
    /// Whether nothing new begins, so that a call can run alone.
    pub(crate) is_aside: AtomicBool,
    /// The call under suspicion that runs alone here.
    pub(crate) suspect: Mutex<Option<(ScopeId, Task)>>,
    /// After how many deaths of workers a call is not made any more; 0: it always is.
    max_crashes: u8,
    /// Told when the last active scope was let go of.
    at_rest: Notify,
}

/// How much may be under way at once.
#[derive(Default)]
pub(crate) struct Room {
    pub(crate) slots: usize,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) limits: Arc<[LaneLimit]>,
    pub(crate) windows: Windows,
    /// After how many deaths of workers a call is not made any more; 0: it always is.
    pub(crate) max_crashes: u8,
    pub(crate) sight: Sight,
}

/// How an engine is seen from outside.
#[derive(Default)]
pub(crate) struct Sight {
    /// Whether what happens is counted.
    pub(crate) counts: bool,
    /// Who is told what runs and calls were like.
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// What the next turn has to do.
#[derive(Default)]
pub(crate) struct TurnQueue {
    pub(crate) dirty: Mutex<Vec<Arc<Cell>>>,
    pub(crate) wake: Notify,
    /// How many batches are on their way.
    pub(crate) in_flight: AtomicUsize,
    /// Why there will be no more turns, once there will not.
    pub(crate) over: OnceLock<Error>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        library: Library,
        room: Room,
        about: WorkerInfo,
        lease: Duration,
    ) -> Arc<Self> {
        let Room { slots, lanes, limits, windows, max_crashes, sight } = room;
        let metrics = sight.counts.then(|| Arc::new(Metrics::new()));
        let store = match &metrics {
            Some(metrics) => Arc::new(Measured::new(store, Arc::clone(metrics))),
            None => store,
        };
        let nonce = fold_nonce(uuid::Uuid::now_v7().as_u128());
        Arc::new_cyclic(|weak| Shared {
            store,
            life: Life::new(nonce),
            signs: tokio::sync::Mutex::default(),
            clock: StoreClock::default(),
            stats: Counting::default(),
            observer: sight.observer,
            metrics,
            about: Mutex::new(Arc::new(about)),
            runtime: Handle::current(),
            slots: Slots::new(slots),
            lanes,
            limits,
            windows,
            watchers: Watchers::default(),
            lease,
            library: RwLock::new(library),
            draining: Switch::default(),
            claims: Switch::default(),
            stopped: Switch::default(),
            broken: OnceLock::new(),
            turn: Arc::default(),
            flows: RwLock::default(),
            catalogue: Catalogue::default(),
            bounds: RwLock::default(),
            cells: Mutex::default(),
            parked: Parked::default(),
            begun: Mutex::default(),
            temporary: Temporary::default(),
            link: Arc::new(Link(weak.clone())),
            ids: Ids::new(nonce),
            next_op: AtomicU64::new(0),
            calling: AtomicUsize::new(0),
            has_company: AtomicBool::new(true),
            is_aside: AtomicBool::new(false),
            suspect: Mutex::default(),
            max_crashes,
            at_rest: Notify::new(),
        })
    }

    /// Whether it gives up calls that end their process.
    pub(crate) const fn quarantines(&self) -> bool {
        self.max_crashes > 0
    }

    /// Whether a call is not made any more that so many workers died of.
    pub(crate) const fn is_deadly(&self, crashes: u8) -> bool {
        self.quarantines() && crashes >= self.max_crashes
    }

    /// Whether this engine goes on with what it records itself.
    pub(crate) fn may_keep(&self) -> bool {
        !self.draining.is_off() && !self.is_aside.load(Ordering::Acquire)
    }

    /// Its name as a worker, in its present life.
    pub(crate) fn worker(&self) -> WorkerId {
        self.life.id()
    }

    /// A name for a commit that no other commit has: this engine's own number and a counter.
    pub(crate) fn next_op(&self) -> OpId {
        let count = self.next_op.fetch_add(1, Ordering::Relaxed);
        OpId(u128::from(self.life.nonce()) << 64 | u128::from(count))
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// New runs of the flow follow this from now on.
    pub(crate) fn serve(&self, flow: &Name, served: Served) {
        self.flows.write().unwrap_or_else(PoisonError::into_inner).insert(flow.clone(), served);
    }

    /// The cell of a scope, if it is active or parked here. It is active then: whoever asks tells it something, or lets
    /// it go on. One that was parked may know less than the journal.
    pub(crate) fn cell(&self, scope: &ScopeId) -> Option<Arc<Cell>> {
        let active = lock(&self.cells).get(scope).cloned();
        active.or_else(|| {
            let parked = self.parked.take(scope)?;
            let other = self.replacement(&parked, &mut parked.lock());
            Some(other.unwrap_or(parked))
        })
    }

    /// Makes a cell the one of its scope, unless there is one already; gives the one that is.
    pub(crate) fn admit(&self, cell: Arc<Cell>) -> Arc<Cell> {
        Arc::clone(lock(&self.cells).entry(cell.scope.clone()).or_insert(cell))
    }

    /// The cell that took the place of one that was let go of, if there is one; else it is the one of its scope again.
    pub(crate) fn replacement(&self, cell: &Arc<Cell>, inner: &mut Inner) -> Option<Arc<Cell>> {
        if !inner.is_gone {
            return None;
        }
        let known = self.admit(Arc::clone(cell));
        inner.is_gone = !Arc::ptr_eq(&known, cell);
        inner.is_gone.then_some(known)
    }

    /// Lets go of a cell that has nothing to do any more, or not for now.
    pub(crate) fn dismiss(&self, cell: &Arc<Cell>, inner: &mut Inner) {
        // One without code must not be found by those who want to call some.
        let may_park = cell.bound.has_code() && !inner.state.is_empty() && !inner.state.status().is_final();
        if !std::mem::replace(&mut inner.is_gone, true) && may_park {
            self.parked.put(Arc::clone(cell), &inner.state);
        }
        let mut cells = lock(&self.cells);
        if cells.get(&cell.scope).is_some_and(|known| Arc::ptr_eq(known, cell)) {
            cells.remove(&cell.scope);
        }
        if cells.is_empty() {
            self.at_rest.notify_waiters();
        }
    }

    /// Waits until no scope is active here.
    pub(crate) async fn rest(&self) {
        loop {
            let at_rest = self.at_rest.notified();
            if lock(&self.cells).is_empty() {
                return;
            }
            at_rest.await;
        }
    }

    /// A run is held: nothing rides in its scopes, which hear of it with their next commit only.
    pub(crate) fn hold_scopes_of(&self, run: &RunId) {
        let cells: Vec<Arc<Cell>> =
            lock(&self.cells).values().filter(|cell| cell.scope.run() == run).cloned().collect();
        cells.iter().for_each(|cell| cell.lock().is_held = true);
    }

    /// The scopes whose code is running here.
    pub(crate) fn calling_cells(&self) -> Vec<Arc<Cell>> {
        let cells: Vec<Arc<Cell>> = lock(&self.cells).values().cloned().collect();
        cells.into_iter().filter(|cell| !cell.lock().calls.is_empty()).collect()
    }

    /// Tells every call under way that it should stop; gives their number.
    pub(crate) fn cancel_calls(&self) -> usize {
        let cells: Vec<Arc<Cell>> = lock(&self.cells).values().cloned().collect();
        let cancel = |cell: &Arc<Cell>| {
            let inner = cell.lock();
            inner.calls.iter().for_each(|call| call.ctx.cancel_call(None));
            inner.calls.len()
        };
        cells.iter().map(cancel).sum()
    }

    /// Ends every call under way at its next wait, as if the process had ended.
    pub(crate) fn abort_calls(&self) {
        let cells: Vec<Arc<Cell>> = lock(&self.cells).values().cloned().collect();
        cells.iter().for_each(|cell| cell.lock().calls.drain(..).for_each(|call| call.abort.abort()));
    }

    /// Ends every call under way at its next wait, because its task is somebody else's now; gives their number.
    pub(crate) fn lose_calls(&self) -> usize {
        let cells: Vec<Arc<Cell>> = lock(&self.cells).values().cloned().collect();
        let lose = |cell: &Arc<Cell>| {
            let calls = std::mem::take(&mut cell.lock().calls);
            for call in &calls {
                // What the handler spawned can still see that it should stop.
                call.ctx.cancel_call(None);
                call.abort.abort();
            }
            self.slots.give_back(calls.len());
            cell.after(self);
            calls.len()
        };
        cells.iter().map(lose).sum()
    }

    /// The tasks whose calls are under way.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        let cells: Vec<Arc<Cell>> = lock(&self.cells).values().cloned().collect();
        let leases = |cell: &Arc<Cell>| -> Vec<Lease> {
            let inner = cell.lock();
            let lease = |call: &Calling| Lease { scope: cell.scope.clone(), task: call.task, token: call.token };
            inner.calls.iter().map(lease).collect()
        };
        cells.iter().flat_map(leases).collect()
    }

    /// A plan with its code.
    ///
    /// # Errors
    /// [`Error::MissingCode`] when this program lacks some, or a store error.
    pub(crate) async fn bound(&self, hash: PlanHash) -> Result<Arc<Bound>, Error> {
        let known = self.bounds.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned();
        if let Some(known) = known {
            return Ok(known?);
        }
        let plan = self.plan(hash).await?;
        let bound = self.library.read().unwrap_or_else(PoisonError::into_inner).bind(&plan).map(Arc::new);
        self.bounds.write().unwrap_or_else(PoisonError::into_inner).insert(hash, bound.clone());
        Ok(bound?)
    }

    /// A plan from the store.
    pub(crate) async fn plan(&self, hash: PlanHash) -> Result<Arc<Plan>, StoreError> {
        let plan = self.store.plan(hash).await?;
        plan.ok_or_else(|| StoreError::corrupt(format!("plan {hash} is not in the store")))
    }

    /// The code of a scope of a run that follows the plan `hash`.
    ///
    /// # Errors
    /// As [`Shared::bound`].
    pub(crate) async fn bound_of(&self, hash: PlanHash, scope: &ScopeId) -> Result<Arc<Bound>, Error> {
        let unknown = || StoreError::corrupt(format!("{scope} is not a scope of plan {hash}"));
        Ok(self.bound(hash).await?.of_scope(scope).ok_or_else(unknown)?)
    }

    /// How a run began, kept as long as a scope of it is active here.
    pub(crate) async fn begun(&self, run: &RunId) -> Result<Option<Arc<RunStarted>>, Error> {
        if let Some(begun) = lock(&self.begun).get(run).and_then(Weak::upgrade) {
            return Ok(Some(begun));
        }
        let begun = started_of(self, run).await?;
        if let Some(begun) = &begun {
            let mut known = lock(&self.begun);
            if known.len() == known.capacity() {
                known.retain(|_, begun| begun.strong_count() > 0);
            }
            known.insert(run.clone(), Arc::downgrade(begun));
        }
        Ok(begun)
    }

    /// Plans that this program lacks code for.
    pub(crate) fn unservable(&self) -> Vec<MissingCode> {
        let bounds = self.bounds.read().unwrap_or_else(PoisonError::into_inner);
        bounds.values().filter_map(|bound| bound.as_ref().err().cloned()).collect()
    }

    /// What this engine tells of itself now; the same value as before if nothing is new.
    pub(crate) fn about(&self) -> Arc<WorkerInfo> {
        let (serves, lacks) = {
            let bounds = self.bounds.read().unwrap_or_else(PoisonError::into_inner);
            let mut serves: Vec<PlanHash> =
                bounds.iter().filter(|(_, bound)| bound.is_ok()).map(|(plan, _)| *plan).collect();
            serves.sort_unstable();
            let missing = bounds.values().filter_map(|bound| bound.as_ref().err());
            let mut lacks: Vec<(PlanHash, Box<str>)> = missing
                .map(|missing| {
                    (missing.plan, missing.needs.first().map_or_else(Box::default, |need| need.as_str().into()))
                })
                .collect();
            lacks.sort_unstable();
            (serves, lacks)
        };
        let flows: Vec<(Name, PlanHash)> = {
            let flows = self.flows.read().unwrap_or_else(PoisonError::into_inner);
            flows.iter().map(|(name, served)| (name.clone(), served.plan)).collect()
        };
        let mut about = lock(&self.about);
        if (&about.flows, &about.serves, &about.lacks) != (&flows, &serves, &lacks) {
            *about = Arc::new(WorkerInfo { flows, serves, lacks, ..(**about).clone() });
        }
        Arc::clone(&about)
    }

    /// A flow has other code now: its plans are bound again, for whoever asks from now on.
    pub(crate) fn forget_bounds_of(&self, flow: &Name) {
        let is_of = |bound: &Result<Arc<Bound>, MissingCode>| match bound {
            Ok(bound) => bound.plan().flow() == flow,
            Err(missing) => missing.flow == *flow,
        };
        self.bounds.write().unwrap_or_else(PoisonError::into_inner).retain(|_, bound| !is_of(bound));
    }

    /// New code came: plans that could not be served are looked at again.
    pub(crate) fn forget_unservable(&self) {
        self.bounds.write().unwrap_or_else(PoisonError::into_inner).retain(|_, bound| bound.is_ok());
    }

    /// The engine cannot go on: everyone who waits is told why.
    pub(crate) fn break_down(&self, error: &Error) {
        if let (Error::Corrupt { .. }, Some(metrics)) = (error, &self.metrics) {
            metrics.violations.add(1);
        }
        if self.broken.set(error.clone()).is_ok() {
            tracing::error!(code = error.code(), "the engine stops: {error}");
            self.stop();
        }
    }

    /// Ends everything. What is still unanswered is answered by the last turn.
    pub(crate) fn stop(&self) {
        self.draining.turn_off();
        self.stopped.turn_off();
        self.watchers.nudge();
    }

    /// Refuses everything that nobody will send any more.
    pub(crate) fn abandon(&self) {
        // Said before looking: answers that come later are refused where they come in.
        let why = self.turn.over.get_or_init(|| self.why_stopped());
        let mut cells: Vec<Arc<Cell>> = lock(&self.cells).values().cloned().collect();
        cells.append(&mut lock(&self.turn.dirty));
        cells.iter().for_each(|cell| _ = cell.lock().refuse_all(why));
    }

    /// The error that ended the engine, or that it is shutting down.
    pub(crate) fn why_stopped(&self) -> Error {
        self.broken.get().cloned().unwrap_or(Error::ShuttingDown)
    }
}

/// What the clock counts in. Waits are counted from the end of the tick that has begun, so that none is too short.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Random enough for a worker's name: the random tail of a version 7 UUID, mixed with its time.
fn fold_nonce(uuid: u128) -> u64 {
    let bytes = uuid.to_be_bytes();
    let (head, tail) = bytes.split_at(8);
    let number = |part: &[u8]| part.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    number(head).rotate_left(32) ^ number(tail)
}

/// What calls may ask of the engine, without keeping it alive.
struct Link(Weak<Shared>);

impl EngineLink for Link {
    fn cancel(&self, run: &RunId, by: &str, why: &str) {
        let Some(shared) = self.0.upgrade() else { return };
        let input = Input::Cancel { by: by.into(), why: why.into() };
        if let Some(cell) = shared.cell(&ScopeId::root(run.clone())) {
            return cell.tell(&shared, input, None);
        }
        // The call is of an inner scope, and the run's own is with another engine, or with nobody just now.
        let run = run.clone();
        shared.runtime.clone().spawn(async move {
            match until_answered(&shared, || cell_at(&shared, &run, "")).await {
                Ok(cell) => cell.tell(&shared, input, None),
                Err(error) => {
                    tracing::warn!(%run, code = error.code(), "it cannot be cancelled by its own call: {error}")
                }
            }
        });
    }

    fn child(&self, id: RunId, ask: ChildAsk) -> BoxFuture<Result<ChildState, BoxError>> {
        let shared = self.0.upgrade();
        Box::pin(async move {
            let shared = shared.ok_or(Error::ShuttingDown)?;
            Ok(crate::child::child(&shared, id, ask).await?)
        })
    }
}
