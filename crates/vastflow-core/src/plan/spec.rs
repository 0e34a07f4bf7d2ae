//! What a flow is, as plain data: the form that builders write, stores keep and tools read.

use super::schema::Schema;
use crate::id::{Hook, Name};
use crate::limits::HOOK_TIMEOUT;
use crate::retry::RetryPolicy;
use crate::time::{millis, opt_millis, round_up};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The structure of a flow. [`Plan::new`](crate::Plan::new) checks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanSpec {
    /// The flow's name.
    pub flow: Name,
    /// The nodes, in the order they were drawn.
    pub nodes: Vec<NodeSpec>,
    /// The nodes whose outputs are the run's result. Empty: every node that nothing follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Name>,
    /// How long a run may take from its start to the end of its last node.
    #[serde(rename = "timeout_ms", with = "opt_millis", default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How long the end waits for what a join did not need any more.
    #[serde(
        rename = "cancel_grace_ms",
        with = "millis",
        default = "cancel_grace",
        skip_serializing_if = "is_cancel_grace"
    )]
    pub cancel_grace: Duration,
    /// The hook that runs when a run failed, was stopped or ran out of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<HookSpec>,
    /// The hook that runs at every end; a river's Atlantic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finally: Option<HookSpec>,
}

impl PlanSpec {
    /// A plan with a name and nothing in it.
    #[must_use]
    pub const fn new(flow: Name) -> Self {
        PlanSpec {
            flow,
            nodes: Vec::new(),
            outputs: Vec::new(),
            timeout: None,
            cancel_grace: cancel_grace(),
            on_failure: None,
            finally: None,
        }
    }

    /// The hook's description, if the flow has it.
    #[must_use]
    pub const fn hook(&self, hook: Hook) -> Option<&HookSpec> {
        match hook {
            Hook::OnFailure => self.on_failure.as_ref(),
            Hook::Finally => self.finally.as_ref(),
        }
    }

    /// Rounds every time up to whole milliseconds.
    pub(super) fn round_times(&mut self) {
        self.timeout.iter_mut().for_each(round_up);
        for hook in self.on_failure.iter_mut().chain(&mut self.finally) {
            hook.retry.round_times();
            hook.timeout.iter_mut().for_each(round_up);
        }
        round_up(&mut self.cancel_grace);
        for node in &mut self.nodes {
            node.retry.round_times();
            node.timeout.iter_mut().chain(&mut node.attempt_timeout).for_each(round_up);
            node.undo.iter_mut().for_each(|undo| undo.retry.round_times());
            match &mut node.kind {
                NodeKind::River { poll } => round_up(&mut poll.interval),
                NodeKind::Sleep { duration } => round_up(duration),
                _ => {}
            }
            node.bodies_mut().into_iter().for_each(PlanSpec::round_times);
        }
    }

    /// Gives every graph inside the name of the flow, which is the flow that their nodes belong to.
    pub(super) fn name_bodies(&mut self) {
        for body in self.nodes.iter_mut().flat_map(NodeSpec::bodies_mut) {
            body.flow = self.flow.clone();
            body.name_bodies();
        }
    }
}

/// One node of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its name, unique in the plan.
    pub name: Name,
    /// What kind of work it is.
    pub kind: NodeKind,
    /// Which registered code runs it. None: the handler that its flow has under the node's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Name>,
    /// What the registered code was given when the node was drawn: a river's own fields, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Box<str>>,
    /// The flow that it starts a run of, with an id of its own; the node ends as that run ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<Name>,
    /// What its code takes, of all that flows in. Code that cannot read it is not this node's.
    #[serde(default, skip_serializing_if = "Schema::is_any")]
    pub takes: Schema,
    /// What its code gives; of a foreach, what its results are folded into; of a signal, what it carries. Code that gives
    /// something else, which those behind it could not read, is not this node's.
    #[serde(default, skip_serializing_if = "Schema::is_any")]
    pub gives: Schema,
    /// What it waits for, in the order in which its handler gets the values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<EdgeSpec>,
    /// An aggregator turns the values of its edges into one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub aggregator: bool,
    /// How failed attempts are retried.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: RetryPolicy,
    /// How long one attempt may take.
    #[serde(rename = "attempt_timeout_ms", with = "opt_millis", default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Duration>,
    /// How long all attempts, waits and polls may take together, from the moment the node is ready.
    #[serde(rename = "timeout_ms", with = "opt_millis", default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The node has an `on_failure` of its own, which may give a substitute value.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rescue: bool,
    /// The node is carried to its end, and started when it becomes ready, even if the run is being stopped.
    #[serde(default, skip_serializing_if = "is_false")]
    pub atomic: bool,
    /// Its result is recorded before anything follows from it. If not, a worker that goes on with its successors itself
    /// records it together with theirs: quicker, and after a crash it runs again.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub durable: bool,
    /// How many of the nodes it waits for it needs.
    #[serde(default, skip_serializing_if = "is_all")]
    pub join: Join,
    /// What happens when it has failed for good.
    #[serde(default, skip_serializing_if = "is_fail")]
    pub on_exhausted: OnExhausted,
    /// There is an action that takes back what it did, called when the run fails or is stopped later on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoSpec>,
    /// Its failure fails the scope only when everything that does not depend on it has ended.
    #[serde(default, skip_serializing_if = "is_false")]
    pub isolated: bool,
    /// The sub-flows that it was drawn in, the outermost first. Their names stand before its own: `verify.fetch`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<Name>,
    /// The lane that its calls queue in; none for the common one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Name>,
    /// Shown with the node: colour and whatever else its author noted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Box<str>, Box<str>>,
}

