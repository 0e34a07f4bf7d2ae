//! The state value: small, plain, equal for equal histories.

use super::open::Open;
use super::signals::{Listener, Signal};
use crate::context::Context;
use crate::event::{RunOutcome, RunStarted, RunStatus};
use crate::failure::{Failure, RunFailure};
use crate::id::{Hook, Name, NodeIx, Seq, Task};
use crate::payload::Payload;
use crate::plan::Plan;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// Where one scope stands: the fold of its journal.
///
/// ```
/// use vastflow_core::run::{Changes, Input, Start};
/// use vastflow_core::plan::{NodeKind, NodeSpec, Plan, PlanSpec};
/// use vastflow_core::{Name, RunStatus, State, Timestamp};
///
/// let mut spec = PlanSpec::new(Name::new("one")?);
/// spec.nodes.push(NodeSpec::new(Name::new("a")?, NodeKind::Task));
/// let plan = Plan::new(spec)?;
///
/// let mut state = State::default();
/// let mut changes = Changes::default();
/// let events = state.step(&plan, Input::Start(Start::new("r1".parse()?)), Timestamp::ZERO, &mut changes)?;
/// assert_eq!(events[0].name(), "RunStarted");
/// assert_eq!(changes.queue.len(), 1); // the first attempt of node a
/// assert_eq!(state.status(), RunStatus::Running);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(super) len: Seq,
    pub(super) phase: Phase,
    pub(super) started: Option<Arc<RunStarted>>,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) context: Arc<Context>,
    pub(super) nodes: Vec<NodeState>,
    /// How many of the events count for [`MAX_EVENTS`](crate::limits::MAX_EVENTS).
    pub(super) counted: u32,
    /// The bytes of all that calls said.
    pub(super) log_bytes: usize,
    /// Nodes that are active or open.
    pub(super) in_hand: u32,
    /// Nodes that have not ended and are still needed.
    pub(super) unfinished: u32,
    /// Why the run is stopping, or how it ended. None while it goes well.
    pub(super) stop: Option<Box<RunOutcome>>,
    /// What only some runs have; none for the many that have none of it.
    pub(super) more: Option<Box<More>>,
}

/// What a run has besides, if it has scopes inside, joins, signals, undo actions or an operator's attention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct More {
    /// Who asked that nothing new start, if it does not.
    pub(super) paused: Option<Box<str>>,
    /// How the run will fail, once what does not depend on the failed node has ended.
    pub(super) doomed: Option<RunFailure>,
    /// For joins that do not wait for all: which nodes came, in the order of the journal. Kept while somebody reads them.
    pub(super) joins: BTreeMap<NodeIx, Vec<NodeIx>>,
    /// Scopes whose nodes have ended without them.
    pub(super) strays: BTreeMap<(NodeIx, Box<str>), Stray>,
    /// How many active nodes are not needed any more.
    pub(super) losers: u32,
    /// Whether nothing but those, and scopes that were told to stop, is left to wait for.
    pub(super) lingers: bool,
    /// Until when they are waited for.
    pub(super) grace: Option<Timestamp>,
    /// The position of the last write to each key, where somebody may ask.
    pub(super) written: BTreeMap<Box<str>, Seq>,
    /// Keys that a scope overwrote, not recorded yet.
    pub(super) clash: Option<(NodeIx, Vec<Box<str>>)>,
    /// Inner scopes that need not begin, because the run before has what comes of them; not recorded yet.
    pub(super) taken: VecDeque<(NodeIx, Box<str>)>,
    /// Who waits for a signal, the first to begin first.
    pub(super) listening: Vec<Listener>,
    /// Signals that nobody has asked for yet, oldest first.
    pub(super) signals: VecDeque<Signal>,
    /// The ids of all signals that came.
    pub(super) signal_ids: BTreeSet<Box<str>>,
    /// The names of signals that the parent was told are waited for here.
    pub(super) says_listens: BTreeSet<Name>,
    /// How often it was told something about that.
    pub(super) listen_turns: u32,
    /// How many signals were handed on to inner scopes.
    pub(super) signal_turns: u32,
    /// Nodes that did something that can be undone, in the order in which they did it.
    pub(super) to_undo: Vec<NodeIx>,
    /// The same for nodes that nobody needed any more when they succeeded.
    pub(super) lost: Vec<NodeIx>,
    /// How many of `to_undo`, from the front, stay done: only what was lost is taken back.
    pub(super) stays_done: usize,
    /// Scopes that ended well and can be asked to undo what they did, by the nodes that opened them.
    pub(super) undoable: BTreeMap<NodeIx, Vec<Box<str>>>,
    /// The undo action under way.
    pub(super) undoing: Option<Undoing>,
    /// Whether the scope had ended and is undoing what it did.
    pub(super) reopened: bool,
    /// Inner scopes in which something waits for an operator.
    pub(super) parked_children: BTreeSet<(NodeIx, Box<str>)>,
    /// How many nodes of this scope wait for an operator.
    pub(super) parked: u32,
    /// How often the parent was told whether something waits here.
    pub(super) park_turns: u32,
    /// Whether it was last told that something does.
    pub(super) says_parked: bool,
}

