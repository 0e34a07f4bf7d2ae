//! Law 2, checked where the runs are: the tasks of a scope in the store are those that its journal asks for.

use crate::complaint::Complaint;
use crate::desk::{Desk, fold};
use crate::text::now;
use std::sync::Arc;
use vastflow_core::run::Changes;
use vastflow_core::{Event, Plan, ScopeId, Seq, State, Task, Timestamp};
use vastflow_store::{Commit, Committed, NewTask, OpId, RunRow, Store, WorkerId};

/// How often a scope is read again that changes while it is looked at.
const TRIES: usize = 5;
/// Who is recorded with a repair.
const BY: &str = "doctor";

/// A scope whose tasks are not what its journal asks for.
pub(super) struct Broken {
    pub(super) scope: ScopeId,
    plan: Arc<Plan>,
    /// Tasks that must exist and do not.
    pub(super) missing: Vec<(Task, Timestamp)>,
    /// Tasks that exist and must not.
    pub(super) extra: Vec<Task>,
    state: State,
}

/// What was found of a scope.
enum Seen {
    Whole(State),
    Broken(Broken),
    /// It changed whenever it was looked at, so somebody works on it.
    Busy,
}

/// Checks a run with all scopes that are open in it.
pub(super) async fn check(desk: &Desk, row: &RunRow) -> Result<Vec<Broken>, Complaint> {
    let plan = desk.plan(row.summary.started.plan).await?;
    let mut broken = Vec::new();
    let mut open = vec![ScopeId::root(row.id.clone())];
    while let Some(scope) = open.pop() {
        let Some(own) = plan.of_scope(&scope) else { continue };
        let seen = look(desk, &scope, &own).await?;
        let state = match &seen {
            Seen::Whole(state) | Seen::Broken(Broken { state, .. }) => state,
            Seen::Busy => continue,
        };
        let inner = state.open_scopes();
        open.extend(inner.filter_map(|(node, key)| Some(scope.child(&own.node(node)?.name, key))));
        if let Seen::Broken(found) = seen {
            broken.push(found);
        }
    }
    Ok(broken)
}

/// Reads journal and tasks of a scope. They are two reads, so what differs counts only if nothing came in between.
async fn look(desk: &Desk, scope: &ScopeId, plan: &Arc<Plan>) -> Result<Seen, Complaint> {
    for _ in 0..TRIES {
        let history = desk.history(scope).await?;
        let tasks = desk.store.tasks(scope).await?;
        let state = fold(plan, &history)?;
        let mut changes = Changes::default();
        state.outstanding(plan, &mut changes);
        let exists = |task: Task| tasks.iter().any(|queued| queued.task == task);
        let is_asked_for = |task: Task| changes.queue.iter().any(|(wanted, _)| *wanted == task);
        let missing: Vec<_> = changes.queue.iter().copied().filter(|(task, _)| !exists(*task)).collect();
        let queued = tasks.iter().map(|queued| queued.task).filter(|task| *task != Task::Deliver);
        let extra: Vec<Task> = queued.filter(|task| !is_asked_for(*task)).collect();
        if missing.is_empty() && extra.is_empty() {
            return Ok(Seen::Whole(state));
        }
        if desk.store.history(scope, Seq::ZERO.after(history.len()), 1).await?.is_empty() {
            let (scope, plan) = (scope.clone(), Arc::clone(plan));
            return Ok(Seen::Broken(Broken { scope, plan, missing, extra, state }));
        }
    }
    Ok(Seen::Busy)
}

impl Broken {
    /// What is wrong, in words.
    pub(super) fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            let tasks: Vec<String> = self.missing.iter().map(|(task, _)| format!("{task:?}")).collect();
            parts.push(format!("its journal asks for {}, and the queue has no such task", tasks.join(", ")));
        }
        if !self.extra.is_empty() {
            let tasks: Vec<String> = self.extra.iter().map(|task| format!("{task:?}")).collect();
            parts.push(format!("the queue has {}, and its journal asks for no such task", tasks.join(", ")));
        }
        parts.join("; ")
    }

    /// Whether it can be repaired by a commit that changes nothing else: one that says that the run was paused and goes on.
    /// Inner scopes are not paused, and a run that is paused, stopped or in line is not to be told that it goes on.
    pub(super) fn is_repairable(&self) -> bool {
        self.scope.is_root() && self.state.status() == vastflow_core::RunStatus::Running
    }

    /// Makes the tasks what the journal asks for; false when the run went on meanwhile.
    pub(super) async fn repair(&self, store: &dyn Store) -> Result<bool, Complaint> {
        let why = "its tasks were not those that its journal asks for";
        let id = uuid::Uuid::now_v7();
        let info = self.state.started().map(|started| started.info.clone()).unwrap_or_default();
        let lane = |task| info.lane_of(&self.plan, task).cloned();
        let commit = Commit {
            op: OpId(id.as_u128()),
            scope: self.scope.clone(),
            expected: self.state.len(),
            at: now(),
            worker: WorkerId(id.as_u64_pair().1),
            settle: Vec::new(),
            events: vec![
                Event::Paused { by: BY.into(), why: why.into() },
                Event::Resumed { by: BY.into(), why: why.into() },
            ],
            queue: self
                .missing
                .iter()
                .map(|(task, due)| NewTask { lane: lane(*task), ..NewTask::new(*task, *due) })
                .collect(),
            obsolete: self.extra.clone(),
            messages: Vec::new(),
            control: None,
            summary: None,
        };
        Ok(matches!(store.commit(commit).await?, Committed::Done { .. } | Committed::Duplicate { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_store::MemoryStore;
    use vastflow_testsuite::fixture::{Story, plan, run_id};

    /// A run that has begun, with what `spoil` makes of its first commit.
    async fn spoiled(spoil: impl FnOnce(&mut Commit)) -> Desk {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        store.put_plan(plan()).await.unwrap();
        let mut first = Story::new(plan(), "r").start();
        spoil(&mut first);
        store.commit(first).await.unwrap();
        Desk { store, holder: None }
    }

    async fn check_r(desk: &Desk) -> Vec<Broken> {
        let row = desk.store.run(&run_id("r")).await.unwrap().unwrap();
        check(desk, &row).await.unwrap()
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_run_as_it_should_be_is_whole() {
        block_on(async { assert!(check_r(&spoiled(|_| ()).await).await.is_empty()) });
    }

    #[test]
    fn a_task_that_is_missing_is_found_and_queued_again() {
        block_on(async {
            let desk = spoiled(|first| first.queue.clear()).await;
            let broken = check_r(&desk).await;
            assert_eq!((broken.len(), broken[0].missing.len()), (1, 1));
            assert!(broken[0].text().contains("asks for"), "{}", broken[0].text());
            assert!(broken[0].is_repairable() && broken[0].repair(&*desk.store).await.unwrap());
            assert!(check_r(&desk).await.is_empty());
            assert!(!broken[0].repair(&*desk.store).await.unwrap(), "the run went on, so this is yesterday's news");
        });
    }

    #[test]
    fn a_task_that_nobody_asks_for_is_found_and_dropped() {
        block_on(async {
            let extra = Task::Attempt { node: vastflow_core::NodeIx(2), attempt: 1 };
            let desk = spoiled(|first| first.queue.push(NewTask::new(extra, Timestamp::ZERO))).await;
            let broken = check_r(&desk).await;
            assert_eq!(broken[0].extra, [extra]);
            assert!(broken[0].repair(&*desk.store).await.unwrap());
            assert!(check_r(&desk).await.is_empty());
        });
    }
}
