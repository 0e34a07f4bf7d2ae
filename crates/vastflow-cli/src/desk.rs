//! A store as the verbs use it: opened as gently as each of them can, asked for runs by what people type.

use crate::args::Filter;
use crate::complaint::{Complaint, Exit};
use crate::config::Config;
use crate::out::Out;
use crate::text;
use std::collections::BTreeMap;
use std::sync::Arc;
use vastflow_core::run::NodeStatus;
use vastflow_core::view::RunView;
use vastflow_core::{Name, Plan, PlanHash, Recorded, RunId, RunStatus, ScopeId, Seq, State, Timestamp, run::Changes};
use vastflow_store::{QueuedTask, RunQuery, RunRow, Store, StoreError, TaskState};
use vastflow_worker::Engine;

/// Runs read at once.
const PAGE: usize = 500;
/// Events read at once.
const EVENTS: usize = 2_000;

/// A store that is open.
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    /// Who has it open, if another process has, so that only what its tables show is seen here.
    pub(crate) holder: Option<String>,
}

/// A scope of a run, read whole.
pub(crate) struct Scope {
    pub(crate) id: ScopeId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) view: RunView,
    pub(crate) history: Vec<Recorded>,
}

impl Desk {
    /// To look into it once. It has to be there.
    pub(crate) async fn look(config: &Config) -> Result<Self, Complaint> {
        let look = vastflow_open::look(config.store()?).await?;
        Ok(Desk { store: look.store, holder: look.holder })
    }

    /// To look again and again, in nobody's way.
    pub(crate) async fn watch(config: &Config) -> Result<Self, Complaint> {
        let look = vastflow_open::watch(config.store()?).await?;
        Ok(Desk { store: look.store, holder: look.holder })
    }

    /// To change something in it. It has to be there.
    pub(crate) async fn change(config: &Config) -> Result<Self, Complaint> {
        let url = config.store()?;
        if let Some(file) = vastflow_open::file_of(url).filter(|file| !file.exists()) {
            let error = StoreError::NotFound { what: format!("file {}", file.display()) };
            return Err(Complaint::from(error).next("check the path; `vastflow store migrate` makes a new store there"));
        }
        Desk::make(config).await
    }

    /// To work on it; it is made if it is not there.
    pub(crate) async fn make(config: &Config) -> Result<Self, Complaint> {
        let url = config.store()?;
        let opened = vastflow_open::open(url).await.map_err(|error| {
            let complaint = Complaint::from(error);
            match vastflow_open::file_of(url) {
                Some(_) if complaint.text.contains("is in use by") => complaint
                    .next("ask that process, or stop it first; looking (`runs ls`, `runs show`) works meanwhile"),
                _ => complaint,
            }
        })?;
        Ok(Desk { store: opened, holder: None })
    }

    /// An engine that makes no calls: it starts and steers runs, and others do the work.
    pub(crate) async fn engine(&self) -> Result<Engine, Complaint> {
        Ok(Engine::on(Arc::clone(&self.store)).concurrency(0).start().await?)
    }

    /// What time it is by the clock of the store, or of this machine if it has none.
    pub(crate) async fn now(&self) -> Timestamp {
        match self.store.fleet().await {
            Ok(fleet) if self.store.capabilities().fleet => fleet.now,
            _ => text::now(),
        }
    }

    /// The run whose id is `id`, or begins so if just one does: for looking.
    pub(crate) async fn pick(&self, id: &str) -> Result<RunRow, Complaint> {
        if let Some(row) = self.store.run(&RunId::new(id)?).await? {
            return Ok(row);
        }
        the_only(id, self.beginning(id).await?, |row| row.id.as_str())
    }

    /// The same for changing it. An id that is cut short is completed only if somebody at a terminal says so: when
    /// `order-1` was deleted, a script that stops it must not stop `order-10`.
    pub(crate) async fn pick_to_change(&self, id: &str, out: Out) -> Result<RunRow, Complaint> {
        let row = self.pick(id).await?;
        if row.id.as_str() == id {
            return Ok(row);
        }
        let what = format!("there is no run {id:?}; is run {} of {} meant", row.id, row.summary.started.flow);
        if out.asks() {
            return out.confirm(&what, false).map(|()| row);
        }
        let why = format!("and what is changed has to be named whole; {} begins so", row.id);
        Err(unknown_run(id, &why).next("write the whole id"))
    }