/// A scope whose node has ended without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stray {
    /// It was told to stop.
    Stopping,
    /// It had ended well all the same, and was told to take back what it did.
    Undoing,
}

/// An undo action under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Undoing {
    /// The node's own.
    Action { attempt: u32, base: u32, due: Timestamp },
    /// It failed for good and waits for an operator.
    Stuck { attempt: u32 },
    /// Of the scopes that the node opened; these have not said that they are done.
    Scopes(BTreeSet<Box<str>>),
}

/// Where the run as a whole stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was recorded yet.
    #[default]
    New,
    /// It waits in line.
    Queued,
    /// Nodes start as they become ready.
    Going,
    /// Nothing new starts but atomic nodes; what is in hand is waited for.
    Stopping,
    /// All nodes have ended; what they did is taken back, the last first.
    Undoing,
    /// All nodes have ended; a hook is due or running.
    Hook { hook: Hook, attempt: u32, due: Timestamp },
    /// Nothing is left to do but to say so.
    Settled,
    /// Over.
    Ended,
}

/// Where one node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NodeState {
    /// This many edges into it are still open.
    Waiting { missing: u32 },
    /// There is a task for it.
    Active(Active),
    /// Scopes that it opened are under way.
    Open(Box<Open>),
    /// It waits for a signal.
    Listening { since: Timestamp },
    /// It failed for good and waits for an operator.
    Parked { failure: Box<Failure>, attempt: u32 },
    /// It has its result, kept while somebody needs it.
    Succeeded { output: Option<Payload>, readers: u32 },
    /// It failed.
    Failed(Option<Box<Failure>>),
    /// It was not needed, or could not come to be.
    Skipped,
    /// The run ended before it did.
    Dropped,
    /// What it did was taken back.
    Undone,
}

impl NodeState {
    /// Whether nothing will become of the node any more.
    pub(super) const fn has_ended(&self) -> bool {
        !matches!(
            self,
            NodeState::Waiting { .. }
                | NodeState::Active(_)
                | NodeState::Open(_)
                | NodeState::Listening { .. }
                | NodeState::Parked { .. }
        )
    }
}

/// An active node: what is to be called next, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Active {
    pub(super) stage: Stage,
    /// Nobody needs it any more.
    pub(super) loser: bool,
    /// How many attempts do not count for its retries: they were made before an operator, or another page.
    pub(super) base: u32,
    /// When it became ready.
    pub(super) since: Timestamp,
    /// When the task is due.
    pub(super) due: Timestamp,
    /// What the last failed try said.
    pub(super) cause: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Attempt(u32),
    Poll(u32),
    Rescue(Box<Failure>),
    Sleep,
}

impl Active {
    pub(super) const fn new(stage: Stage, since: Timestamp, due: Timestamp) -> Self {
        Active { stage, loser: false, base: 0, since, due, cause: None }
    }

    pub(super) const fn first(at: Timestamp) -> Self {
        Active::new(Stage::Attempt(1), at, Timestamp::ZERO)
    }

    /// The number of the attempt; 0 when it is no attempt.
    pub(super) const fn attempt(&self) -> u32 {
        match self.stage {
            Stage::Attempt(attempt) => attempt,
            _ => 0,
        }
    }

    pub(super) const fn task(&self, node: NodeIx) -> Task {
        match self.stage {
            Stage::Attempt(attempt) => Task::Attempt { node, attempt },
            Stage::Poll(tick) => Task::Poll { node, tick },
            Stage::Rescue(_) => Task::Rescue { node },
            Stage::Sleep => Task::Wake { node },
        }
    }
}

