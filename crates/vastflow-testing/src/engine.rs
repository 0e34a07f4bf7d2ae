//! The engine of tests: runs flows by a virtual clock, one step at a time, in an order that a seed repeats.

use crate::builder::TestEngineBuilder;
use crate::calls::{Begin, Call, Calls};
use crate::error::{Error, What};
use crate::fault::{Fault, Faults, Kind};
use crate::life::{Life, Told};
use crate::place::Place;
use crate::rng::Rng;
use crate::room::Room;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vastflow_core::run::{Input, Rejection, TaskOutcome};
use vastflow_core::{Name, Plan, PlanHash, RunId, Task, Timestamp};
use vastflow_sdk::{Bound, EngineLink, Flow, Library};
use vastflow_worker::tree::{At, Called, Surroundings};

/// More steps than this without the clock moving are a circle.
const ENDLESS: u64 = 1_000_000;

/// Runs flows by a virtual clock, without a store, in this process. See the [crate's documentation](crate).
///
/// ```
/// use vastflow::{DurationExt, Flow, Node, Result};
/// use vastflow_testing::TestEngine;
///
/// async fn remind(n: u32) -> Result<String> { Ok(format!("{n} days are over")) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let flow = Flow::dag("reminder", |dag, n: Node<u32>| {
///     let later = dag.sleep("wait", 30.days(), n);
///     dag.node("remind", remind, later)
/// })?;
/// let mut engine = TestEngine::new(&flow)?;
/// let run = engine.start(&flow, 30)?;
/// engine.advance(29.days()).await?;
/// assert_eq!(engine.calls("remind"), 0);
/// engine.advance(1.days()).await?;
/// assert_eq!(engine.output(&run)?, "30 days are over");
/// # Ok(()) }
/// ```
pub struct TestEngine {
    pub(crate) seed: u64,
    pub(crate) rng: Rng,
    pub(crate) now: Timestamp,
    pub(crate) patience: Duration,
    pub(crate) waits: Vec<Place>,
    pub(crate) library: Library,
    pub(crate) plans: BTreeMap<Name, Arc<Plan>>,
    pub(crate) room: Room,
    pub(crate) lives: Vec<Life>,
    by_id: BTreeMap<RunId, usize>,
    faults: Faults,
    crash_at: Option<(u64, Moment)>,
    /// What each commit recorded, in a few words.
    commits: Vec<String>,
    crashes: u32,
    calls: Calls,
    called: Vec<Place>,
    wishes: Arc<Wishes>,
    link: Arc<dyn EngineLink>,
}

/// Before or after a commit took effect.
///
/// ```
/// # use vastflow::{DurationExt, Flow, Node, Result};
/// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
/// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
/// let mut engine = TestEngine::new(&flow)?;
/// engine.crash_at(2, Moment::Before);
/// let run = engine.start(&flow, 21)?; // the first commit
/// engine.run_to_end(&run).await?;
/// assert_eq!((engine.output(&run)?, engine.crashes()), (42, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Before: what was to be recorded is lost.
    Before,
    /// After: it is recorded, and nothing that follows from it has begun.
    After,
}

/// What can be done next.
#[derive(Clone, Copy, Debug)]
enum Move {
    Admit(usize),
    Begin(usize, At, Task),
    Timer(usize, At, Task),
    Words(usize, At),
    Answer(usize),
}

/// How telling a run something went.
pub(crate) enum Went {
    Recorded,
    Rejected(Rejection),
    /// The process died before it was recorded.
    Lost,
}

/// What calls ask of the engine.
#[derive(Debug, Default)]
struct Wishes(Mutex<Vec<(RunId, String, String)>>);

impl EngineLink for Wishes {
    fn cancel(&self, run: &RunId, by: &str, why: &str) {
        let mut wishes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wishes.push((run.clone(), by.to_owned(), why.to_owned()));
    }
}

impl TestEngine {
    /// An engine that has one flow, with the seed that the environment variable `VASTFLOW_SEED` says, else 1.
    ///
    /// # Errors
    /// As [`TestEngineBuilder::build`].
    pub fn new<In, Out>(flow: &Flow<In, Out>) -> Result<Self, Error> {
        TestEngine::builder().flow(flow).build()
    }

