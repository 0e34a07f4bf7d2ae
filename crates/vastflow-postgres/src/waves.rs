//! Which elements of a batch may be applied by the same statements: those that need not see one another.

use rustc_hash::FxHashSet;
use vastflow_core::{RunId, ScopeId, Task};
use vastflow_store::Commit;

/// What was said in the current wave.
#[derive(Default)]
struct Said<'a> {
    /// Runs that all their scopes must see as they are now: begun, or with another control word.
    changed: FxHashSet<&'a RunId>,
    runs: FxHashSet<&'a RunId>,
    /// Scopes that have emptied their inbox.
    delivered: FxHashSet<&'a ScopeId>,
}

impl<'a> Said<'a> {
    /// Whether an element must see what was said before it.
    fn concerns(&self, commit: &Commit) -> bool {
        let run = commit.scope.run();
        self.changed.contains(run)
            || changes(commit) && self.runs.contains(run)
            || commit.messages.iter().any(|message| self.delivered.contains(&message.to))
    }

    fn add(&mut self, commit: &'a Commit) {
        let run = commit.scope.run();
        self.runs.insert(run);
        if changes(commit) {
            self.changed.insert(run);
        }
        if commit.settle.iter().any(|(task, _)| *task == Task::Deliver) {
            self.delivered.insert(&commit.scope);
        }
    }
}

/// Whether the other scopes of its run must see it.
fn changes(commit: &Commit) -> bool {
    commit.control.is_some() || commit.scope.is_root() && commit.expected.0 == 0
}

/// The last element of each wave, counted from 1.
pub(crate) fn waves(commits: &[&Commit]) -> Vec<i32> {
    let mut ends = Vec::new();
    let mut said = Said::default();
    for (at, commit) in commits.iter().enumerate() {
        if said.concerns(commit) {
            ends.push(i32::try_from(at).unwrap_or(i32::MAX));
            said = Said::default();
        }
        said.add(commit);
    }
    ends.push(i32::try_from(commits.len()).unwrap_or(i32::MAX));
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_store::Control;
    use vastflow_testsuite::fixture;

    #[test]
    fn strangers_go_together() {
        let commits =
            [fixture::start_commit("a"), fixture::start_commit("b"), fixture::commit(&fixture::inner("c", "1"), 3)];
        assert_eq!(waves(&commits.iter().collect::<Vec<_>>()), [3]);
    }

    #[test]
    fn what_must_be_seen_comes_before() {
        let root = fixture::root("r");
        let mut hold = fixture::commit(&root, 3);
        hold.control = Some(Control::Held);
        let inner = fixture::commit(&fixture::inner("r", "1"), 2);
        let commits = [inner.clone(), hold, inner, fixture::start_commit("other")];
        assert_eq!(waves(&commits.iter().collect::<Vec<_>>()), [1, 2, 4]);
    }
}
