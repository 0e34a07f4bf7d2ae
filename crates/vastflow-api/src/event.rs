//! What is recorded of a run, and what streams say.

use crate::run::RunRow;
use serde::{Deserialize, Serialize};

/// One thing that was recorded of a run. What it carried is not in it, only how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventRow {
    /// Its place in the journal of its scope, from 0. In streams it is the event's id, for `Last-Event-ID`.
    pub seq: u64,
    /// When it was recorded.
    pub at_ms: u64,
    /// What kind of event it is: `RunStarted`, `NodeSucceeded`, `RunEnded`…
    pub kind: String,
    /// The node that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The same as a line to read.
    pub text: String,
    /// Of a call: how long it took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_us: Option<u64>,
}

/// What calls of a run said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunLogs {
    /// The lines, in the order in which the calls ended.
    pub lines: Vec<LogRow>,
    /// How many lines were said besides, and not kept.
    pub dropped: u64,
    /// The `after` of the next page; none when this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How far it was read: as `after` it asks for what was said from then on.
    #[serde(default)]
    pub seen: String,
}

/// A line that a call said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogRow {
    /// When the call's end was recorded.
    pub at_ms: u64,
    /// The node; none: a hook of the flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Which attempt, from 1; of a poll, which tick.
    pub attempt: u32,
    /// How long after its call had begun, in microseconds.
    pub after_us: u64,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// What was said.
    pub text: String,
}

/// What the stream of all runs says: a run began, or something about it changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunChanged {
    /// The run as it stands now.
    pub run: RunRow,
}