    /// An engine with several flows, with rivers, or with settings of its own.
    pub fn builder() -> TestEngineBuilder {
        TestEngineBuilder::new()
    }

    pub(crate) fn from_builder(builder: TestEngineBuilder) -> Self {
        let wishes = Arc::new(Wishes::default());
        TestEngine {
            seed: builder.seed,
            rng: Rng::new(builder.seed),
            now: builder.now,
            patience: builder.patience,
            waits: builder.waits,
            library: builder.library,
            plans: builder.plans,
            room: builder.room,
            lives: Vec::new(),
            by_id: BTreeMap::new(),
            faults: Faults::default(),
            crash_at: None,
            commits: Vec::new(),
            crashes: 0,
            calls: Calls::default(),
            called: Vec::new(),
            link: Arc::clone(&wishes) as Arc<dyn EngineLink>,
            wishes,
        }
    }

    /// What time it is, by the virtual clock. It begins on the first of January 2026.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The seed that repeats everything.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Lets something go wrong with the next calls at a place. Faults of one place happen in the order in which they were
    /// injected.
    ///
    /// ```
    /// # use vastflow::{DurationExt, Flow, Node, Result};
    /// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// engine.inject("double", Fault::crash_before());
    /// engine.inject("double", Fault::panic("oops"));
    /// let run = engine.start(&flow, 21)?;
    /// engine.run_to_end(&run).await?;
    /// assert!(engine.output(&run).unwrap_err().to_string().contains("oops"));
    /// assert_eq!(engine.faults_fired(), 2);
    /// # Ok(()) }
    /// ```
    pub fn inject(&mut self, place: impl Into<Place>, fault: Fault) {
        self.faults.add(place.into(), fault);
    }

    /// How many calls met a fault: a test that injects some should look at it.
    #[must_use]
    pub fn faults_fired(&self) -> u32 {
        self.faults.fired()
    }

    /// Lets the process die at the commit with this number, counted from 1 over the engine's whole life.
    pub const fn crash_at(&mut self, commit: u64, moment: Moment) {
        self.crash_at = Some((commit, moment));
    }

    /// The process dies, and another one goes on: what is recorded is read again; calls under way are lost, and made
    /// again.
    ///
    /// ```
    /// # use vastflow::{DurationExt, Flow, Node, Result};
    /// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// let run = engine.start(&flow, 21)?;
    /// engine.advance(3.hours()).await?;
    /// engine.crash()?;
    /// engine.advance(21.hours()).await?; // it slept on meanwhile
    /// assert_eq!(engine.output(&run)?, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// What is recorded makes no sense, which is a bug.
    pub fn crash(&mut self) -> Result<(), Error> {
        self.crashes += 1;
        // Dropping it ends the calls.
        self.calls = Calls::default();
        self.take_wishes();
        let crashed = self.lives.iter_mut().try_for_each(Life::crash);
        crashed.map_err(|why| self.law(why))
    }

    /// How often the process died.
    #[must_use]
    pub const fn crashes(&self) -> u32 {
        self.crashes
    }

