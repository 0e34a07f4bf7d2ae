//! Workers, queues, and what waits for a person.

use serde::{Deserialize, Serialize};

/// The workers of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Workers {
    /// Those that were not given up.
    pub workers: Vec<WorkerRow>,
    /// How many tasks were taken from workers that were given up.
    pub taken_over: u64,
    /// How many commits were refused because who made them did not hold the task any more.
    pub fenced: u64,
}

/// A worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerRow {
    /// Its id.
    pub id: String,
    /// The name that people gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The machine it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// The version of the program.
    pub version: String,
    /// Whether its time is not over.
    pub is_alive: bool,
    /// Until when it counts as alive.
    pub until_ms: u64,
    /// How many calls it makes at once.
    pub slots: u64,
    /// How many calls it has in hand.
    pub in_hand: u64,
    /// The lanes it serves.
    pub lanes: Vec<String>,
    /// The plans it has the code for, by hash.
    pub serves: Vec<String>,
    /// The plans it lacks code for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<Lack>,
}

/// A plan that a worker lacks code for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lack {
    /// The plan.
    pub plan: String,
    /// What it lacks first.
    pub first: String,
}

/// The calls of one flow's plan that queue in one lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueRow {
    /// The flow.
    pub flow: String,
    /// The plan.
    pub plan: String,
    /// The lane; none: the common one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// How many could be claimed now.
    pub ready: u64,
    /// Since when the oldest of those could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ready_ms: Option<u64>,
    /// How many become visible later.
    pub later: u64,
    /// How many are in the hands of workers.
    pub in_hand: u64,
    /// How many are kept back, because their run is held.
    pub held: u64,
}

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttentionItem {
    /// Why it is listed.
    pub kind: Waits,
    /// The flow.
    pub flow: String,
    /// The run; none when it is about all runs of a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The node, as `resolve` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The signal that is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Since when it waits, or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// What is the matter.
    pub why: String,
    /// How many runs it is about.
    pub runs: u64,
}

/// Why something waits for a person, or is told to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Waits {
    /// A node failed for good: retry, skip or mark it done.
    Operator,
    /// An undo action failed for good: retry, skip or mark it done.
    Undo,
    /// A call was under way whenever its workers went down: look why before it is tried again.
    Quarantined,
    /// A node waits for a signal for long: send it, or stop the run.
    Signal,
    /// No worker that is alive has the code that runs need.
    Code,
    /// A call that was under way when its process died runs alone, to find out whether it is the cause: nothing need be done.
    Suspect,
    /// A run failed: look why, then retry it or let it be.
    Failed,
}

/// Whether the service is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok`, or what is the matter.
    pub status: String,
    /// The version of the program.
    pub version: String,
    /// Anyone who reaches the service may do everything: it was told so in so many words.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure_no_auth: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_false(value: &bool) -> bool {
    !*value
}