impl NodeSpec {
    /// A node with a name, a kind and no options.
    #[must_use]
    pub fn new(name: Name, kind: NodeKind) -> Self {
        NodeSpec {
            name,
            kind,
            code: None,
            config: None,
            child: None,
            takes: Schema::Any,
            gives: Schema::Any,
            inputs: Vec::new(),
            aggregator: false,
            retry: RetryPolicy::default(),
            attempt_timeout: None,
            timeout: None,
            rescue: false,
            atomic: false,
            durable: true,
            join: Join::All,
            on_exhausted: OnExhausted::Fail,
            undo: None,
            isolated: false,
            group: Vec::new(),
            lane: None,
            labels: BTreeMap::new(),
        }
    }

    /// The graphs inside the node, in the order in which they were drawn: the arms of a branch, the body of a foreach
    /// or a basin.
    #[must_use]
    pub fn bodies(&self) -> Vec<&PlanSpec> {
        match &self.kind {
            NodeKind::Branch(branch) => branch.cases.iter().map(|case| &case.body).collect(),
            NodeKind::ForEach(foreach) => Vec::from([&foreach.body]),
            NodeKind::Basin(basin) => Vec::from([&basin.body]),
            _ => Vec::new(),
        }
    }

    /// The same, to change them.
    pub fn bodies_mut(&mut self) -> Vec<&mut PlanSpec> {
        match &mut self.kind {
            NodeKind::Branch(branch) => branch.cases.iter_mut().map(|case| &mut case.body).collect(),
            NodeKind::ForEach(foreach) => Vec::from([&mut foreach.body]),
            NodeKind::Basin(basin) => Vec::from([&mut basin.body]),
            _ => Vec::new(),
        }
    }

    /// Whether it waits for a signal, or a node inside of it does.
    pub(super) fn has_signal(&self) -> bool {
        let inside = || self.bodies().into_iter().flat_map(|body| &body.nodes).any(NodeSpec::has_signal);
        matches!(self.kind, NodeKind::Signal { .. }) || inside()
    }

    /// Whether the node submits work and polls for it.
    #[must_use]
    pub const fn is_river(&self) -> bool {
        matches!(self.kind, NodeKind::River { .. })
    }
}

/// What kind of work a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum NodeKind {
    /// One call of a handler.
    Task,
    /// Submit, then poll until it is done.
    River {
        /// How it is polled.
        poll: PollPolicy,
    },
    /// No work: it is done as soon as all that it waits for is done. A ParallelRiver's end.
    Gate,
    /// A chooser names the arms that are taken; each becomes a scope.
    Branch(Box<BranchSpec>),
    /// A handler reads items; each becomes a scope.
    ForEach(Box<ForEachSpec>),
    /// One scope with a copy of the context.
    Basin(Box<BasinSpec>),
    /// Waits for a signal, and gives what it carries.
    Signal {
        /// The signal's name.
        name: Name,
    },
    /// Waits, without a task, a slot or a lease, and gives what flowed in.
    Sleep {
        /// How long.
        #[serde(rename = "duration_ms", with = "millis")]
        duration: Duration,
    },
}

/// A conditional branch. None chosen: it gives its own input. One chosen: what that arm gives. Several: a map by key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BranchSpec {
    /// The arms, in the order they were drawn.
    pub cases: Vec<CaseSpec>,
    /// How many of the chosen arms it needs.
    #[serde(default, skip_serializing_if = "is_all")]
    pub join: Join,
    /// It gives a map by key in any case, also of one arm or none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub collect: bool,
}

/// One arm of a branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseSpec {
    /// The key that the chooser names it by.
    pub key: Box<str>,
    /// What it is made of.
    pub body: PlanSpec,
}