/// Where one node stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NodeStatus {
    /// It waits for other nodes.
    Waiting,
    /// Its first attempt is queued or running.
    Running,
    /// An attempt failed; the next is due or running.
    Retrying,
    /// A river that submitted its work and is polled.
    Polling,
    /// It failed, and its own `on_failure` is asked.
    Rescuing,
    /// Scopes that it opened are under way.
    Open,
    /// It sleeps.
    Sleeping,
    /// It waits for a signal.
    Listening,
    /// It failed for good and waits for an operator.
    Parked,
    /// It has its result.
    Succeeded,
    /// It failed.
    Failed,
    /// It was not needed, or could not come to be.
    Skipped,
    /// The run ended before it did.
    Dropped,
    /// What it did was taken back.
    Undone,
    /// Its call waits in the queue: nobody has begun it. Only a look at the store tells it from a call under way.
    Ready,
    /// Its call is held back, because the run is paused.
    Held,
    /// Its call waits for code that the program that looks lacks.
    NoCode,
}

impl NodeStatus {
    /// The word, as it stands in tables and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            NodeStatus::Waiting => "waiting",
            NodeStatus::Running => "running",
            NodeStatus::Retrying => "retrying",
            NodeStatus::Polling => "polling",
            NodeStatus::Rescuing => "rescuing",
            NodeStatus::Open => "open",
            NodeStatus::Sleeping => "sleeping",
            NodeStatus::Listening => "listening",
            NodeStatus::Parked => "parked",
            NodeStatus::Skipped => "skipped",
            NodeStatus::Undone => "undone",
            NodeStatus::Succeeded => "succeeded",
            NodeStatus::Failed => "failed",
            NodeStatus::Dropped => "dropped",
            NodeStatus::Ready => "ready",
            NodeStatus::Held => "held",
            NodeStatus::NoCode => "no code",
        }
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl State {
    /// About how many bytes of payloads it holds: input, context, results that somebody still needs, items that wait.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let input = self.started.as_ref().map_or(0, |started| started.input.len());
        let context: usize = self.context.iter().map(|(key, value)| key.len() + value.len()).sum();
        let nodes = self.nodes.iter().map(|node| match node {
            NodeState::Succeeded { output: Some(output), .. } => output.len(),
            NodeState::Open(open) if Arc::ptr_eq(&open.context, &self.context) => open.payload_bytes(),
            NodeState::Open(open) => open.payload_bytes() + context,
            _ => 0,
        });
        input + context + nodes.sum::<usize>()
    }

    /// How many events were folded into this state.
    #[must_use]
    pub const fn len(&self) -> Seq {
        self.len
    }

    /// Whether nothing was recorded yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len.0 == 0
    }

    /// How the run began; none before it did.
    #[must_use]
    pub const fn started(&self) -> Option<&Arc<RunStarted>> {
        self.started.as_ref()
    }

    /// The context as the journal tells it. Cloning the handle is cheap.
    #[must_use]
    pub const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Where the run stands.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        match (self.phase, &self.stop) {
            (Phase::Ended, Some(outcome)) => outcome.status(),
            (Phase::Ended, None) => RunStatus::Succeeded,
            _ if self.is_paused() => RunStatus::Paused,
            _ if self.needs_attention() => RunStatus::NeedsAttention,
            (_, Some(_)) => RunStatus::Stopping,
            (Phase::Queued, None) => RunStatus::Queued,
            (_, None) => RunStatus::Running,
        }
    }

    /// How the run ended, or, while it is stopping, how it will.
    #[must_use]
    pub fn outcome(&self) -> Option<RunOutcome> {
        match (&self.stop, self.phase) {
            (Some(outcome), _) => Some((**outcome).clone()),
            (None, Phase::Ended) => Some(RunOutcome::Succeeded),
            (None, _) => None,
        }
    }

    /// Where a node stands.
    #[must_use]
    pub fn node_status(&self, node: NodeIx) -> Option<NodeStatus> {
        Some(match self.nodes.get(node.index())? {
            NodeState::Waiting { .. } => NodeStatus::Waiting,
            NodeState::Active(Active { stage: Stage::Attempt(1), .. }) => NodeStatus::Running,
            NodeState::Active(Active { stage: Stage::Attempt(_), .. }) => NodeStatus::Retrying,
            NodeState::Active(Active { stage: Stage::Poll(_), .. }) => NodeStatus::Polling,
            NodeState::Active(Active { stage: Stage::Rescue(_), .. }) => NodeStatus::Rescuing,
            NodeState::Active(Active { stage: Stage::Sleep, .. }) => NodeStatus::Sleeping,
            NodeState::Open(_) => NodeStatus::Open,
            NodeState::Listening { .. } => NodeStatus::Listening,
            NodeState::Parked { .. } => NodeStatus::Parked,
            NodeState::Succeeded { .. } => NodeStatus::Succeeded,
            NodeState::Failed(_) => NodeStatus::Failed,
            NodeState::Skipped => NodeStatus::Skipped,
            NodeState::Dropped => NodeStatus::Dropped,
            NodeState::Undone => NodeStatus::Undone,
        })
    }

    /// The failure that a node's own `on_failure` is asked about.
    #[must_use]
    pub fn failure_to_rescue(&self, node: NodeIx) -> Option<&Failure> {
        match self.nodes.get(node.index())? {
            NodeState::Active(Active { stage: Stage::Rescue(failure), .. }) => Some(failure),
            _ => None,
        }
    }

    /// Why a node waits for an operator, if it does.
    #[must_use]
    pub fn parked_for(&self, node: NodeIx) -> Option<&Failure> {
        match self.nodes.get(node.index())? {
            NodeState::Parked { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// The hook that is due or running, and which attempt.
    pub(crate) const fn hook_under_way(&self) -> Option<(Hook, u32)> {
        match self.phase {
            Phase::Hook { hook, attempt, .. } => Some((hook, attempt)),
            _ => None,
        }
    }

    /// Whether it has begun and nothing has come between, be it that it still waits in line.
    pub(super) fn is_going(&self) -> bool {
        matches!(self.phase, Phase::Going | Phase::Queued)
    }

    /// Whether nothing new starts until somebody says so.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused_by().is_some()
    }

    /// Who asked that nothing new start, if it does not.
    #[must_use]
    pub fn paused_by(&self) -> Option<&str> {
        self.more().paused.as_deref()
    }

    /// Whether something, here or in an inner scope, waits for an operator.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        let more = self.more();
        more.parked > 0 || !more.parked_children.is_empty()
    }

    /// The nodes of this scope that wait for an operator, with why.
    pub fn waiting_for_operator(&self) -> impl Iterator<Item = (NodeIx, String)> {
        let parked = self.nodes.iter().enumerate().filter_map(|(at, node)| match node {
            NodeState::Parked { failure, .. } => Some((super::evolve::node_ix(at), failure.to_string())),
            _ => None,
        });
        parked.chain(self.stuck_undo().map(|node| (node, "its undo action failed".into())))
    }

    /// The node whose undo action failed for good, and waits for an operator.
    #[must_use]
    pub fn stuck_undo(&self) -> Option<NodeIx> {
        let more = self.more();
        matches!(more.undoing, Some(Undoing::Stuck { .. })).then(|| more.to_undo.last().copied()).flatten()
    }

    /// The inner scopes in which something waits for an operator.
    pub fn scopes_with_attention(&self) -> impl Iterator<Item = (NodeIx, &str)> {
        self.more().parked_children.iter().map(|(node, key)| (*node, &**key))
    }

    /// The inner scopes that are open here, those that only have to stop included.
    pub fn open_scopes(&self) -> impl Iterator<Item = (NodeIx, &str)> {
        let running = self.nodes.iter().enumerate().filter_map(|(at, node)| match node {
            NodeState::Open(open) => Some(open.running.keys().map(move |key| (super::evolve::node_ix(at), &**key))),
            _ => None,
        });
        running.flatten().chain(self.more().strays.keys().map(|(node, key)| (*node, &**key)))
    }

    /// Whether a queued task should still be started. False for what a stopping run left in the queue, and for what
    /// nobody needs any more: the worker answers such a task with [`Input::NotStarted`](super::Input::NotStarted)
    /// instead of running it.
    #[must_use]
    pub fn may_start(&self, plan: &Plan, task: Task) -> bool {
        let Some(node) = task.node().filter(|_| !task.is_timer()) else { return true };
        let is_atomic = || plan.node(node).is_some_and(|node| node.atomic);
        match self.phase {
            Phase::Stopping => is_atomic(),
            _ => !self.active(node).is_some_and(|active| active.loser) || is_atomic(),
        }
    }

    /// Whether the state waits for this task's outcome.
    #[must_use]
    pub fn expects(&self, task: Task) -> bool {
        match (task, self.phase) {
            (Task::Hook { hook, attempt }, Phase::Hook { hook: h, attempt: a, .. }) => hook == h && attempt == a,
            (Task::Undo { node, attempt }, Phase::Undoing) => {
                let more = self.more();
                let action = matches!(more.undoing, Some(Undoing::Action { attempt: a, .. }) if a == attempt);
                action && more.to_undo.last() == Some(&node)
            }
            (Task::Hook { .. } | Task::Undo { .. } | Task::Deliver, _) => false,
            (Task::RunDeadline, _) => self.is_going(),
            (Task::Admit, phase) => phase == Phase::Queued,
            (Task::Grace, phase) => phase == Phase::Going && self.more().grace.is_some(),
            (Task::NodeDeadline { node }, _) => self.since(node).is_some(),
            (Task::Reduce { node, attempt }, _) => {
                self.open(node).and_then(|open| open.reducing.as_ref()).is_some_and(|call| call.attempt() == attempt)
            }
            (task, _) => task.node().and_then(|node| Some(self.called(node)?.task(node))) == Some(task),
        }
    }

    /// From when on a task that the state waits for is visible; none when it does not wait for it.
    #[must_use]
    pub fn due(&self, task: Task) -> Option<Timestamp> {
        if !self.expects(task) {
            return None;
        }
        match (task, self.phase) {
            (Task::Hook { .. }, Phase::Hook { due, .. }) => Some(due),
            (Task::Undo { .. }, _) => match self.more().undoing {
                Some(Undoing::Action { due, .. }) => Some(due),
                _ => None,
            },
            (Task::Reduce { node, .. }, _) => self.open(node)?.reducing.as_ref().map(|call| call.due),
            (task, _) => self.called(task.node()?).map(|call| call.due),
        }
    }

    /// Since when a task could begin: since it is due, and since what it follows from. None when the state does not wait for
    /// it; zero where it knows neither.
    #[must_use]
    pub fn ready_at(&self, task: Task) -> Option<Timestamp> {
        let since = task.node().and_then(|node| self.active(node)).map(|active| active.since);
        self.due(task).max(since.filter(|_| self.expects(task)))
    }

    pub(super) fn active(&self, node: NodeIx) -> Option<&Active> {
        match self.nodes.get(node.index())? {
            NodeState::Active(active) => Some(active),
            _ => None,
        }
    }

    pub(super) fn open(&self, node: NodeIx) -> Option<&Open> {
        match self.nodes.get(node.index())? {
            NodeState::Open(open) => Some(open),
            _ => None,
        }
    }

    /// The call that a node waits for: its own, or that for its next page of items.
    pub(super) fn called(&self, node: NodeIx) -> Option<&Active> {
        match self.nodes.get(node.index())? {
            NodeState::Active(active) => Some(active),
            NodeState::Open(open) => open.reading.as_ref(),
            _ => None,
        }
    }

    /// When a node that is under way became ready.
    pub(super) fn since(&self, node: NodeIx) -> Option<Timestamp> {
        match self.nodes.get(node.index())? {
            NodeState::Active(active) => Some(active.since),
            NodeState::Open(open) => Some(open.since),
            NodeState::Listening { since } => Some(*since),
            _ => None,
        }
    }

    pub(super) fn more(&self) -> &More {
        const NONE: &More = &More {
            paused: None,
            doomed: None,
            joins: BTreeMap::new(),
            strays: BTreeMap::new(),
            losers: 0,
            lingers: false,
            grace: None,
            written: BTreeMap::new(),
            clash: None,
            taken: VecDeque::new(),
            listening: Vec::new(),
            signals: VecDeque::new(),
            signal_ids: BTreeSet::new(),
            says_listens: BTreeSet::new(),
            listen_turns: 0,
            signal_turns: 0,
            to_undo: Vec::new(),
            lost: Vec::new(),
            stays_done: 0,
            undoable: BTreeMap::new(),
            undoing: None,
            reopened: false,
            parked_children: BTreeSet::new(),
            parked: 0,
            park_turns: 0,
            says_parked: false,
        };
        self.more.as_deref().unwrap_or(NONE)
    }

    pub(super) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}
