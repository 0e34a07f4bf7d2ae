//! What a person sees of a run: its nodes with their states, times, calls and errors, folded from the journal.

mod timeline;
mod track;

pub use timeline::{Bars, Timeline};
pub use track::SHOWN_POLLS;

use crate::event::{Recorded, RunOutcome, RunStatus};
use crate::id::{Name, NodeIx, RunId};
use crate::plan::Plan;
use crate::run::{Illegal, NodeStatus, State, node_ix};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// A run to look at. Its `Display` prints one line a node, and one a hook that was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunView {
    /// The run.
    pub run: RunId,
    /// The flow it is a run of.
    pub flow: Name,
    /// Where it stands.
    pub status: RunStatus,
    /// How it ended, or will end.
    pub outcome: Option<RunOutcome>,
    /// When it began.
    pub started_at: Timestamp,
    /// From its start to its end; of one that goes on, to its last event, or until it was looked at.
    pub took: Duration,
    /// Its nodes, as drawn.
    pub nodes: Vec<NodeView>,
    /// The hooks of its flow that were called or are due, `on_failure` first. Their calls count as a node's do.
    pub hooks: Vec<NodeView>,
    /// The code that it waits for, because the program that looks lacks it: `node "a"`, `river "b"`.
    pub missing: Vec<String>,
}

/// One node of a [`RunView`], or one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The node's name.
    pub name: Name,
    /// Where it stands.
    pub status: NodeStatus,
    /// When it was first ready to go.
    pub began_at: Option<Timestamp>,
    /// Calls of its handler that were recorded.
    pub calls: u32,
    /// Time spent in those calls.
    pub busy: Duration,
    /// When its last call was recorded.
    pub ended_at: Option<Timestamp>,
    /// What its last failed or unfinished call said.
    pub said: Option<String>,
    /// Its calls, in the order in which they ended; of its polls the last [`SHOWN_POLLS`].
    pub attempts: Vec<CallView>,
    /// The states that it was in between waiting and its end.
    pub phases: Vec<Phase>,
    /// The scopes that it opened, in short.
    pub inner: Option<Inner>,
    /// Whom it waits for: a signal, an operator.
    pub waits_for: Option<String>,
    /// The worker that has a call of it in hand, by its number. A journal does not tell; whoever looks at the store's tasks
    /// knows.
    pub worker: Option<u64>,
}

/// One call of a node's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// What was called.
    pub kind: CallKind,
    /// Which attempt, tick or try it was, from 1.
    pub number: u32,
    /// When it was recorded.
    pub ended_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Whether it failed.
    pub failed: bool,
    /// What it said, if it failed or was a poll that found the work unfinished.
    pub why: Option<String>,
}

/// What of a node's code was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CallKind {
    /// Its handler, or a river's `flow`.
    Attempt,
    /// A river's `cycle`.
    Poll,
    /// Its own `on_failure`.
    Rescue,
    /// What folds the results of items.
    Fold,
    /// Its undo action.
    Undo,
    /// A hook of the flow.
    Hook,
}

/// A state that a node was in, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The state.
    pub status: NodeStatus,
    /// Since when.
    pub since: Timestamp,
    /// Until when; none while it lasts.
    pub until: Option<Timestamp>,
}

/// The scopes that a node opened, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inner {
    /// How many are known: the items read so far, the arms taken.
    pub scopes: u64,
    /// How many have ended.
    pub ended: u64,
    /// How many of those failed.
    pub failed: u64,
    /// Of a branch: the arms that were taken.
    pub keys: Vec<String>,
    /// Those in which something waits for an operator.
    pub parked: Vec<String>,
}

