//! Who may do what, and what was done.

use crate::bulk::{Action, Filter};
use serde::{Deserialize, Serialize};

/// Who asks, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The name that is recorded with what they ask for.
    pub name: String,
    /// What they may do.
    pub scopes: Vec<Scope>,
    /// The flows that they may do it with: names, or patterns with `*`.
    pub flows: Vec<String>,
    /// How they are known.
    #[serde(default)]
    pub by: KnownBy,
    /// Whether the service only shows, so that nobody changes anything by it.
    #[serde(default)]
    pub read_only: bool,
}

/// How the service knows who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KnownBy {
    /// Anybody who reaches the service may do everything.
    #[default]
    Nothing,
    /// By the token that was sent.
    Token,
    /// By the cookie of a session, which `DELETE /api/v1/session` ends.
    Session,
    /// By the signature of the request.
    Signature,
}

/// A right. `admin` includes `operator`, which includes `viewer`; `payload:read` is included in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub enum Scope {
    /// Look at everything but what runs carry.
    #[serde(rename = "viewer")]
    Viewer,
    /// Start, signal, pause, resume, stop, kill, retry, fork, resolve.
    #[serde(rename = "operator")]
    Operator,
    /// Delete, make tokens, read the audit log.
    #[serde(rename = "admin")]
    Admin,
    /// See what runs carry: inputs and outputs.
    #[serde(rename = "payload:read")]
    PayloadRead,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Admin, Self::PayloadRead];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Viewer => "viewer",
            Scope::Operator => "operator",
            Scope::Admin => "admin",
            Scope::PayloadRead => "payload:read",
        }
    }

    /// The right that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// A token to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Who it is for: recorded with what is asked for by it.
    pub name: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// With which flows: names, or patterns with `*`; all unless said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<String>,
    /// For how many days; 90 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// A token without its secret, of which only a hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// Who it is for.
    pub name: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// With which flows.
    pub flows: Vec<String>,
    /// When it was made.
    pub created_at_ms: u64,
    /// When it ends.
    pub expires_at_ms: u64,
}

/// A new token. Its secret is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MadeToken {
    /// The token without its secret.
    pub row: TokenRow,
    /// What goes behind `Authorization: Bearer`.
    pub token: String,
}

impl std::fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadeToken({}, …)", self.row.id)
    }
}

/// Something that somebody did by the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRow {
    /// When.
    pub at_ms: u64,
    /// Who; none when nobody was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What was asked for: an `operationId` of the OpenAPI document.
    pub operation: String,
    /// The path.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// The id of the request, or of the run that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The run that it was about, if it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The reason that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Of how many runs what was asked, if it was asked of many at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<BulkRow>,
}

/// Something that was asked of many runs at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BulkRow {
    /// What was asked.
    pub action: Action,
    /// Whether they were only counted.
    pub dry_run: bool,
    /// The runs that were named: the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// How they were found, if they were not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// How many runs it was about.
    pub matched: u64,
    /// Of how many it was done.
    pub done: u64,
    /// Of how many it could not be done.
    pub failed: u64,
    /// Of which it was done: the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<String>,
}
