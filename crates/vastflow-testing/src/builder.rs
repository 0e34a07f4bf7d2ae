//! Making an engine.

use crate::engine::TestEngine;
use crate::error::Error;
use crate::place::Place;
use crate::rng::seed_from_environment;
use crate::room::{Room, Window};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::{Name, Plan, Timestamp};
use vastflow_sdk::{Atlantic, BoxError, Flow, Library, NameTaken, River};

/// The first of January 2026.
const NEW_YEAR: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// How long a handler may keep a test waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// A [`TestEngine`] to be made.
///
/// ```
/// use vastflow::{Flow, Node, Result};
/// use vastflow_testing::TestEngine;
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
///
/// # fn main() -> Result<()> {
/// let one = Flow::dag("one", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// let two = Flow::dag("two", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// let engine = TestEngine::builder().flow(&one).flow(&two).seed(7).build()?;
/// assert_eq!(engine.seed(), 7);
/// # Ok(()) }
/// ```
#[must_use = "an engine is made by `build`"]
pub struct TestEngineBuilder {
    pub(crate) seed: u64,
    pub(crate) now: Timestamp,
    pub(crate) patience: Duration,
    pub(crate) waits: Vec<Place>,
    pub(crate) library: Library,
    pub(crate) plans: BTreeMap<Name, Arc<Plan>>,
    pub(crate) room: Room,
    error: Option<vastflow_worker::Error>,
}

impl TestEngineBuilder {
    pub(crate) fn new() -> Self {
        TestEngineBuilder {
            seed: seed_from_environment(),
            now: NEW_YEAR,
            patience: PATIENCE,
            waits: Vec::new(),
            library: Library::default(),
            plans: BTreeMap::new(),
            room: Room::default(),
            error: None,
        }
    }

    /// Registers a flow.
    pub fn flow<In, Out>(mut self, flow: &Flow<In, Out>) -> Self {
        let added = self.library.add_flow(flow.name().clone(), Arc::clone(flow.code()));
        self.library.learn_rivers(flow.rivers());
        self.plans.insert(flow.name().clone(), Arc::clone(flow.plan()));
        self.note(added.map_err(vastflow_worker::Error::from))
    }

    /// Registers a river.
    pub fn river<R: River>(mut self) -> Self {
        let added = self.library.register_river::<R>();
        self.note(added.map_err(|error| as_error(&error)))
    }

    /// Registers an Atlantic.
    pub fn atlantic<A: Atlantic>(mut self) -> Self {
        let added = self.library.register_atlantic::<A>();
        self.note(added.map_err(|error| as_error(&error)))
    }

    /// The seed of every choice: which of several ready tasks, answers and words comes next.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What time it is at first.
    pub const fn now(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// How long, by the real clock, a handler may keep a test waiting; 10 s unless said.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The handler at this place waits for something that the test does later, or for its call to be told to stop: the
    /// clock goes on while it runs.
    pub fn waits(mut self, place: impl Into<Place>) -> Self {
        self.waits.push(place.into());
        self
    }

    /// How many calls that queue in a lane may be under way at once. A lane of which nothing is said has no limit here.
    ///
    /// ```
    /// use vastflow::{DurationExt, Flow, Node, Result};
    /// use vastflow_testing::TestEngine;
    ///
    /// async fn render(n: u32) -> Result<u32> { Ok(n) }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let flow = Flow::dag("film", |dag, n: Node<u32>| dag.node("render", render, n).lane("gpu"))?;
    /// let mut engine = TestEngine::builder().flow(&flow).lane("gpu", 1).build()?;
    /// let runs = [engine.start(&flow, 1)?, engine.start(&flow, 2)?];
    /// engine.run_out().await?;
    /// assert_eq!((engine.output(&runs[0])?, engine.output(&runs[1])?), (1, 2));
    /// # Ok(()) }
    /// ```
    pub fn lane(mut self, lane: &str, calls: usize) -> Self {
        match Name::new(lane) {
            Ok(lane) => _ = self.room.lanes.insert(lane, calls),
            Err(error) => self = self.note(Err(error.into())),
        }
        self
    }

    /// How many runs of all flows together may be in flight at once; the others wait in line, the first first.
    pub fn window(mut self, runs: usize) -> Self {
        self.room.windows.push(Window { flow: None, by_key: false, runs });
        self
    }

    /// How many runs of one flow may be in flight at once.
    pub fn flow_window(self, flow: &str, runs: usize) -> Self {
        self.window_of(flow, false, runs)
    }

    /// How many runs of one flow with the same key may be in flight at once.
    pub fn key_window(self, flow: &str, runs: usize) -> Self {
        self.window_of(flow, true, runs)
    }

    fn window_of(mut self, flow: &str, by_key: bool, runs: usize) -> Self {
        match Name::new(flow) {
            Ok(flow) => self.room.windows.push(Window { flow: Some(flow), by_key, runs }),
            Err(error) => self = self.note(Err(error.into())),
        }
        self
    }

    /// Makes it.
    ///
    /// # Errors
    /// A name that is used twice, or is not valid.
    pub fn build(mut self) -> Result<TestEngine, Error> {
        match self.error.take() {
            Some(error) => Err(error.into()),
            None => Ok(TestEngine::from_builder(self)),
        }
    }

    fn note(mut self, added: Result<(), vastflow_worker::Error>) -> Self {
        if let Err(error) = added {
            self.error.get_or_insert(error);
        }
        self
    }
}

fn as_error(error: &BoxError) -> vastflow_worker::Error {
    match error.downcast_ref::<NameTaken>() {
        Some(taken) => taken.clone().into(),
        None => vastflow_worker::Error::Setting(error.to_string()),
    }
}

impl fmt::Debug for TestEngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestEngineBuilder(seed {})", self.seed)
    }
}
