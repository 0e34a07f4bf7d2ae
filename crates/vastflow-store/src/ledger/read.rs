//! Reading a ledger.

use super::{Ledger, QueuedTask, Run};
use crate::query::{Counts, Filling, RunPage, RunQuery, RunRow};
use std::sync::Arc;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, RunStatus, ScopeId, Seq};

impl Ledger {
    /// Events of a scope from position `after` on; of what was let go of with [`Ledger::trim`] there are none.
    #[must_use]
    pub fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Vec<Recorded> {
        let run = self.runs.get(scope.run());
        run.and_then(|run| run.scope(scope)).map_or_else(Vec::new, |scope| scope.journal.history(after, limit))
    }

    /// The plan with this hash.
    #[must_use]
    pub fn plan(&self, hash: PlanHash) -> Option<Arc<Plan>> {
        self.plans.get(&hash).cloned()
    }

    /// All plans, ordered by hash.
    #[must_use]
    pub fn plans(&self) -> Vec<Arc<Plan>> {
        self.plans.values().cloned().collect()
    }

    /// One run in short.
    #[must_use]
    pub fn run(&self, id: &RunId) -> Option<RunRow> {
        self.runs.get(id).map(|run| run.row(id.clone()))
    }

    /// Runs in short, newest first.
    #[must_use]
    pub fn runs(&self, query: &RunQuery) -> RunPage {
        let size = query.page_size();
        let older = self.order.range(..query.before.unwrap_or(u64::MAX)).rev();
        let found = older.filter_map(|(_, id)| Some((id, self.runs.get(id)?)));
        let mut asked = found.filter(|(_, run)| query.matches(run.known.started(), run.known.status()));
        let mut filling = Filling::new(size);
        while !filling.is_done()
            && let Some((id, run)) = asked.next()
        {
            filling.take(run.row(id.clone()));
        }
        filling.page()
    }

    /// How many runs there are of each status.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.tally.counts
    }

    /// The tasks that exist in a scope.
    #[must_use]
    pub fn tasks(&self, scope: &ScopeId) -> Vec<QueuedTask> {
        let run = self.runs.get(scope.run());
        run.and_then(|run| run.scope(scope)).map_or_else(Vec::new, |scope| scope.tasks())
    }

    /// The key of a run, which is its place in the order of starts, and its status.
    #[must_use]
    pub fn standing(&self, id: &RunId) -> Option<(u64, RunStatus)> {
        self.runs.get(id).map(|run| (run.key, run.known.status()))
    }

    /// The run with this key.
    #[must_use]
    pub fn run_with_key(&self, key: u64) -> Option<&RunId> {
        self.order.get(&key)
    }

    /// The key that the next run to begin will get.
    #[must_use]
    pub const fn next_key(&self) -> u64 {
        self.next_key
    }

    /// How many messages a commit that settles the scope's [`vastflow_core::Task::Deliver`] now would take out of its inbox.
    #[must_use]
    pub fn handed_over(&self, scope: &ScopeId) -> usize {
        let run = self.runs.get(scope.run());
        run.and_then(|run| run.scope(scope)).map_or(0, |scope| scope.handed_over())
    }

    /// The ids of all runs, in no order.
    pub fn run_ids(&self) -> impl Iterator<Item = &RunId> {
        self.runs.keys()
    }
}

impl Run {
    fn row(&self, id: RunId) -> RunRow {
        RunRow { key: self.key, id, len: self.root.journal.len(), control: self.control, summary: self.known.summary() }
    }
}
