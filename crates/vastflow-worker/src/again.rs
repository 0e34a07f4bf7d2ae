//! Going on from a run: again from where it failed, again from the start, or with something changed in the middle.

use crate::claim::started_of;
use crate::error::Error;
use crate::run::Run;
use crate::start::StartRun;
use std::sync::Arc;
use vastflow_core::event::{KeptScope, Origin};
use vastflow_core::run::{Legacy, Start};
use vastflow_core::{NodeIx, Payload, Plan, RunId, RunStarted, RunStatus, ScopeId, Seq};
use vastflow_sdk::Data;

/// Where a run is forked, and with what.
///
/// ```
/// use vastflow_worker::Fork;
///
/// let fork = Fork::at("charge").input(&4_000_u64); // charge again, but this much
/// # let _ = fork;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Fork {
    node: String,
    input: Option<Result<Payload, Error>>,
    output: Option<Result<Payload, Error>>,
    id: Option<String>,
}

impl Fork {
    /// The node and all that follows from it are done again; what other nodes gave is kept.
    pub fn at(node: &str) -> Self {
        Fork { node: node.to_owned(), input: None, output: None, id: None }
    }

    /// The node gets this instead of what flows into it.
    pub fn input<T: Data>(mut self, input: &T) -> Self {
        self.input = Some(input.encode().map_err(Error::from));
        self
    }

    /// The node is not called: this is what it gave.
    pub fn output<T: Data>(mut self, output: &T) -> Self {
        self.output = Some(output.encode().map_err(Error::from));
        self
    }

    /// The id of the new run; the old one's with `.fork1` behind it unless said.
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }
}

/// What a run was.
struct Past {
    started: Arc<RunStarted>,
    plan: Arc<Plan>,
    status: RunStatus,
}

impl Run {
    /// Starts a new run that goes on where this one failed or was stopped: what its nodes gave is kept, and what failed,
    /// or was undone or never started, is done. Of a foreach or a branch that failed, the items and arms are kept that went
    /// well, have nothing that could be undone, and get the same again; results up to 1 MiB (`MAX_KEPT_BYTES`) together.
    /// Asking again gives the same new run.
    ///
    /// # Errors
    /// [`Error::RunNotEnded`]; [`Error::RunEnded`] when it succeeded; [`Error::UnknownRun`]; store errors.
    pub async fn retry(&self, by: &str, why: &str) -> Result<Run, Error> {
        let past = self.past().await?;
        if past.status == RunStatus::Succeeded {
            return Err(Error::RunEnded { id: self.id().clone(), status: past.status });
        }
        let legacy = self.legacy(&past, &[]).await?;
        let origin = self.origin("retry", (by, why), legacy.kept, legacy.scopes);
        self.go_on(&past, origin, legacy.context, None).await
    }

    /// Starts a new run from the start, with the same input. Asking again gives the same new run.
    ///
    /// # Errors
    /// [`Error::RunNotEnded`]; [`Error::UnknownRun`]; store errors.
    pub async fn rerun(&self, by: &str, why: &str) -> Result<Run, Error> {
        let past = self.past().await?;
        let origin = self.origin("rerun", (by, why), Vec::new(), Vec::new());
        let context = past.started.context.clone();
        self.go_on(&past, origin, context, None).await
    }

    /// Starts a new run that keeps what this one's nodes gave, but for one node and all that follows from it.
    ///
    /// # Errors
    /// [`Error::RunNotEnded`]; [`Error::UnknownPlace`]; [`Error::UnknownRun`]; [`Error::Data`]; store errors.
    pub async fn fork(&self, fork: Fork, by: &str, why: &str) -> Result<Run, Error> {
        let past = self.past().await?;
        let unknown = || Error::UnknownPlace { id: self.id().clone(), at: fork.node.clone() };
        let node = past.plan.find(&fork.node).ok_or_else(unknown)?;
        let legacy = self.legacy(&past, &[node]).await?;
        let mut origin = self.origin("fork", (by, why), legacy.kept, legacy.scopes);
        if let Some(output) = fork.output {
            origin.kept.push((node, output?));
        }
        if let Some(input) = fork.input {
            origin.input = Some((node, input?));
        }
        self.go_on(&past, origin, legacy.context, fork.id).await
    }

    async fn past(&self) -> Result<Past, Error> {
        let status = self.status().await?;
        if !status.is_final() {
            return Err(Error::RunNotEnded { id: self.id().clone(), status });
        }
        let unknown = || Error::UnknownRun { id: self.id().clone() };
        let started = started_of(self.shared(), self.id()).await?.ok_or_else(unknown)?;
        let plan = self.shared().store.plan(started.plan).await?.ok_or_else(unknown)?;
        Ok(Past { started, plan, status })
    }

    async fn legacy(&self, past: &Past, redo: &[NodeIx]) -> Result<Legacy, Error> {
        let scope = ScopeId::root(self.id().clone());
        let history = self.shared().store.history(&scope, Seq::ZERO, usize::MAX).await?;
        let damaged = |source| Error::Corrupt { id: self.id().clone(), source };
        Legacy::of(&past.plan, &history, redo).map_err(damaged)
    }

    fn origin(
        &self,
        verb: &str,
        (by, why): (&str, &str),
        kept: Vec<(NodeIx, Payload)>,
        scopes: Vec<KeptScope>,
    ) -> Origin {
        let (run, verb, by, why) = (self.id().clone(), verb.into(), by.into(), why.into());
        Origin { run, verb, by, why, kept, input: None, scopes }
    }

    async fn go_on(
        &self,
        past: &Past,
        origin: Origin,
        context: vastflow_core::Writes,
        id: Option<String>,
    ) -> Result<Run, Error> {
        let id = match id {
            Some(id) => RunId::new(id)?,
            None => next_id(self.id(), &origin.verb)?,
        };
        let mut info = past.started.info.clone();
        // The time limit was the old run's.
        info.deadline = None;
        let input = past.started.input.clone();
        let start = Start { run: id, input, context, info, origin: Some(Box::new(origin)), queued: false };
        StartRun::from_start(self.engine.clone(), past.started.plan, start).await
    }
}

/// The id of a run that goes on from another: `order-7`, `order-7.retry1`, `order-7.retry2`.
fn next_id(id: &RunId, verb: &str) -> Result<RunId, Error> {
    let (before, count) = match id.rsplit_once('.').and_then(|(before, last)| Some((before, last.strip_prefix(verb)?)))
    {
        Some((before, count)) => (before, count.parse::<u64>().ok()),
        None => (id.as_str(), None),
    };
    let before = if count.is_some() { before } else { id.as_str() };
    Ok(RunId::new(format!("{before}.{verb}{}", count.unwrap_or(0) + 1))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_runs_that_go_on_count_up() {
        let next = |id: &str, verb| next_id(&RunId::new(id).unwrap(), verb).unwrap().to_string();
        assert_eq!(next("order-7", "retry"), "order-7.retry1");
        assert_eq!(next("order-7.retry9", "retry"), "order-7.retry10");
        assert_eq!(next("order-7.retry1", "rerun"), "order-7.retry1.rerun1");
        assert_eq!(next("order.retry", "retry"), "order.retry.retry1");
    }
}
