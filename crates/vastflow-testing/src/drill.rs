//! Drills: a run again and again, each time with another thing that goes wrong.

use crate::builder::TestEngineBuilder;
use crate::engine::{Moment, TestEngine};
use crate::error::{Error, What};
use crate::fault::Fault;
use crate::history::History;
use crate::place::Place;
use crate::rng::seed_from_environment;
use crate::runs::TestRun;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use vastflow_core::view::RunView;
use vastflow_core::{Payload, RunStatus};
use vastflow_sdk::{Data, DataError, Flow};

/// How many failed trials an error tells of.
const TOLD: usize = 5;

/// What a drill runs: a flow, or a function that makes one together with the world that it acts on. A drill makes a
/// new world for every trial.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// use vastflow::{BoxError, Flow, Node, Result};
/// use vastflow_testing::repeat_each_node;
///
/// fn counted() -> (Flow<u32, u32>, Arc<AtomicU32>) {
///     let calls = Arc::new(AtomicU32::new(0));
///     let count = Arc::clone(&calls);
///     let add = move |n: u32| { count.fetch_add(1, Ordering::Relaxed); async move { Ok::<_, BoxError>(n + 1) } };
///     (Flow::dag("add", |dag, n: Node<u32>| dag.node("add", add, n)).unwrap(), calls)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// repeat_each_node(counted, 1, |end| assert_eq!(end.world().load(Ordering::Relaxed), 2)).await?;
/// # Ok(()) }
/// ```
pub trait Stage {
    /// What the flow takes.
    type In: Data;
    /// What it gives.
    type Out: Data;
    /// What it acts on.
    type World;

    /// Makes the flow and its world.
    fn set(&self) -> (Flow<Self::In, Self::Out>, Self::World);
}

impl<In: Data, Out: Data> Stage for &Flow<In, Out> {
    type In = In;
    type Out = Out;
    type World = ();

    fn set(&self) -> (Flow<In, Out>, ()) {
        ((*self).clone(), ())
    }
}

impl<F, In: Data, Out: Data, World> Stage for F
where
    F: Fn() -> (Flow<In, Out>, World),
{
    type In = In;
    type Out = Out;
    type World = World;

    fn set(&self) -> (Flow<In, Out>, World) {
        self()
    }
}

/// How a trial ended: what a check looks at.
///
/// ```
/// # use vastflow::{Flow, Node, Result};
/// # use vastflow_testing::{End, crash_at_every_commit};
/// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
/// fn check(end: &End<(), u32>) {
///     assert_eq!(end.output().unwrap(), 42);
///     assert!(end.trial().starts_with("crash "));
///     assert!((1..=2).contains(&end.calls("double")));
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// crash_at_every_commit(&flow, 21, check).await?;
/// # Ok(()) }
/// ```
pub struct End<World, Out> {
    world: World,
    trial: String,
    engine: TestEngine,
    run: TestRun<Out>,
}

impl<World, Out: Data> End<World, Out> {
    /// What the flow acted on.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// What went wrong: `hotel fails`, `crash before commit 3 (NodeSucceeded of hotel)`.
    #[must_use]
    pub fn trial(&self) -> &str {
        &self.trial
    }

    /// What the run gave, or why it gave nothing.
    ///
    /// # Errors
    /// As [`TestEngine::output`].
    pub fn output(&self) -> Result<Out, Error> {
        self.engine.output(&self.run)
    }

    /// Where the run stands: at its end, or where only a signal or an operator can help it.
    ///
    /// # Errors
    /// Never: the run is there.
    pub fn status(&self) -> Result<RunStatus, Error> {
        self.engine.status(&self.run)
    }

    /// How often code was called at a place.
    #[must_use]
    pub fn calls(&self, place: impl Into<Place>) -> usize {
        self.engine.calls(place)
    }

    /// The run to look at.
    ///
    /// # Errors
    /// Never: the run is there.
    pub fn view(&self) -> Result<RunView, Error> {
        self.engine.view(&self.run)
    }

