//! What can go wrong with a store, split by what the caller can do about it.

use std::error::Error;
use std::sync::Arc;

/// A store could not do what was asked. Conflicts and fences are answers ([`Committed`](crate::Committed)), not errors.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached or is busy. Whether a commit took effect is unknown; repeating it is safe.
    #[error("the store is not available: {why}; it is safe to try again")]
    Unavailable {
        /// What happened.
        why: String,
        /// What the driver said.
        source: Option<Cause>,
    },
    /// What it holds makes no sense. Nothing must be written on top of it.
    #[error("the store holds something that makes no sense: {why}; stop, keep a copy of it, and look into it")]
    Corrupt {
        /// What does not make sense.
        why: String,
        /// What the driver said.
        source: Option<Cause>,
    },
    /// Somebody else uses it, or it cannot be used from here; the text says who and what to do.
    #[error("{0}")]
    Refused(String),
    /// It was closed, or it stopped itself because it could not be trusted any more (a failed sync, a full disk).
    #[error("the store is closed: {why}")]
    Closed {
        /// Why, and what to do.
        why: String,
    },
    /// What was asked for is not there.
    #[error("there is no {what}")]
    NotFound {
        /// What is not there.
        what: String,
    },
    /// The commit itself is not well formed: a bug of the caller.
    #[error("the commit is not well formed: {0}")]
    Invalid(String),
    /// This kind of store cannot do it at all.
    #[error("this store cannot {0}")]
    Unsupported(String),
}

/// What a driver said; its type is the store's own business.
pub type Cause = Arc<dyn Error + Send + Sync>;

impl StoreError {
    /// [`StoreError::Unavailable`] without a driver's error.
    pub fn unavailable(why: impl Into<String>) -> Self {
        StoreError::Unavailable { why: why.into(), source: None }
    }

    /// [`StoreError::Unavailable`] with what the driver said.
    pub fn unavailable_by(why: impl Into<String>, cause: impl Error + Send + Sync + 'static) -> Self {
        let why = format!("{}: {cause}", why.into());
        StoreError::Unavailable { why, source: Some(Arc::new(cause)) }
    }

    /// [`StoreError::Corrupt`] without a driver's error.
    pub fn corrupt(why: impl Into<String>) -> Self {
        StoreError::Corrupt { why: why.into(), source: None }
    }

    /// Whether trying again may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, StoreError::Unavailable { .. })
    }

    /// A short code that stays the same when the text is improved.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            StoreError::Unavailable { .. } => "store-unavailable",
            StoreError::Corrupt { .. } => "store-corrupt",
            StoreError::Refused(_) => "store-refused",
            StoreError::Closed { .. } => "store-closed",
            StoreError::NotFound { .. } => "store-not-found",
            StoreError::Invalid(_) => "store-invalid-commit",
            StoreError::Unsupported(_) => "store-unsupported",
        }
    }
}
