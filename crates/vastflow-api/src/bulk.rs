//! Something asked of many runs at once.

use crate::run::Status;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which runs something is asked of, and what. Runs are named by `ids` or found by `filter`, never both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// What is asked.
    pub action: Action,
    /// These runs; at most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Runs like these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Only count them: nothing is done. True unless said, so that nothing happens by accident.
    #[serde(default = "yes")]
    pub dry_run: bool,
    /// What a dry run counted. If there are more now, nothing is done. With a filter say `until`, too, if it gave a `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// Why.
    #[serde(default)]
    pub why: String,
    /// With a filter: go on there, as the answer before gave it as `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// With a filter: look no further than there, as a dry run gave it as `next`, so that it is about the runs that were counted
    /// and `expected` is about no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

const fn yes() -> bool {
    true
}

/// What can be asked of many runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// Nothing new starts.
    Pause,
    /// They go on.
    Resume,
    /// They stop when what runs has ended.
    Stop,
    /// They end without waiting.
    Kill,
    /// New runs go on where these failed.
    Retry,
    /// New runs from the start.
    Rerun,
    /// They are deleted; only those that are over. Needs the right `admin`.
    Delete,
}

/// Runs that have all of this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Of this flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// With this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// With all of these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// That began then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// That began before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// With this text in their id, in the value of a label, or in what they failed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
}

/// What was done, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BulkDone {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// How many runs it is about.
    pub matched: u64,
    /// Of how many it was done.
    pub done: u64,
    /// Some of them: at most 20.
    pub sample: Vec<String>,
    /// Where it could not be done, and why; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Refused>,
    /// Whether there are, or may be, more than one call takes: ask again, with `next` as `before`.
    pub more: bool,
    /// Where to go on, as `before`: it is about no run behind that, and further runs fit the filter, or may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A run of which something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Refused {
    /// The run.
    pub id: String,
    /// The code of the problem.
    pub code: String,
    /// What happened.
    pub detail: String,
}
