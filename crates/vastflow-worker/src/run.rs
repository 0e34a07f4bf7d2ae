//! A handle to one run, from anywhere.

use crate::claim::started_of;
use crate::engine::Engine;
use crate::error::Error;
use crate::events::{Events, RunEvent};
use crate::mend::until_answered;
use crate::shared::Shared;
use crate::watch::End;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use vastflow_core::run::{NodeStatus, RunSummary};
use vastflow_core::view::RunView;
use vastflow_core::{Payload, RunId, RunOutcome, RunStatus, ScopeId, Seq};
use vastflow_sdk::{Data, MissingCode};
use vastflow_store::{QueuedTask, TaskState};

/// A handle to one run. Dropping it does nothing to the run.
pub struct Run {
    pub(crate) engine: Engine,
    id: RunId,
    end: Arc<End>,
}

impl Run {
    pub(crate) fn new(engine: Engine, id: RunId) -> Self {
        let end = engine.shared.watchers.join(&id);
        Run { engine, id, end }
    }

    /// A run that is in the store already, and may be over.
    pub(crate) async fn find(engine: Engine, id: RunId) -> Result<Self, Error> {
        let mut run = Run::new(engine, id);
        let summary = run.summary().await?;
        if summary.status.is_final() {
            run.end = End::known(Arc::new(summary));
            run.shared().watchers.leave(&run.id);
        }
        Ok(run)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.engine.shared
    }

    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> &RunId {
        &self.id
    }

    /// Waits for the run's end and gives its output.
    ///
    /// # Errors
    /// [`Error::RunFailed`], [`Error::RunStopped`]; [`Error::Data`] when the output is not a `T`; store errors.
    pub async fn output<T: Data>(&self) -> Result<T, Error> {
        let end = self.wait().await?;
        match &end.outcome {
            Some(RunOutcome::Failed(failure)) => {
                Err(Error::RunFailed { id: self.id.clone(), failure: failure.clone() })
            }
            Some(RunOutcome::Stopped { by, why }) => {
                Err(Error::RunStopped { id: self.id.clone(), by: by.to_string(), why: why.to_string() })
            }
            _ => Ok(T::decode(end.output.as_ref().unwrap_or(&Payload::null()))?),
        }
    }

    /// Waits for the run's end and gives the run in short, whatever its outcome.
    ///
    /// Where the code that the run needs is missing, say because its flow was changed and it follows the old plan, this
    /// waits until some program goes on with it: [`Run::missing_code`] says what is missing.
    ///
    /// # Errors
    /// [`Error::UnknownRun`] when it is gone; store errors; [`Error::ShuttingDown`].
    pub async fn wait(&self) -> Result<Arc<RunSummary>, Error> {
        loop {
            let told = self.end.told();
            if let Some(summary) = self.end.get() {
                return Ok(Arc::clone(summary));
            }
            if self.shared().stopped.is_off() {
                return Err(self.shared().why_stopped());
            }
            if !self.end.takes_a_look() {
                told.await;
                continue;
            }
            // Another process may have carried the run on, now or before anybody waited for it here.
            let summary = until_answered(self.shared(), || self.summary()).await?;
            if summary.status.is_final() {
                let summary = Arc::new(summary);
                self.shared().watchers.tell(&self.id, Some(Arc::clone(&summary)));
                return Ok(summary);
            }
        }
    }

    /// The run in short, as the store has it.
    ///
    /// # Errors
    /// [`Error::UnknownRun`] when it is gone; store errors.
    pub async fn summary(&self) -> Result<RunSummary, Error> {
        let row = self.shared().store.run(&self.id).await?;
        row.map(|row| row.summary).ok_or_else(|| Error::UnknownRun { id: self.id.clone() })
    }

    /// Where the run stands.
    ///
    /// # Errors
    /// As [`Run::summary`].
    pub async fn status(&self) -> Result<RunStatus, Error> {
        Ok(self.summary().await?.status)
    }

    /// What the run needs that this program lacks; none when nothing is missing, or the run is over. Such a run waits
    /// until the code is registered here, or an engine of another program goes on with it.
    ///
    /// # Errors
    /// As [`Run::summary`].
    pub async fn missing_code(&self) -> Result<Option<MissingCode>, Error> {
        let summary = self.summary().await?;
        if summary.status.is_final() {
            return Ok(None);
        }
        match self.shared().bound(summary.started.plan).await {
            Ok(_) => Ok(None),
            Err(Error::MissingCode(missing)) => Ok(Some(missing)),
            Err(error) => Err(error),
        }
    }