    /// All that is recorded.
    ///
    /// # Errors
    /// Never: the run is there.
    pub fn history(&self) -> Result<History, Error> {
        self.engine.history(&self.run)
    }

    /// The engine, for all else.
    #[must_use]
    pub const fn engine(&self) -> &TestEngine {
        &self.engine
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> &TestRun<Out> {
        &self.run
    }
}

impl<World, Out> fmt::Debug for End<World, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "End({})", self.trial)
    }
}

/// How many trials went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Trials.
    pub trials: usize,
}

/// A drill with settings. Without any, [`fail_each_node`], [`repeat_each_node`] and [`crash_at_every_commit`] are
/// shorter.
///
/// ```
/// use vastflow::{Flow, Node, Result};
/// use vastflow_testing::Drill;
///
/// async fn pay((cents, by): (u32, String)) -> Result<String> { Ok(format!("{by} paid {cents}")) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let flow = Flow::dag("approval", |dag, cents: Node<u32>| {
///     let by: Node<String> = dag.wait_signal("approved", cents);
///     dag.node("pay", pay, (cents, by))
/// })?;
/// let drill = Drill::new(&flow, 700)?.signal("approved", &"Ann".to_owned())?.seeds(1..=3);
/// let tally = drill.crash_at_every_commit(|end| assert_eq!(end.output().unwrap(), "Ann paid 700")).await?;
/// assert!(tally.trials > 3 * 2);
/// # Ok(()) }
/// ```
#[must_use = "a drill does something when one of its methods is awaited"]
pub struct Drill<S: Stage> {
    stage: S,
    input: Payload,
    seeds: Vec<u64>,
    context: Vec<(String, Payload)>,
    signals: Vec<(String, Payload)>,
    settings: Box<dyn Fn(TestEngineBuilder) -> TestEngineBuilder>,
}

impl<S: Stage> Drill<S> {
    /// A drill of a flow with this input.
    ///
    /// # Errors
    /// When the input cannot be written.
    pub fn new(stage: S, input: S::In) -> Result<Self, Error> {
        let input = input.encode().map_err(in_engine)?;
        let seeds = vec![seed_from_environment()];
        let settings = Box::new(|builder| builder);
        Ok(Drill { stage, input, seeds, context: Vec::new(), signals: Vec::new(), settings })
    }

