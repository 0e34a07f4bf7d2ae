//! Figures: how many runs began and ended over time, and how the nodes of a flow went in its newest runs.

use crate::run::RunRow;
use serde::{Deserialize, Serialize};

/// Runs over time: one number for each step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Figures {
    /// When the first step begins.
    pub since_ms: u64,
    /// How long a step is.
    pub step_ms: u64,
    /// How many runs began.
    pub started: Vec<u64>,
    /// How many succeeded.
    pub succeeded: Vec<u64>,
    /// How many failed.
    pub failed: Vec<u64>,
    /// How many were stopped.
    pub stopped: Vec<u64>,
    /// Half of those that ended took at most this.
    pub p50_ms: Vec<Option<u64>>,
    /// 95 of 100 that ended took at most this.
    pub p95_ms: Vec<Option<u64>>,
    /// How many runs were looked at.
    pub looked_at: u64,
    /// Whether there were more runs in that time than are looked at: what is missing is the oldest.
    pub is_partial: bool,
}

/// The newest runs of a flow, node by node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Grid {
    /// The nodes, in the order of the newest run's plan.
    pub nodes: Vec<String>,
    /// The runs, the newest first.
    pub runs: Vec<GridRow>,
    /// Whether there are more nodes than are shown.
    #[serde(default)]
    pub cut: bool,
}

/// A run of a [`Grid`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GridRow {
    /// The run.
    pub run: RunRow,
    /// Where its nodes stand, in the order of the grid's; null where its plan has no such node.
    pub states: Vec<Option<String>>,
}

/// How a node went in the newest runs of its flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeStats {
    /// The node.
    pub name: String,
    /// In how many runs its code was called.
    pub runs: u64,
    /// In how many of those it failed for good.
    pub failed: u64,
    /// How many calls of its code there were.
    pub calls: u64,
    /// In half of those runs, the calls took at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<u64>,
    /// In 95 of 100, at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
}