impl RunView {
    /// Folds a whole history of `run`.
    ///
    /// # Errors
    /// [`Illegal`] when the history is damaged or belongs to another plan.
    pub fn fold(run: RunId, plan: &Plan, history: &[Recorded]) -> Result<Self, Illegal> {
        let mut state = State::default();
        let mut nodes: Vec<NodeView> = plan.spec().nodes.iter().map(|node| NodeView::new(node.name.clone())).collect();
        let mut hooks = Vec::new();
        for recorded in history {
            let before = recorded.event.node().and_then(|node| state.node_status(node));
            state.evolve(plan, &recorded.event, recorded.at, &mut ())?;
            if let Some(node) = recorded.event.node() {
                track::note(&mut nodes[node.index()], recorded, before);
            }
            track::watch(&mut nodes, plan, &state, recorded);
            track::watch_hooks(&mut hooks, &state, recorded);
        }
        for (ix, node) in nodes.iter_mut().enumerate() {
            node.status = state.node_status(node_ix(ix)).unwrap_or(NodeStatus::Waiting);
            node.wait_for(&plan.at(node_ix(ix)).kind);
        }
        for (node, why) in state.waiting_for_operator() {
            let view = &mut nodes[node.index()];
            let why = view.said.as_ref().unwrap_or(&why);
            view.waits_for = Some(format!("an operator: {why}"));
        }
        let at = |recorded: Option<&Recorded>| recorded.map_or(Timestamp::ZERO, |recorded| recorded.at);
        let started_at = at(history.first());
        let took = at(history.last()).since(started_at);
        let (status, outcome) = (state.status(), state.outcome());
        let (flow, missing) = (plan.flow().clone(), Vec::new());
        Ok(RunView { run, flow, status, outcome, started_at, took, nodes, hooks, missing })
    }

    /// The run as it stands at `now`: one that goes on has taken until then.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if !self.status.is_final() {
            self.took = now.since(self.started_at);
        }
        self
    }

    /// A call of the node is in nobody's hands: it is [`Ready`](NodeStatus::Ready), [`Held`](NodeStatus::Held) or has
    /// [`NoCode`](NodeStatus::NoCode). A journal does not tell; whoever looks at the store's tasks knows.
    pub fn waits(&mut self, node: NodeIx, status: NodeStatus) {
        use NodeStatus::{Polling, Ready, Rescuing, Retrying, Running};
        let Some(view) = self.nodes.get_mut(node.index()) else { return };
        // A retry or a poll that waits for its time is that, and no news.
        let fits = match view.status {
            Running => true,
            Retrying | Polling | Rescuing => status != Ready,
            _ => false,
        };
        if fits {
            view.status = status;
        }
    }

    /// A call of the node is in the hands of a worker. As with [`waits`](Self::waits), a journal does not tell.
    pub fn in_hand_of(&mut self, node: NodeIx, worker: u64) {
        if let Some(view) = self.nodes.get_mut(node.index()) {
            view.worker = Some(worker);
        }
    }

    /// The node with this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeView> {
        self.nodes.iter().find(|node| *node.name == *name)
    }

    /// What is shown in a line of its own: the nodes, then the hooks.
    fn lines(&self) -> impl Iterator<Item = &NodeView> {
        self.nodes.iter().chain(&self.hooks)
    }

    /// The run as bars over time, for terminals: a line a node and a hook with its calls, polls and waits, long idle
    /// times made short, at most 100 columns wide. Print it.
    ///
    /// ```
    /// # use vastflow_core::plan::{NodeKind, NodeSpec, Plan, PlanSpec};
    /// # use vastflow_core::run::Start;
    /// # use vastflow_core::view::RunView;
    /// # use vastflow_core::{Input, Name, Recorded, RunId, Seq, State, Timestamp};
    /// # let mut spec = PlanSpec::new(Name::new("one")?);
    /// # spec.nodes.push(NodeSpec::new(Name::new("fetch")?, NodeKind::Task));
    /// # let plan = Plan::new(spec)?;
    /// # let id: RunId = "r1".parse()?;
    /// # let start = Input::Start(Start::new(id.clone()));
    /// # let events = State::default().step(&plan, start, Timestamp::ZERO, &mut ())?;
    /// # let recorded = |(at, event)| Recorded { seq: Seq(at as u64), at: Timestamp::ZERO, event };
    /// # let history: Vec<Recorded> = events.into_iter().enumerate().map(recorded).collect();
    /// let view = RunView::fold(id, &plan, &history)?;
    /// assert!(view.timeline().to_string().contains("▸ fetch │"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn timeline(&self) -> Timeline<'_> {
        Timeline(self)
    }
}