    /// Every trial is made once with each of these seeds.
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = u64>) -> Self {
        self.seeds = seeds.into_iter().collect();
        self
    }

    /// The run starts with this in its shared data, as rivers do.
    ///
    /// # Errors
    /// When the value cannot be written.
    pub fn put<T: Data>(mut self, key: &str, value: &T) -> Result<Self, Error> {
        self.context.push((key.to_owned(), value.encode().map_err(in_engine)?));
        Ok(self)
    }

    /// The run is sent this signal when it has started; it waits until a node asks for it.
    ///
    /// # Errors
    /// When the value cannot be written.
    pub fn signal<T: Data>(mut self, name: &str, value: &T) -> Result<Self, Error> {
        self.signals.push((name.to_owned(), value.encode().map_err(in_engine)?));
        Ok(self)
    }

    /// The engine of every trial is made with these settings: rivers, patience.
    pub fn engine(mut self, settings: impl Fn(TestEngineBuilder) -> TestEngineBuilder + 'static) -> Self {
        self.settings = Box::new(settings);
        self
    }

    /// As the function [`fail_each_node`].
    ///
    /// # Errors
    /// What the failed trials said.
    pub async fn fail_each_node(&self, check: impl Fn(&End<S::World, S::Out>)) -> Result<Tally, Error> {
        let mut book = Book::default();
        for &seed in &self.seeds {
            for place in self.places(seed).await?.into_iter().filter(Place::is_work) {
                let name = format!("{place} fails");
                let inject =
                    |engine: &mut TestEngine| engine.inject(place, Fault::fail("it fails on purpose").always());
                book.note(&name, seed, self.trial(seed, &name, inject, Some(&check)).await);
            }
        }
        book.close()
    }

    /// As the function [`repeat_each_node`].
    ///
    /// # Errors
    /// What the failed trials said.
    pub async fn repeat_each_node(&self, check: impl Fn(&End<S::World, S::Out>)) -> Result<Tally, Error> {
        let mut book = Book::default();
        for &seed in &self.seeds {
            for place in self.places(seed).await? {
                let name = format!("{place} runs twice");
                let inject = |engine: &mut TestEngine| engine.inject(place, Fault::twice());
                book.note(&name, seed, self.trial(seed, &name, inject, Some(&check)).await);
            }
        }
        book.close()
    }

    /// As the function [`crash_at_every_commit`].
    ///
    /// # Errors
    /// What the failed trials said.
    pub async fn crash_at_every_commit(&self, check: impl Fn(&End<S::World, S::Out>)) -> Result<Tally, Error> {
        let mut book = Book::default();
        for &seed in &self.seeds {
            let log = self.untroubled(seed).await?.engine.commit_log().to_vec();
            for (at, what) in (1_u64..).zip(&log) {
                for (moment, word) in [(Moment::Before, "before"), (Moment::After, "after")] {
                    let name = format!("crash {word} commit {at} ({what})");
                    let crash = |engine: &mut TestEngine| engine.crash_at(at, moment);
                    book.note(&name, seed, self.trial(seed, &name, crash, Some(&check)).await);
                }
            }
        }
        book.close()
    }

    /// The places at which a run calls code when nothing goes wrong, each once, however many items there are.
    async fn places(&self, seed: u64) -> Result<Vec<Place>, Error> {
        let end = self.untroubled(seed).await?;
        let mut places = BTreeMap::new();
        for place in end.engine.called() {
            places.entry(place.in_any_item()).or_insert_with(|| place.clone());
        }
        Ok(places.into_values().collect())
    }

    async fn untroubled(&self, seed: u64) -> Result<End<S::World, S::Out>, Error> {
        self.trial(seed, "nothing goes wrong", |_| {}, None::<&fn(&End<S::World, S::Out>)>).await
    }

    async fn trial(
        &self,
        seed: u64,
        name: &str,
        trouble: impl FnOnce(&mut TestEngine),
        check: Option<&impl Fn(&End<S::World, S::Out>)>,
    ) -> Result<End<S::World, S::Out>, Error> {
        let (flow, world) = self.stage.set();
        let mut engine = (self.settings)(TestEngine::builder().seed(seed).flow(&flow)).build()?;
        trouble(&mut engine);
        let starting = engine.run_payload(flow.name(), Ok(self.input.clone()));
        let starting = self.context.iter().fold(starting, |run, (key, value)| run.put_payload(key, Ok(value.clone())));
        let run = starting.start()?;
        for (name, value) in &self.signals {
            engine.signal_payload(&run, name, value.clone())?;
        }
        engine.run_out().await?;
        let end = End { world, trial: name.to_owned(), engine, run };
        if let Some(check) = check {
            let checked = catch_unwind(AssertUnwindSafe(|| check(&end)));
            if let Err(panic) = checked {
                let what = format!("{}\n{}", text_of(&*panic), end.view()?);
                return Err(end.engine.fail(What::Drill(what)));
            }
        }
        Ok(end)
    }
}

impl<S: Stage> fmt::Debug for Drill<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drill(seeds {:?})", self.seeds)
    }
}