/// The same graph for each item. It is read in pages, and at most `window` items are scopes at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForEachSpec {
    /// What is done with each item.
    pub body: PlanSpec,
    /// The most items under way at once.
    pub window: u32,
    /// How many of the items it needs.
    #[serde(default, skip_serializing_if = "is_all")]
    pub join: Join,
    /// What failed items mean where all are needed.
    #[serde(default, skip_serializing_if = "is_stop")]
    pub partial: Partial,
    /// What it gives.
    pub gives: Gives,
}

/// A scope with a copy of the context: its writes are seen outside when it has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasinSpec {
    /// What flows in it.
    pub body: PlanSpec,
    /// The keys that are merged into the context outside at its end. None: all that it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<Vec<Box<str>>>,
}

/// How many of several things are needed. Those that are not needed any more are cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// All of them; a failure fails what waits.
    #[default]
    All,
    /// The first that succeeds.
    Any,
    /// The first so many that succeed.
    NOf(u32),
    /// All of them, failed ones too: each as a result or an error.
    AllSettled,
}

impl Join {
    /// How many successes are needed of `all` things. All settled needs none.
    pub(crate) fn needs(self, all: u64) -> u64 {
        match self {
            Join::All => all,
            Join::Any => 1,
            Join::NOf(count) => u64::from(count),
            Join::AllSettled => 0,
        }
    }
}

/// What failed items of a foreach mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partial {
    /// The first failed item cancels the others, and the foreach fails.
    #[default]
    Stop,
    /// All items are carried to their end; then the foreach fails if any failed.
    Finish,
    /// So many may fail, and are left out of the result; one more, and it is as with `Stop`.
    Tolerate(u32),
}

/// What a foreach gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gives {
    /// The results in the order of the items.
    List,
    /// The results by the keys of the items.
    Map,
    /// What a handler made of them, a batch after the other; nothing is kept of an item that was folded in.
    Reduced {
        /// Whether it gets them in the order of the items; if not, as they end.
        ordered: bool,
    },
}

/// What happens when a node has failed for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExhausted {
    /// Its scope fails: what runs is cancelled, what was done is undone where there are undo actions.
    #[default]
    Fail,
    /// It waits for an operator, who tries again, skips it or says what its result is.
    Pause,
    /// As `Fail`, and refused when the plan is made unless there is an undo action to call.
    Compensate,
}

/// How a node's undo action is retried. When that is spent, it waits for an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoSpec {
    /// Its retries.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: RetryPolicy,
}

/// How often and at which interval a river is polled. The interval passes before every poll, the first included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollPolicy {
    /// The most polls; 0 means the river is done when it was submitted.
    pub times: u32,
    /// The wait before each poll.
    #[serde(rename = "interval_ms", with = "millis")]
    pub interval: Duration,
}

/// One thing that a node waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeSpec {
    /// Where it comes from.
    pub from: Source,
    /// The edge only orders; it hands on no value.
    #[serde(default, skip_serializing_if = "is_false")]
    pub order_only: bool,
    /// A forwarder transforms the value on its way.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forwarder: bool,
}

impl EdgeSpec {
    /// An edge that hands on what `from` gives.
    #[must_use]
    pub const fn data(from: Source) -> Self {
        EdgeSpec { from, order_only: false, forwarder: false }
    }

    /// An edge that only orders.
    #[must_use]
    pub const fn order(from: Source) -> Self {
        EdgeSpec { from, order_only: true, forwarder: false }
    }
}

/// Where an edge comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The run's input.
    Input,
    /// The output of a node.
    Node(Name),
}

/// A hook of the flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookSpec {
    /// Which registered code it is. None: the hook of the flow's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Name>,
    /// What the registered code was given when the flow was drawn, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Box<str>>,
    /// How a failed hook is retried.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: RetryPolicy,
    /// How long one call may take. None: [`HOOK_TIMEOUT`].
    #[serde(rename = "timeout_ms", with = "opt_millis", default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

impl HookSpec {
    /// How long one call may take.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.timeout.unwrap_or(HOOK_TIMEOUT)
    }
}

const fn cancel_grace() -> Duration {
    crate::limits::CANCEL_GRACE
}

fn is_cancel_grace(grace: &Duration) -> bool {
    *grace == cancel_grace()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_all(join: &Join) -> bool {
    *join == Join::All
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_fail(choice: &OnExhausted) -> bool {
    *choice == OnExhausted::Fail
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_stop(choice: &Partial) -> bool {
    *choice == Partial::Stop
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

fn is_default(policy: &RetryPolicy) -> bool {
    *policy == RetryPolicy::default()
}
