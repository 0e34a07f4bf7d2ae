//! Comparing everything there is to see.

use super::steps::same;
use super::world::World;
use crate::fixture::T0;
use crate::law2::law2;
use crate::probe::{ALL, TaskView};
use vastflow_core::{RunStatus, ScopeId, Seq};
use vastflow_store::{QueueRow, RunQuery, RunRow};

impl World {
    pub(super) async fn compare(&mut self) -> Result<(), String> {
        for scope in self.scopes() {
            self.compare_scope(&scope).await?;
        }
        same("counts", &self.model.ledger.counts(), &self.probe.counts().await)?;
        same(
            "plans",
            &self.model.ledger.plans(),
            &self.probe.store().plans().await.map_err(|error| error.to_string())?,
        )?;
        same("workers", &self.model.ledger.fleet().workers, &self.probe.workers().await)?;
        let wanted = self.model.ledger.queues().into_iter().map(without_age).collect::<Vec<_>>();
        same("queues", &wanted, &self.probe.queues().await.into_iter().map(without_age).collect())?;
        let queries = [RunQuery::default(), self.some_query()];
        for query in queries {
            self.compare_list(query).await?;
        }
        let roots: Vec<ScopeId> = self.runs.iter().map(|run| run.story.scope.clone()).collect();
        law2(self.probe.store(), &roots).await
    }

    async fn compare_scope(&self, scope: &ScopeId) -> Result<(), String> {
        let ledger = &self.model.ledger;
        same(&format!("history of {scope}"), &ledger.history(scope, Seq::ZERO, ALL), &self.probe.history(scope).await)?;
        let mut wanted: Vec<TaskView> = ledger.tasks(scope).into_iter().map(TaskView::from).collect();
        wanted.sort_unstable();
        same(&format!("tasks of {scope}"), &wanted, &self.probe.tasks(scope).await)?;
        let found = self.probe.store().run(scope.run()).await.map_err(|error| error.to_string())?;
        same(&format!("row of {scope}"), &ledger.run(scope.run()).map(without_key), &found.map(without_key))
    }

    fn some_query(&mut self) -> RunQuery {
        let flow = self.rng.pick(&self.plans).map(|plan| plan.flow().clone());
        let status = self.rng.pick(&[RunStatus::Running, RunStatus::Succeeded, RunStatus::Failed]).copied();
        let label = ("team".to_owned(), "red".to_owned());
        RunQuery {
            flow: flow.filter(|_| self.rng.chance(50)),
            status: status.filter(|_| self.rng.chance(50)),
            labels: if self.rng.chance(50) { vec![label] } else { Vec::new() },
            ..RunQuery::default()
        }
    }

    /// All pages of a list, of a size that chance chooses, against the model's.
    async fn compare_list(&mut self, mut query: RunQuery) -> Result<(), String> {
        query.limit = ALL / 2;
        let wanted = self.model.ledger.runs(&query).rows.into_iter().map(without_key).collect::<Vec<_>>();
        query.limit = 1 + self.rng.below(20);
        let mut found = Vec::new();
        loop {
            let page = self.probe.page(&query).await;
            found.extend(page.rows.into_iter().map(without_key));
            query.before = page.next;
            if page.next.is_none() || found.len() > wanted.len() {
                break;
            }
        }
        same(&format!("list of {query:?}"), &wanted, &found)
    }
}

/// What came back into the queue may count from then or from before.
fn without_age(row: QueueRow) -> QueueRow {
    QueueRow { since: row.since.map(|_| T0), ..row }
}

/// Keys are a store's own; only their order means something.
fn without_key(row: RunRow) -> RunRow {
    RunRow { key: 0, ..row }
}