    /// Runs whose ids begin so; a few are enough.
    async fn beginning(&self, id: &str) -> Result<Vec<RunRow>, Complaint> {
        let mut found: Vec<RunRow> = Vec::new();
        let mut query = RunQuery { limit: PAGE, ..RunQuery::default() };
        loop {
            let page = self.store.runs(&query).await?;
            found.extend(page.rows.into_iter().filter(|row| row.id.starts_with(id)));
            query.before = page.next;
            if query.before.is_none() || found.len() > 3 {
                return Ok(found);
            }
        }
    }

    /// Runs that fit a filter, newest first, at most `most`; and where the next page begins.
    pub(crate) async fn list(
        &self,
        filter: &Filter,
        before: Option<u64>,
        most: usize,
    ) -> Result<(Vec<RunRow>, Option<u64>), Complaint> {
        self.listed(filter, before, most, |row| row).await
    }

    /// The same without the payloads, for very many.
    pub(crate) async fn many(&self, filter: &Filter, most: usize) -> Result<(Vec<RunRow>, Option<u64>), Complaint> {
        self.listed(filter, None, most, RunRow::without_payloads).await
    }

    async fn listed(
        &self,
        filter: &Filter,
        before: Option<u64>,
        most: usize,
        keep: fn(RunRow) -> RunRow,
    ) -> Result<(Vec<RunRow>, Option<u64>), Complaint> {
        let flow = filter.flow.as_deref().map(Name::new).transpose()?;
        let until = filter.until(self.now().await);
        let status = match filter.status[..] {
            [one] => Some(one),
            _ => None,
        };
        let mut query = RunQuery { flow, status, labels: filter.label.clone(), before, limit: PAGE.min(most + 1) };
        let mut found = Vec::new();
        loop {
            let page = self.store.runs(&query).await?;
            let is_past = |row: &RunRow| filter.from.is_some_and(|from| row.summary.started_at < from);
            let is_last = page.rows.last().is_some_and(is_past);
            let fits = |row: &RunRow| {
                let began = row.summary.started_at;
                let in_time = until.is_none_or(|until| began < until) && filter.from.is_none_or(|from| began >= from);
                in_time && (filter.status.is_empty() || filter.status.contains(&row.summary.status))
            };
            found.extend(page.rows.into_iter().filter(fits).map(keep));
            if found.len() > most {
                found.truncate(most);
                let next = found.last().map(|row| row.key);
                return Ok((found, next));
            }
            // Runs are in the order in which they began: behind one that is too old are older ones.
            query.before = page.next.filter(|_| !is_last);
            if query.before.is_none() {
                return Ok((found, None));
            }
        }
    }

    /// A stored plan.
    pub(crate) async fn plan(&self, hash: PlanHash) -> Result<Arc<Plan>, Complaint> {
        let plan = self.store.plan(hash).await?;
        plan.ok_or_else(|| Complaint::not_found(format!("the store has no plan {hash}")).next("vastflow store verify"))
    }

    /// All plans of the store by their flows.
    pub(crate) async fn flows(&self) -> Result<BTreeMap<Name, Vec<Arc<Plan>>>, Complaint> {
        let mut flows: BTreeMap<Name, Vec<Arc<Plan>>> = BTreeMap::new();
        for plan in self.store.plans().await? {
            flows.entry(plan.flow().clone()).or_default().push(plan);
        }
        Ok(flows)
    }

