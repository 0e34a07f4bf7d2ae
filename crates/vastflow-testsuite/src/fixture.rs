//! Plans, runs and commits to test with: one constructor a type.
//!
//! Journals are real: a [`Story`] drives [`State::step`], so that a store that folds its journals at reopening can
//! fold these.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use vastflow_core::plan::{EdgeSpec, NodeKind, NodeSpec, PlanSpec, Source};
use vastflow_core::retry::RetryPolicy;
use vastflow_core::run::{Changes, Input, Reply, Start, StepError, TaskOutcome};
use vastflow_core::{
    Codec, Event, Failure, FailureKind, Name, NodeIx, Payload, Plan, Recorded, RunId, RunInfo, ScopeId, State, Task,
    Timestamp,
};
use vastflow_store::{ClaimToken, Claimed, Commit, Lease, Message, NewTask, OpId, WorkerId};

/// When every story begins.
pub const T0: Timestamp = Timestamp::from_millis(1_000_000);

/// How long claims last in the cases.
pub const LEASE: Duration = Duration::from_secs(15);

/// The worker that does things unless a case says otherwise.
pub const ALICE: WorkerId = WorkerId(0xA);

/// Another worker.
pub const BOB: WorkerId = WorkerId(0xB);

/// So many seconds after [`T0`].
#[must_use]
pub fn after(seconds: u64) -> Timestamp {
    T0.plus(Duration::from_secs(seconds))
}

/// A name.
///
/// # Panics
/// When `text` is not one.
#[must_use]
pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A run id.
///
/// # Panics
/// When `text` is not one.
#[must_use]
pub fn run_id(text: &str) -> RunId {
    RunId::new(text).unwrap()
}

/// The root scope of a run.
#[must_use]
pub fn root(run: &str) -> ScopeId {
    ScopeId::root(run_id(run))
}

/// An inner scope of a run.
#[must_use]
pub fn inner(run: &str, key: &str) -> ScopeId {
    root(run).child(&name("each"), key)
}

