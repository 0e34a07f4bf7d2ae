//! What can be asked of a run: pause, resume, stop, kill, signals, and an operator's choices.

use crate::cell::Cell;
use crate::child::{Ask, children, reach, reach_all};
use crate::claim::{load, started_of};
use crate::error::Error;
use crate::form::{check_given, check_signal};
use crate::mend::catch_up;
use crate::run::Run;
use crate::shared::Shared;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;
use vastflow_core::event::Choice;
use vastflow_core::run::Input;
use vastflow_core::{Name, NodeIx, RunId, ScopeId, State};
use vastflow_sdk::{Bound, Data};
use vastflow_store::{QueuedTask, TaskState};

/// A signal about to be sent. Await [`Signal::send`].
#[derive(Debug)]
#[must_use = "a signal is sent by `.send().await`"]
pub struct Signal<'a, T> {
    run: &'a Run,
    name: String,
    payload: T,
    id: Option<String>,
    scope: String,
}

impl<T: Data> Signal<'_, T> {
    /// The signal's id: the same id again is the same signal, and changes nothing.
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// For a node that waits inside others: where, as `outer[key]`, a basin as `outer`, with `/` between if that is inside
    /// another.
    pub fn within(mut self, scope: &str) -> Self {
        scope.clone_into(&mut self.scope);
        self
    }

    /// Sends it. The node that has waited for a signal of its name longest takes it, or the first that will.
    ///
    /// # Errors
    /// [`Error::UnknownSignal`] when no node there waits for one of its name; [`Error::SignalMismatch`] when the one that
    /// does cannot read what it carries; [`Error::UnknownPlace`]; [`Error::RunEnded`]; [`Error::UnknownRun`];
    /// [`Error::TooManySignals`]; [`Error::Data`]; store errors.
    pub async fn send(self) -> Result<(), Error> {
        let id = match self.id {
            Some(id) => id,
            None => self.run.shared().ids.next(self.run.shared().now())?.to_string(),
        };
        let (name, payload) = (Name::new(&self.name)?, self.payload.encode()?);
        let cell = self.run.cell_at(&self.scope).await?;
        if let Err(error) = check_signal(&cell.scope, cell.bound.plan(), &name, (&T::schema(), &payload)) {
            cell.after(self.run.shared());
            return Err(error);
        }
        self.run.tell(&cell, Input::Signal { id: id.into(), name, payload }).await
    }
}

impl Run {
    /// Asks that nothing new start: what runs is waited for and recorded. Asking again changes nothing. Runs that this one
    /// started by [`Dag::child_run`](vastflow_sdk::Dag::child_run) are paused with it.
    ///
    /// # Errors
    /// [`Error::RunEnded`] when it is over, [`Error::Finishing`] when all its work is done; [`Error::UnknownRun`]; store
    /// errors.
    pub async fn pause(&self, by: &str, why: &str) -> Result<(), Error> {
        reach(self.shared(), self.id(), Ask::Pause, (by, why)).await
    }

    /// Asks that a paused run go on with exactly what was held back, and so do the runs that it started, but for those that
    /// somebody paused by themselves. A run that is not paused goes on as it is.
    ///
    /// # Errors
    /// [`Error::RunEnded`] when it is over; [`Error::UnknownRun`]; store errors.
    pub async fn resume(&self, by: &str, why: &str) -> Result<(), Error> {
        reach(self.shared(), self.id(), Ask::Resume, (by, why)).await
    }

    /// Asks that the run stop, with who asks and why: nothing new begins, what runs is told and waited for, what was done
    /// is undone where there are undo actions, then the hooks run. Asking again changes nothing: the first reason counts.
    ///
    /// It takes no code to stop a run: one that this program lacks code for ends too, if it has no scopes open inside and no
    /// other engine works on the store that may be running some of it. Its hooks and undo actions, if it has any, wait for a program that has them.
    ///
    /// # Errors
    /// [`Error::RunEnded`] when it is over; [`Error::UnknownRun`]; store errors.
    pub async fn cancel(&self, by: &str, why: &str) -> Result<(), Error> {
        let cell = self.cell_at("").await?;
        self.tell(&cell, Input::Cancel { by: by.into(), why: why.into() }).await?;
        if !cell.bound.has_code() && !self.shared().has_company.load(Ordering::Relaxed) {
            let tasks = self.shared().store.tasks(&cell.scope).await?;
            let is_held = |task: &QueuedTask| matches!(task.state, TaskState::Claimed { .. });
            cell.drop_queued(self.shared(), tasks.into_iter().filter(|task| !is_held(task)).map(|task| task.task));
        }
        // They would hear of it the next time that their nodes look at them, which may be late.
        let children = children(self.shared(), &cell).await?;
        reach_all(self.shared(), self.id(), children, Ask::Cancel, (by, why)).await
    }

    /// Asks that the run end without waiting for what runs: what still runs is fenced off, so that nothing of it is
    /// recorded any more; then undo actions and hooks run. Asked again during those, it ends at once. Runs that it started
    /// are killed with it; should this call not return, ask for theirs by their ids (label `parent`).
    ///
    /// # Errors
    /// [`Error::RunEnded`] when it is over; [`Error::UnknownRun`]; store errors.
    pub async fn kill(&self, by: &str, why: &str) -> Result<(), Error> {
        reach(self.shared(), self.id(), Ask::Kill, (by, why)).await
    }