    /// A whole journal.
    pub(crate) async fn history(&self, scope: &ScopeId) -> Result<Vec<Recorded>, Complaint> {
        let mut all = Vec::new();
        loop {
            let page = self.store.history(scope, Seq::ZERO.after(all.len()), EVENTS).await?;
            let is_last = page.len() < EVENTS;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// A scope of a run, read whole; none when it has not begun. `plan` is the run's.
    pub(crate) async fn scope(&self, row: &RunRow, plan: &Arc<Plan>, id: ScopeId) -> Result<Option<Scope>, Complaint> {
        let Some(plan) = plan.of_scope(&id) else { return Ok(None) };
        let history = self.history(&id).await?;
        if history.is_empty() {
            return Ok(None);
        }
        let makes_no_sense = |why| {
            Complaint::new(Exit::Failed, "corrupt", format!("the journal of {id} makes no sense: {why}"))
                .next("keep a copy of the store, and report it")
        };
        let view = RunView::fold(row.id.clone(), &plan, &history).map_err(makes_no_sense)?.at(self.now().await);
        let mut scope = Scope { id, plan, view, history };
        if !scope.view.status.is_final() {
            self.mark_idle(row, &mut scope).await?;
        }
        Ok(Some(scope))
    }

    /// Marks the nodes whose calls are in nobody's hands.
    async fn mark_idle(&self, row: &RunRow, scope: &mut Scope) -> Result<(), Complaint> {
        let is_idle = |task: &QueuedTask| !matches!(task.state, TaskState::Claimed { .. });
        let idle: Vec<_> = match self.store.tasks(&scope.id).await {
            Ok(tasks) => tasks.into_iter().filter(is_idle).map(|queued| queued.task).collect(),
            // Only the tables are seen. If nobody has the store open, everything is in nobody's hands.
            Err(StoreError::Unsupported(_)) if self.holder.is_none() => {
                let mut changes = Changes::default();
                fold(&scope.plan, &scope.history)?.outstanding(&scope.plan, &mut changes);
                changes.queue.into_iter().map(|(task, _)| task).collect()
            }
            Err(StoreError::Unsupported(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let is_paused = row.summary.status == RunStatus::Paused;
        let waits = if is_paused { NodeStatus::Held } else { NodeStatus::Ready };
        let slots = idle.into_iter().filter(|task| task.takes_slot());
        slots.filter_map(|task| task.node()).for_each(|node| scope.view.waits(node, waits));
        Ok(())
    }

    /// The plans that somebody who is alive has the code for; none when that cannot be told from here.
    pub(crate) async fn served(&self) -> Result<Option<Vec<PlanHash>>, Complaint> {
        let fleet = match self.store.fleet().await {
            Ok(fleet) => fleet,
            Err(StoreError::Unsupported(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let works = fleet.workers.iter().filter(|worker| worker.until > fleet.now && worker.about.slots > 0);
        Ok(Some(works.flat_map(|worker| worker.about.serves.iter().copied()).collect()))
    }

    /// Lets go of the store.
    pub(crate) async fn close(self) -> Result<(), Complaint> {
        Ok(self.store.close().await?)
    }
}

pub(crate) fn unknown_run(id: &str, why: &str) -> Complaint {
    Complaint::new(Exit::NotFound, "unknown-run", format!("there is no run {id:?}, {why}"))
}

/// The only one of the runs whose ids begin with what was typed, at a store or at a service.
pub(crate) fn the_only<R>(typed: &str, mut found: Vec<R>, id: impl Fn(&R) -> &str) -> Result<R, Complaint> {
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(unknown_run(typed, "and none that begins so").next("vastflow runs ls")),
        _ => {
            let some: Vec<&str> = found.iter().take(3).map(id).collect();
            let text = format!("{typed:?} is not clear: runs begin so, {} among them", some.join(", "));
            Err(Complaint::new(Exit::Conflict, "ambiguous-id", text).next("write more of the id"))
        }
    }
}

/// The state that a journal tells.
pub(crate) fn fold(plan: &Plan, history: &[Recorded]) -> Result<State, Complaint> {
    let mut state = State::default();
    for recorded in history {
        let evolved = state.evolve(plan, &recorded.event, recorded.at, &mut ());
        evolved.map_err(|why| Complaint::new(Exit::Failed, "corrupt", format!("a journal makes no sense: {why}")))?;
    }
    Ok(state)
}
