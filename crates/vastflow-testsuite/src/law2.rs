//! Law 2: the queue is a projection of the journals.

use crate::probe::ALL;
use std::sync::Arc;
use vastflow_core::run::Changes;
use vastflow_core::{Event, Plan, Recorded, ScopeId, Seq, State, Task, Timestamp};
use vastflow_store::Store;

/// Whether the tasks in the store are exactly those that the journals of these root scopes ask for, with the times from
/// which they are visible. [`Task::Deliver`] is the inbox's business and is passed over.
///
/// # Errors
/// The first difference, in words.
pub async fn law2(store: &dyn Store, scopes: &[ScopeId]) -> Result<(), String> {
    for scope in scopes {
        let wanted = asked_for(store, scope).await.map_err(|why| format!("{scope}: {why}"))?;
        let tasks = store.tasks(scope).await.map_err(|error| format!("{scope}: {error}"))?;
        let found = tasks.into_iter().map(|task| (task.task, task.due)).filter(|(task, _)| *task != Task::Deliver);
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        if found != wanted {
            return Err(format!(
                "law 2 is broken in {scope}: the journal asks for {wanted:?}, the queue has {found:?}"
            ));
        }
    }
    Ok(())
}

async fn asked_for(store: &dyn Store, scope: &ScopeId) -> Result<Vec<(Task, Timestamp)>, String> {
    let history = store.history(scope, Seq::ZERO, ALL).await.map_err(|error| error.to_string())?;
    let Some(plan) = plan_of(store, &history).await? else { return Ok(Vec::new()) };
    let mut state = State::default();
    for recorded in &history {
        state.evolve(&plan, &recorded.event, recorded.at, &mut ()).map_err(|illegal| illegal.to_string())?;
    }
    let mut changes = Changes::default();
    state.outstanding(&plan, &mut changes);
    changes.queue.sort_unstable();
    Ok(changes.queue)
}

async fn plan_of(store: &dyn Store, history: &[Recorded]) -> Result<Option<Arc<Plan>>, String> {
    let Some(Recorded { event: Event::RunStarted(started), .. }) = history.first() else { return Ok(None) };
    let plan = store.plan(started.plan).await.map_err(|error| error.to_string())?;
    plan.map(Some).ok_or_else(|| format!("its plan {} is not there", started.plan))
}
