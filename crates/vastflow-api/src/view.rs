//! A run to look at: its nodes with states, times, calls and errors.

use crate::run::Status;
use serde::{Deserialize, Serialize};

/// A run, or one scope of it, to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunView {
    /// The run.
    pub id: String,
    /// The flow it is a run of.
    pub flow: String,
    /// Where in the run this is: empty for the run itself, `outer[key]` for an item or an arm.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Where it stands.
    pub status: Status,
    /// When it began.
    pub started_at_ms: u64,
    /// From its start to its end, or until now.
    pub took_ms: u64,
    /// How it ended, or will end, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// W3C trace context that the run belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Its nodes, as drawn.
    pub nodes: Vec<NodeView>,
    /// The hooks of its flow that were called or are due.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<NodeView>,
    /// The code that it waits for, because nobody who looked has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// One node, or one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Where it stands: `waiting`, `ready`, `running`, `succeeded`, `failed`…
    pub status: String,
    /// Whether nothing will happen with it any more.
    pub is_final: bool,
    /// When it was first ready to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at_ms: Option<u64>,
    /// When its last call was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<u64>,
    /// How many calls of its code were recorded.
    pub calls: u32,
    /// Time spent in those.
    pub busy_ms: u64,
    /// What its last failed or unfinished call said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// Whom it waits for: a signal, an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The worker that has a call of it in hand now. Who made the calls before is not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Its calls; of its polls the last hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<CallView>,
    /// The states that it was in between waiting and its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// The scopes that it opened, counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<Inner>,
}

/// One call of a node's code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallView {
    /// What was called: `attempt`, `poll`, `rescue`, `fold`, `undo` or `hook`.
    pub kind: String,
    /// Which attempt, tick or try it was, from 1.
    pub number: u32,
    /// When it was recorded.
    pub ended_at_ms: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// Whether it failed.
    pub failed: bool,
    /// What it said, if it failed or found the work unfinished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A state that a node was in, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Phase {
    /// The state.
    pub status: String,
    /// Since when.
    pub since_ms: u64,
    /// Until when; none while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

/// The scopes that a node opened, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Inner {
    /// How many are known.
    pub scopes: u64,
    /// How many have ended.
    pub ended: u64,
    /// How many of those failed.
    pub failed: u64,
    /// Of a branch: the arms that were taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Those in which something waits for an operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parked: Vec<String>,
}