/// Runs a flow once for every node that it calls, and lets that node fail, with all its retries; then looks at the end.
/// What a check is for: that nothing that was done is left behind.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use vastflow::{BoxError, Flow, Node, Result};
/// use vastflow_testing::fail_each_node;
///
/// type Rooms = Arc<Mutex<Vec<u32>>>;
///
/// /// Books a room, which is given back if the payment fails.
/// fn trip() -> (Flow<u32, u32>, Rooms) {
///     let rooms = Rooms::default();
///     let (booked, freed) = (Arc::clone(&rooms), Arc::clone(&rooms));
///     let book = move |room: u32| { booked.lock().unwrap().push(room); async move { Ok::<_, BoxError>(room) } };
///     let free = move |room: Option<u32>| { freed.lock().unwrap().retain(|r| Some(*r) != room); async { Ok::<_, BoxError>(()) } };
///     let flow = Flow::dag("trip", |dag, room: Node<u32>| {
///         let booked = dag.node("book", book, room).undo(free);
///         dag.node("pay", |room: u32| async move { Ok::<_, BoxError>(room) }, booked)
///     });
///     (flow.unwrap(), rooms)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let tally = fail_each_node(trip, 7, |end| assert!(end.world().lock().unwrap().is_empty())).await?;
/// assert_eq!(tally.trials, 2);
/// # Ok(()) }
/// ```
///
/// # Errors
/// What the failed trials said, with the seed that repeats them.
pub async fn fail_each_node<S: Stage>(
    stage: S,
    input: S::In,
    check: impl Fn(&End<S::World, S::Out>),
) -> Result<Tally, Error> {
    Drill::new(stage, input)?.fail_each_node(check).await
}

/// Runs a flow once for every piece of code that it calls, hooks and undo actions included, and calls that twice, as it
/// happens when a worker is taken for dead; then looks at the end. What a check is for: that it makes no difference.
///
/// ```
/// use vastflow::{Flow, Node, Result};
/// use vastflow_testing::repeat_each_node;
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// repeat_each_node(&flow, 21, |end| {
///     assert_eq!(end.output().unwrap(), 42);
///     assert_eq!(end.calls("double"), 2);
/// }).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// What the failed trials said, with the seed that repeats them.
pub async fn repeat_each_node<S: Stage>(
    stage: S,
    input: S::In,
    check: impl Fn(&End<S::World, S::Out>),
) -> Result<Tally, Error> {
    Drill::new(stage, input)?.repeat_each_node(check).await
}

/// Runs a flow twice for every commit of it: the process dies just before, then just after the commit takes effect, and
/// another one goes on with what is recorded; then looks at the end. What a check is for: that it makes no difference.
///
/// ```
/// use vastflow::{Flow, Node, Result};
/// use vastflow_testing::crash_at_every_commit;
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// let tally = crash_at_every_commit(&flow, 21, |end| assert_eq!(end.output().unwrap(), 42)).await?;
/// assert_eq!(tally.trials, 4); // before and after the start, before and after the node's end
/// # Ok(()) }
/// ```
///
/// # Errors
/// What the failed trials said, with the seed that repeats them.
pub async fn crash_at_every_commit<S: Stage>(
    stage: S,
    input: S::In,
    check: impl Fn(&End<S::World, S::Out>),
) -> Result<Tally, Error> {
    Drill::new(stage, input)?.crash_at_every_commit(check).await
}

/// What came of all trials.
#[derive(Default)]
struct Book {
    trials: usize,
    failed: Vec<(String, u64, Error)>,
}

impl Book {
    fn note<T>(&mut self, name: &str, seed: u64, ended: Result<T, Error>) {
        self.trials += 1;
        if let Err(error) = ended {
            self.failed.push((name.to_owned(), seed, error));
        }
    }

    fn close(self) -> Result<Tally, Error> {
        let Book { trials, failed } = self;
        let Some((_, seed, _)) = failed.first() else { return Ok(Tally { trials }) };
        let mut text = format!("{} of {trials} trials failed:", failed.len());
        for (name, _, error) in failed.iter().take(TOLD) {
            text.push_str(&format!("\n{name}: {}", error.to_string().replace('\n', "\n    ")));
        }
        if failed.len() > TOLD {
            text.push_str(&format!("\nand {} more", failed.len() - TOLD));
        }
        Err(Error::new(What::Drill(text), *seed))
    }
}

fn in_engine(error: DataError) -> Error {
    vastflow_worker::Error::from(error).into()
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "the check panicked".into())
}
