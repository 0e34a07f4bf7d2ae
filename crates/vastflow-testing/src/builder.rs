//! Making an engine.

use crate::engine::TestEngine;
use crate::error::Error;
use crate::place::Place;
use crate::rng::seed_from_environment;
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

    /// Makes it.
    ///
    /// # Errors
    /// A name that is used twice.
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
