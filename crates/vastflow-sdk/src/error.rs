//! Errors as handlers write them.

use std::error::Error;
use std::fmt;

/// Any error of a handler.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// The result of a handler: `?` takes any error, and any text by `.into()`.
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

/// An error of a handler that says whether trying again makes sense.
///
/// Plain errors may be retried if the node has a retry policy. This type is for the others:
///
/// ```
/// use vastflow_sdk::{NodeError, Result};
///
/// async fn charge(cents: u64) -> Result<()> {
///     if cents == 0 {
///         return Err(NodeError::fatal("nothing to charge").into());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct NodeError {
    cause: BoxError,
    fatal: bool,
}

impl NodeError {
    /// An error that the node's retry policy may try again.
    pub fn new(cause: impl Into<BoxError>) -> Self {
        NodeError { cause: cause.into(), fatal: false }
    }

    /// An error that must not be tried again.
    pub fn fatal(cause: impl Into<BoxError>) -> Self {
        NodeError { cause: cause.into(), fatal: true }
    }

    /// Whether it must not be tried again.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        self.fatal
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for NodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// The text of an error and of what caused it, outermost first.
pub(crate) fn text_of(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Many errors repeat their source in their own text.
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// Whether a handler's error forbids another try.
pub(crate) fn is_fatal(error: &BoxError) -> bool {
    error.downcast_ref::<NodeError>().is_some_and(NodeError::is_fatal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_holds_the_whole_chain_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot fetch")]
        struct Outer(#[source] std::io::Error);
        let outer = Outer(std::io::Error::other("refused"));
        assert_eq!(text_of(&outer), "cannot fetch: refused");
        assert_eq!(text_of(&NodeError::fatal("boom")), "boom");
    }
}
