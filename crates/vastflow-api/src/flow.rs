//! Flows: what they take, and how their runs go.

use crate::figures::NodeStats;
use serde::{Deserialize, Serialize};

/// A flow in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlowRow {
    /// Its name.
    pub name: String,
    /// The plan that new runs follow, by its hash; none when several are stored and nobody says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// All plans of it that are stored.
    pub plans: Vec<String>,
    /// How many nodes its plan has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u64>,
    /// Whether this program has its code.
    pub has_code: bool,
    /// How many workers that are alive have the code of its plan.
    pub workers: u64,
}

/// A flow as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlowView {
    /// The flow in short.
    pub flow: FlowRow,
    /// What it takes, as JSON Schema, as far as its types tell.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input_schema: serde_json::Value,
    /// The signals that its nodes wait for.
    pub signals: Vec<String>,
}

/// How the newest runs of a flow went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlowStats {
    /// How many of its newest runs were looked at.
    pub runs: u64,
    /// How many of those go on.
    pub unfinished: u64,
    /// How many succeeded.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// How many were stopped.
    pub stopped: u64,
    /// Half of those that ended took at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<u64>,
    /// 95 of 100 that ended took at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
    /// How its nodes went in the 25 newest runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeStats>,
}
