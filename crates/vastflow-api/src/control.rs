//! What is asked of a run.

use serde::{Deserialize, Serialize};

/// Why something is asked for. It is recorded with who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Why.
    #[serde(default)]
    pub why: String,
}

/// Where a run is forked, and with what. At most one of `input` and `output` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ForkRun {
    /// The node: it and all that follows from it are done again; what other nodes gave is kept.
    pub node: String,
    /// The node gets this instead of what flows into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub input: Option<serde_json::Value>,
    /// The node is not called: this is what it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub output: Option<serde_json::Value>,
    /// The id of the new run; generated from the old one's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why.
    #[serde(default)]
    pub why: String,
}

/// How it goes on with a node that waits for an operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The node, as `attention` names it: `node`, inside others `outer[key]/node`.
    pub at: String,
    /// What is to be done.
    pub choice: Choice,
    /// Of `done`: what the node gave; `null` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub output: Option<serde_json::Value>,
    /// Why.
    #[serde(default)]
    pub why: String,
}

/// A choice of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Choice {
    /// Try again, with all its retries.
    Retry,
    /// Go on without it: its result is `null`.
    Skip,
    /// It was done by hand.
    Done,
}
