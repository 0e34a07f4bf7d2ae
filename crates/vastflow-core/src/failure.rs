//! Why something failed: kept as text, cut to a limit, never a stack of types.

use crate::id::Name;
use crate::limits::MAX_FAILURE_BYTES;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FailureKind {
    /// The handler returned an error.
    Error,
    /// The handler panicked; the message is the panic's text.
    Panic,
    /// A time limit passed: of the attempt, the node or the run.
    Timeout,
    /// A hook (on_failure, finally, Atlantic) failed after its last try.
    Hook,
    /// The engine could not call the handler: its input did not decode, or its code is gone.
    Engine,
    /// Nobody can say whether what was asked for has happened.
    Unknown,
    /// Calling it ended the process that did, again and again; it is not called any more.
    Quarantined,
}

impl FailureKind {
    /// What the failure of an inner scope is to the scope around it: its text says the rest.
    pub(crate) const fn of_inner(self) -> Self {
        match self {
            FailureKind::Timeout => FailureKind::Timeout,
            _ => FailureKind::Error,
        }
    }

    /// Whether the work may have been done all the same, so that there may be something to undo.
    #[must_use]
    pub const fn is_unclear(self) -> bool {
        matches!(self, FailureKind::Unknown | FailureKind::Timeout | FailureKind::Panic | FailureKind::Quarantined)
    }
}

/// A failure as it is recorded: kind, message, and the cause where one was told before.
///
/// ```
/// use vastflow_core::{Failure, FailureKind};
///
/// let failure = Failure::new(FailureKind::Error, "disk").because("busy");
/// assert_eq!(failure.to_string(), "disk, cause: busy");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What the handler said, at most 4 KiB of it.
    pub message: Box<str>,
    /// What an earlier try of the same work said.
    pub cause: Option<Box<str>>,
}

impl Failure {
    /// A failure with a message, cut to [`MAX_FAILURE_BYTES`].
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure { kind, message: cut(message.into()).into(), cause: None }
    }

    /// The same, told by the scope around: it names the key of the inner one.
    #[must_use]
    pub fn in_scope(mut self, key: &str) -> Self {
        if !key.is_empty() {
            self.message = cut(alloc::format!("[{key}] {}", self.message)).into();
        }
        self
    }

    /// The same with a cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cut(cause.into()).into());
        self
    }
}

/// At most [`MAX_FAILURE_BYTES`] of `text`, cut at a character.
fn cut(mut text: String) -> String {
    if text.len() > MAX_FAILURE_BYTES {
        let end = (0..=MAX_FAILURE_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FailureKind::Panic => write!(f, "panicked: {}", self.message)?,
            FailureKind::Hook => write!(f, "failed in handler: {}", self.message)?,
            _ => f.write_str(&self.message)?,
        }
        match &self.cause {
            Some(cause) => write!(f, ", cause: {cause}"),
            None => Ok(()),
        }
    }
}

/// Why a run failed: the failure and the node that it began in, if it was one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunFailure {
    /// The node that failed; none when the run itself did (its time limit, a hook).
    pub node: Option<Name>,
    /// What happened.
    pub failure: Failure,
}

impl fmt::Display for RunFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(node) => write!(f, "{node}: {}", self.failure),
            None => self.failure.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let failure = Failure::new(FailureKind::Error, "é".repeat(MAX_FAILURE_BYTES));
        assert!(failure.message.len() <= MAX_FAILURE_BYTES + '…'.len_utf8());
        assert!(failure.message.ends_with('…'));
    }
}