    /// How many commits were made: each is one atomic step of one scope.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.len() as u64
    }

    /// How often code was called at a place, by all runs and all attempts, also when a fault answered in its place.
    ///
    /// ```
    /// # use vastflow::{DurationExt, Flow, Node, Result};
    /// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// let run = engine.start(&flow, 21)?;
    /// engine.run_to_end(&run).await?;
    /// assert_eq!((engine.calls("double"), engine.calls(Place::undo("double"))), (1, 0));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn calls(&self, place: impl Into<Place>) -> usize {
        let place = place.into();
        self.called.iter().filter(|called| place.means(called)).count()
    }

    /// The places at which code was called, in order.
    pub(crate) fn called(&self) -> &[Place] {
        &self.called
    }

    /// What each commit recorded, in a few words.
    pub(crate) fn commit_log(&self) -> &[String] {
        &self.commits
    }

    /// Does all that can be done without time passing. Handlers run, and those that wait for something real are waited
    /// for.
    ///
    /// # Errors
    /// A broken law; a handler that does not answer; something that begins again and again.
    pub async fn run_until_idle(&mut self) -> Result<(), Error> {
        let mut steps = 0;
        loop {
            self.grant_wishes()?;
            let (moves, is_last) = self.moves();
            if let Some(next) = moves.get(self.rng.below(moves.len())) {
                self.make(*next, is_last || moves.len() == 1).await?;
            } else if !self.calls.glance(self.now).await {
                return Ok(());
            }
            steps += 1;
            if steps > ENDLESS {
                return Err(self.fail(What::Endless(ENDLESS)));
            }
        }
    }

    /// Lets time pass: every sleep, retry, poll and deadline on the way comes at its own time, in order.
    ///
    /// ```
    /// # use vastflow::{DurationExt, Flow, Node, Result};
    /// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// let run = engine.start(&flow, 21)?;
    /// engine.advance(23.hours()).await?;
    /// assert_eq!(engine.output(&run).unwrap_err().code(), "run-not-ended");
    /// engine.advance(1.hours()).await?;
    /// assert_eq!(engine.output(&run)?, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`TestEngine::run_until_idle`].
    pub async fn advance(&mut self, time: Duration) -> Result<(), Error> {
        let end = self.now.plus(time);
        self.run_until_idle().await?;
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.run_until_idle().await?;
        }
        self.now = end;
        Ok(())
    }

    /// Lets time pass until nothing is left that time alone would bring.
    ///
    /// ```
    /// # use vastflow::{DurationExt, Flow, Node, Result};
    /// # use vastflow_testing::{Fault, Moment, Place, TestEngine};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, dag.sleep("wait", 1.days(), n)))?;
    /// let mut engine = TestEngine::new(&flow)?;
    /// let runs = [engine.start(&flow, 1)?, engine.start(&flow, 2)?];
    /// engine.run_out().await?;
    /// assert_eq!((engine.output(&runs[0])?, engine.output(&runs[1])?), (2, 4));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`TestEngine::run_until_idle`].
    pub async fn run_out(&mut self) -> Result<(), Error> {
        self.run_until_idle().await?;
        while self.pass().await? {}
        Ok(())
    }

    /// Lets time pass until something comes by itself, if anything does.
    pub(crate) async fn pass(&mut self) -> Result<bool, Error> {
        let Some(due) = self.next_due() else { return Ok(false) };
        self.now = due.max(self.now);
        self.run_until_idle().await?;
        Ok(true)
    }

    /// When something comes by itself: a due task, or the answer or the time limit of a call.
    fn next_due(&self) -> Option<Timestamp> {
        let tasks = self.lives.iter().enumerate().filter(|(_, life)| !life.is_held()).flat_map(|(run, life)| {
            let of_scope = move |at: At| life.tasks(at).filter(move |(task, _)| !self.calls.has(run, at, *task));
            life.memory.tree.all().flat_map(of_scope).map(|(_, due)| due)
        });
        // What was due before has begun, or waits for room.
        let tasks = tasks.filter(|due| *due > self.now);
        tasks.chain(self.calls.next_due()).min()
    }

    /// All that can be done now; and whether that is only to wait for calls that seem to wait for others.
    fn moves(&self) -> (Vec<Move>, bool) {
        let (answers, last) = self.calls.answers(self.now);
        let mut moves: Vec<Move> = answers.into_iter().map(Move::Answer).collect();
        for (run, life) in self.lives.iter().enumerate().filter(|(_, life)| !life.is_held()) {
            for at in life.memory.tree.all() {
                if life.words_for(at) > 0 {
                    moves.push(Move::Words(run, at));
                }
                let due = life.tasks(at).filter(|(_, due)| *due <= self.now).map(|(task, _)| task);
                let idle = due.filter(|task| *task != Task::Admit && !self.calls.has(run, at, *task));
                let idle = idle.filter(|task| self.has_room_for(run, at, *task));
                moves.extend(idle.map(|task| match task.is_timer() {
                    true => Move::Timer(run, at, task),
                    false => Move::Begin(run, at, task),
                }));
            }
        }
        moves.extend(self.room.next_in_line(&self.lives).map(Move::Admit));
        match moves.is_empty() {
            true => (last.into_iter().map(Move::Answer).collect(), true),
            false => (moves, false),
        }
    }

    /// Whether a call may be made: of those that queue in its lane not too many are under way.
    fn has_room_for(&self, run: usize, at: At, task: Task) -> bool {
        let Some(lane) = self.lane_of(run, at, task) else { return true };
        let Some(room) = self.room.lanes.get(lane) else { return true };
        let under_way = self.calls.under_way().filter(|(run, at, task)| self.lane_of(*run, *at, *task) == Some(lane));
        under_way.count() < *room
    }

    fn lane_of(&self, run: usize, at: At, task: Task) -> Option<&Name> {
        let life = &self.lives[run];
        life.state().started()?.info.lane_of(life.memory.tree.bound(at).plan(), task)
    }

    /// Makes a move; `only` says that nothing else can be done.
    async fn make(&mut self, next: Move, only: bool) -> Result<(), Error> {
        match next {
            Move::Admit(run) => self.tell(run, At::ROOT, Input::Admit).map(drop),
            Move::Timer(run, at, task) => self.tell(run, at, Input::Timer(task)).map(drop),
            Move::Begin(run, at, task) => self.begin(run, at, task).await,
            Move::Answer(number) => {
                if !self.wait_for(number, only).await? {
                    return Ok(());
                }
                let (call, outcome) = self.calls.take(number, self.now);
                self.answer(call, outcome).await
            }
            Move::Words(..) if self.dies_before() => self.lose().map(drop),
            Move::Words(run, at) => {
                let count = 1 + self.rng.below(self.lives[run].words_for(at));
                self.commit(run, at, |life, now| life.deliver(at, count, now)).map(drop)
            }
        }
    }

    async fn begin(&mut self, run: usize, at: At, task: Task) -> Result<(), Error> {
        if self.lives[run].rides_since_before(at, task) {
            let went = if self.dies_before() { self.lose() } else { self.commit(run, at, |life, _| life.flush(at)) };
            return went.map(drop);
        }
        let life = &self.lives[run];
        let tree = &life.memory.tree;
        let bound = Arc::clone(tree.bound(at));
        if !tree.state(at).may_start(bound.plan(), task) {
            return self.tell(run, at, Input::NotStarted(task)).map(drop);
        }
        let temporary = life.memory.temporary.of(&life.id);
        let ctx = tree.ctx(at, task, Surroundings { temporary, engine: &self.link, now: self.now });
        let (place, limit) = (Place::of(tree.id(at), bound.plan(), task), tree.limit(at, task));
        let fault = self.faults.take(&place);
        let waits = self.waits.iter().any(|waits| waits.means(&place));
        self.called.push(place.clone());
        let begin = Begin { run, at, task, place, ctx: ctx.clone(), fault, limit, waits, now: self.now };
        let called = || Called::begin(&bound, &ctx, task);
        self.calls.begin(begin, called, |failure| bound.may_retry(task, failure)).await;
        Ok(())
    }

    async fn answer(&mut self, call: Call, outcome: TaskOutcome) -> Result<(), Error> {
        let Call { run, at, task, place, fault, .. } = call;
        match fault {
            Some(Kind::CrashBefore) => self.crash(),
            Some(Kind::CrashAfter) => {
                self.tell(run, at, Input::Outcome(outcome))?;
                self.crash()
            }
            Some(Kind::Twice) => self.again(run, at, task, &place).await,
            _ => self.tell(run, at, Input::Outcome(outcome)).map(drop),
        }
    }

    async fn wait_for(&mut self, number: usize, only: bool) -> Result<bool, Error> {
        let ended = self.calls.wait_for(number, only, self.patience, self.now).await;
        ended.map_err(|what| self.fail(what))
    }

    /// Makes a call again that has ended, and delivers what comes of it twice.
    async fn again(&mut self, run: usize, at: At, task: Task, place: &Place) -> Result<(), Error> {
        // It may have become needless meanwhile.
        if !self.lives[run].memory.tree.state(at).expects(task) {
            return Ok(());
        }
        self.begin(run, at, task).await?;
        let Some(number) = self.calls.number_of(run, at, task) else { return Ok(()) };
        if !self.wait_for(number, true).await? {
            // It answers later: as any other call then.
            return Ok(());
        }
        let (_, outcome) = self.calls.take(number, self.now);
        self.tell(run, at, Input::Outcome(outcome.clone()))?;
        match self.tell(run, at, Input::Outcome(outcome))? {
            Went::Recorded => Err(self.law(format!("an answer of {place} was recorded twice"))),
            Went::Rejected(_) | Went::Lost => Ok(()),
        }
    }

    /// Tells a scope of a run something.
    pub(crate) fn tell(&mut self, run: usize, at: At, input: Input) -> Result<Went, Error> {
        let life = &self.lives[run];
        // An engine that has no slot for what follows records it at once.
        let may_ride = life.could_ride(at, &input) && self.rng.below(4) > 0;
        if self.dies_before() && life.would_record(at, &input, may_ride, self.now) {
            return self.lose();
        }
        self.commit(run, at, |life, now| life.tell(at, input, may_ride, now))
    }

    fn dies_before(&self) -> bool {
        self.crash_at == Some((self.commits() + 1, Moment::Before))
    }

    /// Dies before what is told is recorded.
    fn lose(&mut self) -> Result<Went, Error> {
        self.crash_at = None;
        self.crash()?;
        Ok(Went::Lost)
    }

    fn commit(
        &mut self,
        run: usize,
        at: At,
        step: impl FnOnce(&mut Life, Timestamp) -> Result<Told, String>,
    ) -> Result<Went, Error> {
        let told = step(&mut self.lives[run], self.now).map_err(|why| self.law(why))?;
        match told {
            Told::Rejected(rejection) => Ok(Went::Rejected(rejection)),
            Told::Rides(cancelled) => {
                self.cancel_calls(run, at, cancelled);
                Ok(Went::Recorded)
            }
            Told::Recorded { what, cancelled } => {
                self.commits.push(what);
                self.cancel_calls(run, at, cancelled);
                if self.crash_at == Some((self.commits(), Moment::After)) {
                    self.crash_at = None;
                    self.crash()?;
                }
                Ok(Went::Recorded)
            }
        }
    }

    fn cancel_calls(&mut self, run: usize, at: At, tasks: Vec<Task>) {
        let outcome = self.lives[run].memory.tree.state(at).outcome();
        tasks.into_iter().for_each(|task| self.calls.cancel(run, at, task, outcome.clone()));
    }

    /// Does what calls asked for.
    fn grant_wishes(&mut self) -> Result<(), Error> {
        for (id, by, why) in self.take_wishes() {
            if let Some(run) = self.by_id.get(&id).copied() {
                self.tell(run, At::ROOT, Input::Cancel { by: by.into(), why: why.into() })?;
            }
        }
        Ok(())
    }

    fn take_wishes(&self) -> Vec<(RunId, String, String)> {
        std::mem::take(&mut *self.wishes.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The run with this id.
    pub(crate) fn find(&self, id: &RunId) -> Result<usize, Error> {
        let found = self.by_id.get(id).copied();
        found.ok_or_else(|| self.fail(vastflow_worker::Error::UnknownRun { id: id.clone() }))
    }

    pub(crate) fn admit(&mut self, life: Life) -> usize {
        let run = self.lives.len();
        self.by_id.insert(life.id.clone(), run);
        self.lives.push(life);
        run
    }

    pub(crate) fn known(&self, id: &RunId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// A plan with its code.
    pub(crate) fn bind(&self, plan: &Arc<Plan>) -> Result<Arc<Bound>, Error> {
        let hash: PlanHash = plan.hash();
        if let Some(known) = self.lives.iter().find(|life| life.bound.plan().hash() == hash) {
            return Ok(Arc::clone(&known.bound));
        }
        let bound = self.library.bind(plan).map(Arc::new);
        bound.map_err(|missing| self.fail(vastflow_worker::Error::from(missing)))
    }

    /// What a real engine would answer.
    pub(crate) fn refuse(&self, error: impl Into<vastflow_worker::Error>) -> Error {
        Error::new(error.into(), self.seed)
    }

    pub(crate) fn fail(&self, what: impl Into<What>) -> Error {
        Error::new(what, self.seed)
    }

    fn law(&self, why: String) -> Error {
        self.fail(What::Law(why))
    }
}

impl fmt::Debug for TestEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestEngine(seed {}, {} runs, {} commits)", self.seed, self.lives.len(), self.commits())
    }
}
