//! What a flow is, as plain data: the form that builders write, stores keep and tools read.

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
        PlanSpec { flow, nodes: Vec::new(), outputs: Vec::new(), timeout: None, on_failure: None, finally: None }
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
        for node in &mut self.nodes {
            node.retry.round_times();
            node.timeout.iter_mut().chain(&mut node.attempt_timeout).for_each(round_up);
            if let NodeKind::River { poll } = &mut node.kind {
                round_up(&mut poll.interval);
            }
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
            inputs: Vec::new(),
            aggregator: false,
            retry: RetryPolicy::default(),
            attempt_timeout: None,
            timeout: None,
            rescue: false,
            atomic: false,
            durable: true,
            labels: BTreeMap::new(),
        }
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
