//! Which inner scopes only the tables know: those that have ended, of runs that go on.

use crate::shared::fingerprint;
use rustc_hash::{FxHashMap, FxHashSet};
use vastflow_core::ScopeId;

/// Fingerprints of paths, by the keys of their runs. A few bytes a scope, because a foreach may have millions; two paths
/// that look alike cost a look into the tables.
#[derive(Default)]
pub(crate) struct PastScopes(FxHashMap<u64, FxHashSet<u32>>);

impl PastScopes {
    pub(crate) fn insert(&mut self, run: u64, path: &str) {
        self.0.entry(run).or_default().insert(short(path));
    }

    /// Whether only the tables may know this scope, if it is not in memory.
    pub(crate) fn may_have(&self, run: u64, scope: &ScopeId) -> bool {
        self.0.get(&run).is_some_and(|paths| !scope.is_root() && paths.contains(&short(scope.path())))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole run is in the tables only, or gone.
    pub(crate) fn forget(&mut self, run: u64) {
        self.0.remove(&run);
    }
}

fn short(path: &str) -> u32 {
    (fingerprint(path) >> 32) as u32
}
