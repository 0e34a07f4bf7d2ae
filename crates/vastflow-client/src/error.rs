//! Why something that was asked of a service was not done.

use vastflow_api::problem::Problem;

/// Why something that was asked of a service was not done. [`ClientError::code`] is stable; the text says what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The service said so.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// It could not be reached, or did not answer, each of several times. Whether what was asked for was done is unknown;
    /// asking again is safe.
    #[error("cannot reach {url}: {why}; check the address, and whether the service runs")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened.
        why: String,
    },
    /// Somebody answered, but not as this service does.
    #[error("{url} answered {status}, and not as vastflow's service does: {why}; check the address, and the versions")]
    Strange {
        /// Who.
        url: String,
        /// With which status.
        status: u16,
        /// What is strange.
        why: String,
    },
    /// The client was given something that is no URL, or no header.
    #[error("{0}")]
    Setting(String),
}

impl ClientError {
    /// A short code that stays the same when the text is improved: that of the problem, if the service said one.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            ClientError::Problem(problem) => &problem.code,
            ClientError::Unreachable { .. } => "unreachable",
            ClientError::Strange { .. } => "strange-answer",
            ClientError::Setting(_) => "setting",
        }
    }
}
