//! Runs: in a list, and starting one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// It waits in line until it is admitted.
    Queued,
    /// It goes on.
    Running,
    /// Somebody asked that nothing new start for a while.
    Paused,
    /// Something failed for good and waits for an operator.
    NeedsAttention,
    /// It is about to end: what runs is waited for, then the hooks run.
    Stopping,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// It was stopped.
    Stopped,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Paused,
        Self::NeedsAttention,
        Self::Stopping,
        Self::Succeeded,
        Self::Failed,
        Self::Stopped,
    ];

    /// Whether nothing will happen any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Status::Succeeded | Status::Failed | Status::Stopped)
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::NeedsAttention => "needs-attention",
            Status::Stopping => "stopping",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Stopped => "stopped",
        }
    }

    /// The status that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A run in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// The flow it is a run of.
    pub flow: String,
    /// Where it stands.
    pub status: Status,
    /// When it began.
    pub started_at_ms: u64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<u64>,
    /// The plan that it follows, by its hash.
    pub plan: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How many runs of its flow with the same key are in flight at once may be limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The lane that its calls queue in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i8,
    /// The moment by which it must have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// W3C trace context that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The run that it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Why it failed, or will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Who had it stopped, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Asked>,
    /// How many bytes its input has.
    pub input_bytes: u64,
    /// How many bytes its output has, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

/// Where a run goes on from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Origin {
    /// The other run.
    pub run: String,
    /// What was asked for: `retry`, `rerun` or `fork`.
    pub verb: String,
    /// Who asked.
    pub by: String,
    /// Why.
    pub why: String,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// The node that failed; none when the run itself did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What kind of failure it is: `error`, `panic`, `timeout`…
    pub kind: String,
    /// What it said.
    pub text: String,
}

/// Who asked for something, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Asked {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

/// A run to start. Its input is JSON here; `POST /flow/{name}` takes any bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StartRun {
    /// The flow.
    pub flow: String,
    /// Its input: any JSON.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input: serde_json::Value,
    /// The run's id; the same id with the same flow and input again is the same run. Generated unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its key, see [`RunRow::key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its lane, see [`RunRow::lane`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i8,
    /// How long it may take, with all its waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_in_ms: Option<u64>,
}

/// A run that goes on, and where to ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Accepted {
    /// The run's id.
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// Where to ask.
    pub links: Links,
}

/// Where to ask for a run: paths of the same service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Links {
    /// The run in short.
    pub run: String,
    /// Its nodes.
    pub view: String,
    /// Its output, once it succeeded.
    pub output: String,
    /// What is recorded of it, as it is recorded.
    pub stream: String,
}

/// How many runs there are of each status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counts {
    /// By status; each is there.
    pub runs: BTreeMap<Status, u64>,
    /// Runs that have not ended.
    pub unfinished: u64,
}