impl NodeView {
    const fn new(name: Name) -> Self {
        NodeView {
            name,
            status: NodeStatus::Waiting,
            began_at: None,
            calls: 0,
            busy: Duration::ZERO,
            ended_at: None,
            said: None,
            attempts: Vec::new(),
            phases: Vec::new(),
            inner: None,
            waits_for: None,
            worker: None,
        }
    }

    /// Its name, with the scopes that it opened: `each × 1000 (3 failed)`, `handle → pass`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.inner {
            Some(inner) if inner.scopes != 1 || !inner.keys.is_empty() || inner.failed > 0 => {
                format!("{} {}", self.name, inner.text())
            }
            _ => self.name.to_string(),
        }
    }
}

impl NodeStatus {
    /// A sign for the status, for terminals.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            NodeStatus::Succeeded => '✓',
            NodeStatus::Failed => '✗',
            NodeStatus::Dropped | NodeStatus::Skipped => '–',
            NodeStatus::Undone => '↩',
            NodeStatus::Waiting | NodeStatus::Ready | NodeStatus::NoCode => '·',
            NodeStatus::Held => '‖',
            NodeStatus::Parked => '!',
            _ => '▸',
        }
    }

    /// Whether nothing will happen with the node any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        use NodeStatus::{Dropped, Failed, Skipped, Succeeded, Undone};
        matches!(self, Succeeded | Failed | Skipped | Dropped | Undone)
    }
}

impl fmt::Display for RunView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = |node: &NodeView| node.title().replace(char::is_control, " ");
        let titles: Vec<String> = self.lines().map(title).collect();
        let width = titles.iter().map(|title| title.chars().count()).max().unwrap_or(0);
        writeln!(f, "run {} of {}: {} after {}", self.run, self.flow, self.status, Span(self.took))?;
        for (node, title) in self.lines().zip(titles) {
            let status = if node.calls == 0 && node.said.is_none() { 0 } else { 9 };
            write!(f, "  {} {title:width$}  {:status$}", node.status.sign(), node.status)?;
            if node.calls > 0 {
                write!(f, "  {:>9}", Span(node.busy).to_string())?;
            }
            if node.calls > 1 {
                write!(f, "  {} calls", node.calls)?;
            }
            match (&node.waits_for, &node.said) {
                (Some(who), _) => write!(f, "  waits for {who}")?,
                (None, Some(said)) => write!(f, "  {}", said.replace(char::is_control, " "))?,
                (None, None) => {}
            }
            writeln!(f)?;
        }
        if !self.missing.is_empty() {
            writeln!(f, "  waits for code that this program lacks: {}", self.missing.join(", "))?;
        }
        match &self.outcome {
            Some(outcome) if *outcome != RunOutcome::Succeeded => writeln!(f, "  {outcome}"),
            _ => Ok(()),
        }
    }
}

/// A duration for people: `12 µs`, `3.4 ms`, `1.2 s`, `4 min 2 s`, `3 h 20 min`, `2 d 4 h`.
///
/// ```
/// use core::time::Duration;
/// use vastflow_core::view::Span;
///
/// assert_eq!(Span(Duration::from_micros(3_400)).to_string(), "3.4 ms");
/// assert_eq!(Span(Duration::from_secs(242)).to_string(), "4 min 2 s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0..1_000 => write!(f, "{micros} µs"),
            1_000..1_000_000 => write!(f, "{}.{} ms", micros / 1_000, micros / 100 % 10),
            1_000_000..60_000_000 => write!(f, "{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
            60_000_000..6_000_000_000 => write!(f, "{} min {} s", micros / 60_000_000, micros / 1_000_000 % 60),
            6_000_000_000..172_800_000_000 => {
                write!(f, "{} h {} min", micros / 3_600_000_000, micros / 60_000_000 % 60)
            }
            _ => write!(f, "{} d {} h", micros / 86_400_000_000, micros / 3_600_000_000 % 24),
        }
    }
}
