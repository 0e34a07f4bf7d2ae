//! What a person sees of a run: its nodes with their states and durations, folded from the journal.

use crate::event::{Event, Recorded, RunOutcome, RunStatus};
use crate::id::{Name, RunId};
use crate::plan::Plan;
use crate::run::{Illegal, NodeStatus, State};
use crate::time::Timestamp;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// A run to look at. Its `Display` prints one line a node.
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
    /// The code that it waits for, because the program that looks lacks it: `node "a"`, `river "b"`.
    pub missing: Vec<String>,
}

/// One node of a [`RunView`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The node's name.
    pub name: Name,
    /// Where it stands.
    pub status: NodeStatus,
    /// Calls of its handler that were recorded.
    pub calls: u32,
    /// Time spent in those calls.
    pub busy: Duration,
    /// When its last call was recorded.
    pub ended_at: Option<Timestamp>,
    /// What its last failed or unfinished call said.
    pub said: Option<String>,
}

impl RunView {
    /// Folds a whole history of `run`.
    ///
    /// # Errors
    /// [`Illegal`] when the history is damaged or belongs to another plan.
    pub fn fold(run: RunId, plan: &Plan, history: &[Recorded]) -> Result<Self, Illegal> {
        let mut state = State::default();
        let mut nodes: Vec<NodeView> = plan.spec().nodes.iter().map(|node| NodeView::new(node.name.clone())).collect();
        for recorded in history {
            state.evolve(plan, &recorded.event, recorded.at, &mut ())?;
            if let Some(node) = recorded.event.node() {
                nodes[node.index()].note(recorded);
            }
        }
        for (ix, node) in nodes.iter_mut().enumerate() {
            node.status = state.node_status(crate::run::node_ix(ix)).unwrap_or(NodeStatus::Waiting);
        }
        let at = |recorded: Option<&Recorded>| recorded.map_or(Timestamp::ZERO, |recorded| recorded.at);
        let started_at = at(history.first());
        let took = at(history.last()).since(started_at);
        let (status, outcome) = (state.status(), state.outcome());
        Ok(RunView { run, flow: plan.flow().clone(), status, outcome, started_at, took, nodes, missing: Vec::new() })
    }

    /// The run as it stands at `now`: one that goes on has taken until then.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if !self.status.is_final() {
            self.took = now.since(self.started_at);
        }
        self
    }
}

impl NodeView {
    const fn new(name: Name) -> Self {
        let status = NodeStatus::Waiting;
        NodeView { name, status, calls: 0, busy: Duration::ZERO, ended_at: None, said: None }
    }

    fn note(&mut self, recorded: &Recorded) {
        if let Some(call) = recorded.event.call().filter(|call| call.number > 0) {
            self.calls += 1;
            self.busy += Duration::from(call.took);
        }
        self.ended_at = Some(recorded.at);
        self.said = match &recorded.event {
            Event::AttemptFailed { failure, .. }
            | Event::NodeFailed { failure, .. }
            | Event::RescueFailed { failure, .. }
            | Event::ReduceFailed { failure, .. }
            | Event::NodeParked { failure, .. }
            | Event::UndoFailed { failure, .. } => Some(failure.to_string()),
            Event::Polled { cause, .. } => Some(cause.to_string()),
            _ => None,
        };
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
            NodeStatus::Waiting => '·',
            _ => '▸',
        }
    }
}

impl fmt::Display for RunView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.nodes.iter().map(|node| node.name.len()).max().unwrap_or(0);
        writeln!(f, "run {} of {}: {} after {}", self.run, self.flow, self.status, Span(self.took))?;
        for node in &self.nodes {
            let status = if node.calls == 0 && node.said.is_none() { 0 } else { 9 };
            write!(f, "  {} {:width$}  {:status$}", node.status.sign(), node.name, node.status)?;
            if node.calls > 0 {
                write!(f, "  {:>9}", Span(node.busy).to_string())?;
            }
            if node.calls > 1 {
                write!(f, "  {} calls", node.calls)?;
            }
            if let Some(said) = &node.said {
                write!(f, "  {said}")?;
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

/// A duration for people: `12 µs`, `3.4 ms`, `1.2 s`, `4 min 2 s`.
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
            _ => write!(f, "{} min {} s", micros / 60_000_000, micros / 1_000_000 % 60),
        }
    }
}
