//! Why a copy broke off.

use crate::error::StoreError;
use std::fmt;
use vastflow_core::run::Illegal;
use vastflow_core::{PlanHash, RunId, ScopeId};

/// A copy could not go on. What was copied before stays, and the next call goes on from there.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The store that is copied could not be read.
    #[error("cannot read {} from the source: {source}; copy again when it can be read", Of(run))]
    Source {
        /// Which run was read.
        run: Option<RunId>,
        /// What the store said.
        source: StoreError,
    },
    /// The store that is copied to did not answer, or not as it should.
    #[error("cannot write {} to the target: {source}; copy again, and it goes on from there", Of(run))]
    Target {
        /// Which run was written.
        run: Option<RunId>,
        /// What the store said.
        source: StoreError,
    },
    /// The target has something else under the same id.
    #[error(
        "what the target has in {scope} is no copy of what the source has: it is another run of that id, or the run went on \
         in both places; decide which one counts, delete the other when it is over, and copy again"
    )]
    Differs {
        /// In which scope.
        scope: ScopeId,
    },
    /// A journal of the source cannot be understood.
    #[error("the journal of {scope} makes no sense: {source}; look into this run, or delete it, and copy again")]
    Illegal {
        /// Which scope's.
        scope: ScopeId,
        /// What is wrong with it.
        source: Illegal,
    },
    /// The source lists a run of which it has no journal.
    #[error("run {run} has no journal in the source; look into this run, or delete it, and copy again")]
    Empty {
        /// Which run.
        run: RunId,
    },
    /// The source does not have the plan of a run, or the plan does not know one of its scopes.
    #[error(
        "run {run} follows plan {plan}, and the source does not have it whole; look into this run, or delete it, and copy \
             again"
    )]
    NoPlan {
        /// Which run.
        run: RunId,
        /// Its plan.
        plan: PlanHash,
    },
    /// Something cannot be put into bytes, which nothing of this version cannot.
    #[error("what {scope} holds cannot be written: {source}; report it, with this text")]
    Codec {
        /// Which scope.
        scope: ScopeId,
        /// Why not.
        source: vastflow_core::codec::CodecError,
    },
}

impl CopyError {
    /// Whether trying again may help, with nothing else done.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            CopyError::Source { source, .. } | CopyError::Target { source, .. } => source.is_transient(),
            _ => false,
        }
    }
}

/// What was read or written, in words.
struct Of<'a>(&'a Option<RunId>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(run) => write!(f, "run {run}"),
            None => f.write_str("plans and lists"),
        }
    }
}