    /// The run's events, from the first on, as they are recorded; ends with the run.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.engine.clone(), self.id.clone(), self.shared().watchers.read_along(&self.id))
    }

    /// Calls `see` with every event of the run, those that are there and then those to come, until the run ends.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use vastflow_sdk::{Flow, Node, Result};
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
    /// # let store = Arc::new(vastflow_store::MemoryStore::new());
    /// # let engine = vastflow_worker::Engine::on(store).flow(flow).start().await?;
    /// let run = engine.run("double", 21).await?;
    /// let mut lines = Vec::new();
    /// run.follow(|event| lines.push(event.to_string())).await?;
    /// assert!(lines[1].starts_with("✓ double"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Store errors; [`Error::ShuttingDown`].
    pub async fn follow(&self, mut see: impl FnMut(RunEvent) + Send) -> Result<(), Error> {
        let mut events = self.events();
        while let Some(event) = events.next().await? {
            see(event);
        }
        Ok(())
    }

    /// The run to look at: its nodes with states and durations. Print it.
    ///
    /// # Errors
    /// [`Error::UnknownRun`]; [`Error::Corrupt`]; store errors.
    pub async fn view(&self) -> Result<RunView, Error> {
        self.view_within("").await
    }

    /// A scope of the run to look at: an item of a foreach or an arm of a branch as `outer[key]`, a basin as `outer`, what
    /// is inside of those with `/` between. What an event or [`Run::attention`] names is understood as it stands there.
    ///
    /// # Errors
    /// [`Error::UnknownPlace`] when the plan has no such scope, or it has not begun; as [`Run::view`].
    pub async fn view_within(&self, scope: &str) -> Result<RunView, Error> {
        let started = started_of(self.shared(), &self.id).await?;
        let unknown = || Error::UnknownRun { id: self.id.clone() };
        let plan = self.shared().store.plan(started.ok_or_else(unknown)?.plan).await?.ok_or_else(unknown)?;
        let no_scope = || Error::UnknownPlace { id: self.id.clone(), at: scope.to_owned() };
        let place = ScopeId::named(self.id.clone(), scope);
        let plan = plan.of_scope(&place).ok_or_else(no_scope)?;
        let history = self.shared().store.history(&place, Seq::ZERO, usize::MAX).await?;
        if history.is_empty() {
            return Err(no_scope());
        }
        let view = RunView::fold(self.id.clone(), &plan, &history);
        let mut view = view.map_err(|source| Error::Corrupt { id: self.id.clone(), source })?.at(self.shared().now());
        view.missing = self.missing_code().await?.map_or_else(Vec::new, |missing| missing.needs);
        if !view.status.is_final() {
            let waits = match self.status().await? {
                RunStatus::Paused => NodeStatus::Held,
                _ if view.missing.is_empty() => NodeStatus::Ready,
                _ => NodeStatus::NoCode,
            };
            let tasks = self.shared().store.tasks(&place).await?;
            for QueuedTask { task, state, .. } in tasks.iter().filter(|queued| queued.task.takes_slot()) {
                match (task.node(), state) {
                    (Some(node), TaskState::Claimed { by }) => view.in_hand_of(node, by.0),
                    (Some(node), _) => view.waits(node, waits),
                    (None, _) => {}
                }
            }
        }
        Ok(view)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Nothing is kept for a run that nobody waits for any more.
        drop(std::mem::take(&mut self.end));
        self.engine.shared.watchers.leave(&self.id);
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({})", self.id)
    }
}

/// A handle to a run whose output type is known.
#[derive(Debug)]
pub struct TypedRun<Out> {
    run: Run,
    gives: PhantomData<fn() -> Out>,
}

impl<Out: Data> TypedRun<Out> {
    pub(crate) const fn new(run: Run) -> Self {
        TypedRun { run, gives: PhantomData }
    }

    /// Waits for the run's end and gives its output.
    ///
    /// # Errors
    /// As [`Run::output`].
    pub async fn output(&self) -> Result<Out, Error> {
        self.run.output().await
    }
}

impl<Out> Deref for TypedRun<Out> {
    type Target = Run;
    fn deref(&self) -> &Run {
        &self.run
    }
}