/// An op id that no other call gives.
#[must_use]
pub fn op() -> OpId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    OpId(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A payload of JSON text.
#[must_use]
pub fn payload(json: &str) -> Payload {
    Payload::new(Codec::Json, json.to_owned())
}

/// The plan that most cases use: three nodes one after the other, each tried three times a second apart.
#[must_use]
pub fn plan() -> Arc<Plan> {
    chain("chain")
}

/// [`plan`] as another flow.
///
/// # Panics
/// When `flow` is not a name.
#[must_use]
pub fn chain(flow: &str) -> Arc<Plan> {
    let mut spec = PlanSpec::new(name(flow));
    spec.nodes = vec![node("first", Source::Input), node("second", from("first")), node("third", from("second"))];
    Arc::new(Plan::new(spec).unwrap())
}

/// A plan of `width` nodes side by side.
///
/// # Panics
/// When `width` is 0.
#[must_use]
pub fn wide(width: usize) -> Arc<Plan> {
    let mut spec = PlanSpec::new(name("wide"));
    spec.nodes = (0..width).map(|at| node(&format!("n{at}"), Source::Input)).collect();
    Arc::new(Plan::new(spec).unwrap())
}

/// A plan of one node with timers: the node may take 10 s, the run 60 s.
///
/// # Panics
/// Never.
#[must_use]
pub fn timed() -> Arc<Plan> {
    let mut spec = PlanSpec::new(name("timed"));
    let mut slow = node("slow", Source::Input);
    slow.timeout = Some(Duration::from_secs(10));
    spec.nodes = vec![slow, node("after", from("slow"))];
    spec.timeout = Some(Duration::from_secs(60));
    Arc::new(Plan::new(spec).unwrap())
}

fn node(called: &str, source: Source) -> NodeSpec {
    let mut node = NodeSpec::new(name(called), NodeKind::Task);
    node.inputs.push(EdgeSpec::data(source));
    node.retry = RetryPolicy::times(2).every(Duration::from_secs(1));
    node
}

fn from(node: &str) -> Source {
    Source::Node(name(node))
}

/// An attempt at a node.
#[must_use]
pub const fn attempt(node: u32, attempt: u32) -> Task {
    Task::Attempt { node: NodeIx(node), attempt }
}

/// A task to queue, visible at once.
#[must_use]
pub const fn new_task(task: Task) -> NewTask {
    NewTask::new(task, Timestamp::ZERO)
}

/// A task to keep.
#[must_use]
pub fn kept_task(task: Task) -> NewTask {
    NewTask { keep: true, ..NewTask::new(task, Timestamp::ZERO) }
}

/// A message whose body says its kind.
#[must_use]
pub fn message(to: &ScopeId, kind: u32) -> Message {
    Message { to: to.clone(), kind, body: payload(&kind.to_string()) }
}

/// The commit that begins a run of [`plan`].
#[must_use]
pub fn start_commit(run: &str) -> Commit {
    Story::new(plan(), run).start()
}

/// A commit of one event that means nothing to anybody, for inner scopes and for commits that are to be refused.
#[must_use]
pub fn commit(scope: &ScopeId, expected: u64) -> Commit {
    Commit {
        op: op(),
        scope: scope.clone(),
        expected: vastflow_core::Seq(expected),
        at: T0,
        worker: ALICE,
        settle: Vec::new(),
        events: vec![Event::WordsIgnored],
        queue: Vec::new(),
        obsolete: Vec::new(),
        messages: Vec::new(),
        control: None,
        summary: None,
    }
}

/// The right to report on a claimed task.
#[must_use]
pub fn lease(claimed: &Claimed) -> Lease {
    Lease { scope: claimed.scope.clone(), task: claimed.task, token: claimed.token }
}

/// A root scope as its worker sees it: it makes the commits that a real engine would make.
///
/// Each commit it makes is taken as accepted; a story whose commit was refused is behind, so clone it before.
#[derive(Clone, Debug)]
pub struct Story {
    /// What the run follows.
    pub plan: Arc<Plan>,
    /// Its root scope.
    pub scope: ScopeId,
    /// Where it stands.
    pub state: State,
    /// What it begins with.
    pub input: Payload,
    /// What travels with it.
    pub info: RunInfo,
    /// Whether it waits in line.
    pub queued: bool,
    /// The time of its next commit.
    pub now: Timestamp,
    /// Who makes its commits.
    pub worker: WorkerId,
}

impl Story {
    /// A run that has not begun.
    #[must_use]
    pub fn new(plan: Arc<Plan>, run: &str) -> Self {
        let scope = root(run);
        Story {
            plan,
            scope,
            state: State::default(),
            input: payload("7"),
            info: RunInfo::default(),
            queued: false,
            now: T0,
            worker: ALICE,
        }
    }

    /// The run as a journal tells it.
    ///
    /// # Panics
    /// When the journal makes no sense.
    #[must_use]
    pub fn load(plan: Arc<Plan>, run: &str, history: &[Recorded]) -> Self {
        let mut story = Story::new(plan, run);
        for recorded in history {
            story.state.evolve(&story.plan, &recorded.event, recorded.at, &mut ()).expect("a journal that makes sense");
        }
        story
    }

    /// Begins.
    pub fn start(&mut self) -> Commit {
        let mut start = Start::new(self.scope.run().clone());
        start.input = self.input.clone();
        start.info = self.info.clone();
        start.queued = self.queued;
        self.tell(Input::Start(start))
    }

    /// The claimed task is done.
    pub fn answer(&mut self, claimed: &Claimed) -> Commit {
        self.settle(claimed.task, claimed.token)
    }

    /// The task is done; the token says who speaks.
    pub fn settle(&mut self, task: Task, token: ClaimToken) -> Commit {
        let mut commit = self.tell(outcome(task));
        commit.settle.push((task, token));
        commit
    }

    /// The claimed task failed and is tried again in a second.
    pub fn fail(&mut self, claimed: &Claimed) -> Commit {
        let failure = Failure::new(FailureKind::Error, "on purpose");
        let reply = Reply::Failed { failure, retryable: true };
        let mut commit = self.tell(input(claimed.task, reply));
        commit.settle.push((claimed.task, claimed.token));
        commit
    }

    /// Somebody without a claim says that an outstanding task is done; it makes the task obsolete.
    pub fn finish(&mut self, task: Task) -> Commit {
        let mut commit = self.tell(outcome(task));
        commit.obsolete.push(task);
        commit
    }

    /// What `input` means, as a commit.
    ///
    /// # Panics
    /// When the input does not fit; see [`Story::try_tell`].
    pub fn tell(&mut self, input: Input) -> Commit {
        self.try_tell(input).expect("an input that fits")
    }

    /// What `input` means, as a commit.
    ///
    /// # Errors
    /// [`StepError`] when it does not fit.
    pub fn try_tell(&mut self, input: Input) -> Result<Commit, StepError> {
        let (before, expected) = (self.state.summary(&self.plan), self.state.len());
        let mut changes = Changes::default();
        let events = self.state.step(&self.plan, input, self.now, &mut changes)?;
        let info = self.state.started().map(Arc::clone).expect("it has begun");
        let lane = |task| info.info.lane_of(&self.plan, task).cloned();
        let queue =
            changes.queue.into_iter().map(|(task, due)| NewTask { lane: lane(task), ..NewTask::new(task, due) });
        let queue = queue.collect();
        let summary = self.state.summary(&self.plan).filter(|summary| before.as_ref() != Some(summary)).map(Arc::new);
        let (at, worker, obsolete) = (self.now, self.worker, changes.obsolete);
        Ok(Commit { at, worker, events, queue, obsolete, summary, ..commit(&self.scope, expected.0) })
    }

    /// The tasks that must exist, in order.
    #[must_use]
    pub fn outstanding(&self) -> Vec<(Task, Timestamp)> {
        let mut changes = Changes::default();
        self.state.outstanding(&self.plan, &mut changes);
        changes.queue.sort_unstable_by_key(|(task, _)| *task);
        changes.queue
    }
}

fn outcome(task: Task) -> Input {
    match task {
        Task::Admit => Input::Admit,
        task if task.is_timer() => Input::Timer(task),
        task => input(task, Reply::Done(payload("1"))),
    }
}

fn input(task: Task, reply: Reply) -> Input {
    Input::Outcome(TaskOutcome { task, reply, writes: Vec::new(), took: Duration::from_millis(3) })
}

/// Several steps of one scope as one commit.
pub fn merged(mut steps: Vec<Commit>) -> Commit {
    let mut whole = steps.remove(0);
    for step in steps {
        whole.events.extend(step.events);
        whole.queue.extend(step.queue);
        whole.obsolete.extend(step.obsolete);
        whole.summary = step.summary.or(whole.summary);
    }
    whole
}
