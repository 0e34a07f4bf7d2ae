//! What went wrong, as `application/problem+json` (RFC 9457).

use serde::{Deserialize, Serialize};
use std::fmt;

/// The content type of problems.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong. Branch on `code`: it stays the same when the words are improved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Where the problem is explained: `docs/errors/` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The problem in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable code.
    pub code: String,
    /// What happened, why, and what to do.
    pub detail: String,
    /// The id of the request, or of the run that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem with a code, whose page and title follow from it.
    #[must_use]
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Self {
        Problem {
            kind: format!("https://github.com/vastflow/vastflow/blob/main/docs/errors/{code}.md"),
            title: code.replace('-', " "),
            status,
            code: code.to_owned(),
            detail: detail.into(),
            request_id: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.detail, self.code)
    }
}

impl std::error::Error for Problem {}