    /// A signal for a node that waits for one of this name; see [`Signal::send`].
    pub fn signal<T: Data>(&self, name: &str, payload: T) -> Signal<'_, T> {
        Signal { run: self, name: name.to_owned(), payload, id: None, scope: String::new() }
    }

    /// Says how it goes on with a node that waits for an operator. `at` names the node, inside others as
    /// `outer[key]/node`.
    ///
    /// # Errors
    /// [`Error::NothingToResolve`]; [`Error::UnknownPlace`]; [`Error::ValueMismatch`] when the node cannot have given what is
    /// said; [`Error::RunEnded`]; [`Error::UnknownRun`]; store errors.
    pub async fn resolve(&self, at: &str, choice: Choice, by: &str, why: &str) -> Result<(), Error> {
        let (path, name) = at.rsplit_once('/').unwrap_or(("", at));
        let cell = self.cell_at(path).await?;
        let Some(node) = cell.bound.plan().find(name) else {
            cell.after(self.shared());
            return Err(Error::UnknownPlace { id: self.id().clone(), at: at.to_owned() });
        };
        if let Err(error) = self.check_choice(&cell, node, &choice) {
            cell.after(self.shared());
            return Err(error);
        }
        let told = self.tell(&cell, Input::Resolve { node, choice, by: by.into(), why: why.into() }).await;
        told.map_err(|error| match error {
            Error::NothingToResolve { id, .. } => Error::NothingToResolve { id, at: at.to_owned() },
            error => error,
        })
    }

    /// What waits for an operator, as [`Run::resolve`] names it, with why.
    ///
    /// # Errors
    /// [`Error::UnknownRun`]; store errors.
    pub async fn attention(&self) -> Result<Vec<(String, String)>, Error> {
        let mut found = Vec::new();
        let mut scopes = vec![ScopeId::root(self.id().clone())];
        while let Some(scope) = scopes.pop() {
            let cell = self.cell_at(scope.path()).await?;
            let inner = cell.lock();
            let plan = cell.bound.plan();
            let before = if scope.is_root() { String::new() } else { format!("{}/", scope.path()) };
            for (node, failure) in inner.state.waiting_for_operator() {
                let name = plan.node(node).map_or("", |spec| spec.name.as_str());
                found.push((format!("{before}{name}"), failure));
            }
            let inside = inner.state.scopes_with_attention();
            scopes.extend(inside.filter_map(|(node, key)| Some(scope.child(&plan.node(node)?.name, key))));
            drop(inner);
            cell.after(self.shared());
        }
        Ok(found)
    }

    /// Whether a node can have given what an operator says. What takes it back gives nothing.
    fn check_choice(&self, cell: &Cell, node: NodeIx, choice: &Choice) -> Result<(), Error> {
        let is_call = cell.lock().state.stuck_undo() != Some(node);
        match (choice, cell.bound.plan().node(node)) {
            (Choice::MarkDone(gave), Some(spec)) if is_call => check_given(self.id(), spec, gave),
            _ => Ok(()),
        }
    }

    async fn tell(&self, cell: &Arc<Cell>, input: Input) -> Result<(), Error> {
        cell.ask(self.shared(), input).await
    }

    async fn cell_at(&self, path: &str) -> Result<Arc<Cell>, Error> {
        cell_at(self.shared(), self.id(), path).await
    }
}

/// The cell of a scope of a run, loaded if it is not active here.
pub(crate) async fn cell_at(shared: &Arc<Shared>, id: &RunId, path: &str) -> Result<Arc<Cell>, Error> {
    let scope = ScopeId::named(id.clone(), path);
    if let Some(cell) = shared.cell(&scope) {
        catch_up(shared, &cell).await?;
        return Ok(cell);
    }
    let started = started_of(shared, id).await?;
    let started = started.ok_or_else(|| Error::UnknownRun { id: id.clone() })?;
    let unknown = || Error::UnknownPlace { id: id.clone(), at: path.to_owned() };
    let bound = match shared.bound(started.plan).await {
        Err(Error::MissingCode(_)) => Arc::new(Bound::without_code(shared.plan(started.plan).await?)),
        bound => bound?,
    };
    let bound = bound.of_scope(&scope).ok_or_else(unknown)?;
    let state = load(shared, &scope, &bound, State::default()).await?;
    if state.is_empty() {
        return Err(unknown());
    }
    let begun = (!scope.is_root()).then_some(started);
    let has_code = bound.has_code();
    let cell = Cell::within(scope, bound, begun, state);
    // One without code is nobody else's.
    Ok(if has_code { shared.admit(cell) } else { cell })
}

impl Cell {
    /// Tells it something, and waits until that is recorded or refused.
    pub(crate) async fn ask(self: &Arc<Self>, shared: &Arc<Shared>, input: Input) -> Result<(), Error> {
        let (asks, told) = oneshot::channel();
        self.tell(shared, input, Some(asks));
        told.await.unwrap_or_else(|_| Err(shared.why_stopped()))
    }
}
