//! The state value: small, plain, equal for equal histories.

use crate::context::Context;
use crate::event::{RunOutcome, RunStarted, RunStatus};
use crate::failure::Failure;
use crate::id::{Hook, NodeIx, Seq, Task};
use crate::payload::Payload;
use crate::plan::Plan;
use crate::time::Timestamp;
use alloc::boxed::Box;
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
    /// Nodes that are active.
    pub(super) in_hand: u32,
    /// Nodes that have not ended.
    pub(super) unfinished: u32,
    /// Why the run is stopping, or how it ended. None while it goes well.
    pub(super) stop: Option<Box<RunOutcome>>,
}

/// Where the run as a whole stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was recorded yet.
    #[default]
    New,
    /// Nodes start as they become ready.
    Going,
    /// Nothing new starts but atomic nodes; what is in hand is waited for.
    Stopping,
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
    /// It has its result, kept while somebody needs it.
    Succeeded { output: Option<Payload>, readers: u32 },
    /// It failed.
    Failed,
    /// The run ended before it did.
    Dropped,
}

/// An active node: what is to be called next, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Active {
    pub(super) stage: Stage,
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
}

impl Active {
    pub(super) const fn first(at: Timestamp) -> Self {
        Active { stage: Stage::Attempt(1), since: at, due: Timestamp::ZERO, cause: None }
    }

    pub(super) const fn task(&self, node: NodeIx) -> Task {
        match self.stage {
            Stage::Attempt(attempt) => Task::Attempt { node, attempt },
            Stage::Poll(tick) => Task::Poll { node, tick },
            Stage::Rescue(_) => Task::Rescue { node },
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
    /// It has its result.
    Succeeded,
    /// It failed.
    Failed,
    /// The run ended before it did.
    Dropped,
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
            NodeStatus::Succeeded => "succeeded",
            NodeStatus::Failed => "failed",
            NodeStatus::Dropped => "dropped",
        }
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl State {
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
            (_, Some(_)) => RunStatus::Stopping,
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
            NodeState::Succeeded { .. } => NodeStatus::Succeeded,
            NodeState::Failed => NodeStatus::Failed,
            NodeState::Dropped => NodeStatus::Dropped,
        })
    }

    /// The values that flow into a node, in edge order, with the node that each comes from (none: the run's input).
    /// Complete while the node is active.
    #[must_use]
    pub fn inputs(&self, plan: &Plan, node: NodeIx) -> Vec<(Option<NodeIx>, Payload)> {
        let Some(spec) = plan.node(node) else { return Vec::new() };
        let mut parents = plan.links(node).parents.iter();
        let mut values = Vec::with_capacity(spec.inputs.len());
        for edge in &spec.inputs {
            let from = match edge.from {
                crate::plan::Source::Input => None,
                crate::plan::Source::Node(_) => parents.next().map(|(parent, _)| *parent),
            };
            if !edge.order_only {
                values.push((from, self.value(from)));
            }
        }
        values
    }

    fn value(&self, from: Option<NodeIx>) -> Payload {
        match from.map(|node| self.nodes.get(node.index())) {
            Some(Some(NodeState::Succeeded { output: Some(output), .. })) => output.clone(),
            Some(_) => Payload::null(),
            None => self.started.as_ref().map_or_else(Payload::null, |started| started.input.clone()),
        }
    }

    /// The run's result: the output of its last node, or, of several, a map by node name. None before it succeeded.
    #[must_use]
    pub fn output(&self, plan: &Plan) -> Option<Payload> {
        if self.status() != RunStatus::Succeeded {
            return None;
        }
        match plan.outputs() {
            [only] => Some(self.value(Some(*only))),
            several => {
                let parts: Vec<_> =
                    several.iter().map(|&node| (plan.at(node).name.clone(), self.value(Some(node)))).collect();
                Some(Payload::map(&parts))
            }
        }
    }

    /// The failure that a node's own `on_failure` is asked about.
    #[must_use]
    pub fn failure_to_rescue(&self, node: NodeIx) -> Option<&Failure> {
        match self.nodes.get(node.index())? {
            NodeState::Active(Active { stage: Stage::Rescue(failure), .. }) => Some(failure),
            _ => None,
        }
    }

    /// Whether a queued task should still be started. False for what a stopping run left in the queue: the worker
    /// answers such a task with [`Input::NotStarted`](super::Input::NotStarted) instead of running it.
    #[must_use]
    pub fn may_start(&self, plan: &Plan, task: Task) -> bool {
        match (self.phase, task.node()) {
            (Phase::Stopping, Some(node)) => task.is_timer() || plan.node(node).is_some_and(|node| node.atomic),
            _ => true,
        }
    }

    /// Whether the state waits for this task's outcome.
    #[must_use]
    pub fn expects(&self, task: Task) -> bool {
        match (task, self.phase) {
            (Task::Hook { hook, attempt }, Phase::Hook { hook: h, attempt: a, .. }) => hook == h && attempt == a,
            (Task::Hook { .. }, _) => false,
            (Task::RunDeadline, phase) => phase == Phase::Going,
            (Task::Deliver, _) => false,
            (Task::NodeDeadline { node }, _) => self.active(node).is_some(),
            (task, _) => task.node().and_then(|node| Some(self.active(node)?.task(node))) == Some(task),
        }
    }

    /// From when on an attempt, a poll or a hook that the state waits for is visible; none when it waits for no such task.
    #[must_use]
    pub fn due(&self, task: Task) -> Option<Timestamp> {
        match (self.phase, task.node()) {
            (Phase::Hook { due, .. }, None) if self.expects(task) => Some(due),
            (_, node) => {
                let active = self.active(node?)?;
                (active.task(node?) == task).then_some(active.due)
            }
        }
    }

    pub(super) fn active(&self, node: NodeIx) -> Option<&Active> {
        match self.nodes.get(node.index())? {
            NodeState::Active(active) => Some(active),
            _ => None,
        }
    }
}
