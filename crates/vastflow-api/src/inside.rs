//! What is inside of a run: what it keeps in its context, the scopes that a node opened.

use serde::{Deserialize, Serialize};

/// A value of a run's context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContextRow {
    /// Its key.
    pub key: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// It, if it is text: JSON in most cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// It in base 64, if it is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Whether only its beginning is here.
    #[serde(default)]
    pub cut: bool,
}

/// A scope that a node opened: an item of a foreach, an arm of a branch, a basin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScopeRow {
    /// Its key.
    pub key: String,
    /// Where it stands.
    pub status: ScopeStatus,
    /// When it was known that it will be.
    pub since_ms: u64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// Where a scope stands, as the node around it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ScopeStatus {
    /// It has not begun: so many others are under way that it waits for one of them.
    #[default]
    Waiting,
    /// It is under way.
    Running,
    /// Something in it waits for an operator.
    Parked,
    /// It has its result.
    Succeeded,
    /// It failed, or was stopped.
    Failed,
}

impl ScopeStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Parked, Self::Succeeded, Self::Failed];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ScopeStatus::Waiting => "waiting",
            ScopeStatus::Running => "running",
            ScopeStatus::Parked => "parked",
            ScopeStatus::Succeeded => "succeeded",
            ScopeStatus::Failed => "failed",
        }
    }
}
