//! Going on from a run: again from where it failed, again from the start, or with something changed in the middle.

use crate::claim::started_of;
use crate::error::Error;
use crate::form::{check_given, check_taken, outer_of};
use crate::run::Run;
use crate::start::StartRun;
use std::sync::Arc;
use vastflow_core::event::{KeptScope, Origin};
use vastflow_core::run::{Legacy, Start};
use vastflow_core::{NodeIx, Payload, Plan, Recorded, RunId, RunInfo, RunStarted, RunStatus, ScopeId, Seq, Writes};
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
    /// The node and all that follows from it are done again; what other nodes gave is kept. It is a node of the run itself,
    /// not one inside of a branch, a foreach or a basin: at those, all that is inside is done again.
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

/// A run that is over, for whoever has its history and starts runs by themselves.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its id.
    pub id: RunId,
    /// How it began.
    pub started: Arc<RunStarted>,
    /// The plan that it followed.
    pub plan: Arc<Plan>,
    /// How it ended.
    pub status: RunStatus,
}

impl Past {
    /// The start of a run that goes on where this one failed or was stopped; `history` is that of its root.
    ///
    /// # Errors
    /// [`Error::RunNotEnded`]; [`Error::RunEnded`] when it succeeded; [`Error::Corrupt`].
    pub fn retry(&self, history: &[Recorded], by_why: (&str, &str)) -> Result<Start, Error> {
        self.must_be_over()?;
        if self.status == RunStatus::Succeeded {
            return Err(Error::RunEnded { id: self.id.clone(), status: self.status });
        }
        let legacy = self.legacy(history, &[])?;
        self.start(None, self.origin("retry", by_why, legacy.kept, legacy.scopes), legacy.context)
    }

    /// The start of a run from the start, with the same input.
    ///
    /// # Errors
    /// [`Error::RunNotEnded`].
    pub fn rerun(&self, by_why: (&str, &str)) -> Result<Start, Error> {
        self.must_be_over()?;
        self.start(None, self.origin("rerun", by_why, Vec::new(), Vec::new()), self.started.context.clone())
    }

    /// The start of a run that keeps what the nodes of this one gave, but for one node and all that follows from it.
    ///
    /// # Errors
    /// [`Error::RunNotEnded`]; [`Error::UnknownPlace`]; [`Error::InnerFork`] when the node stands inside of another;
    /// [`Error::ValueMismatch`] when the node cannot get or give what it is to; [`Error::Data`]; [`Error::Corrupt`].
    pub fn fork(&self, fork: Fork, history: &[Recorded], by_why: (&str, &str)) -> Result<Start, Error> {
        self.must_be_over()?;
        let node = self.plan.find(&fork.node).ok_or_else(|| self.no_fork_at(&fork.node))?;
        let legacy = self.legacy(history, &[node])?;
        let mut origin = self.origin("fork", by_why, legacy.kept, legacy.scopes);
        let spec = self.plan.node(node).ok_or_else(|| self.no_fork_at(&fork.node))?;
        if let Some(output) = fork.output.transpose()? {
            check_given(&self.id, spec, &output)?;
            origin.kept.push((node, output));
        }
        if let Some(input) = fork.input.transpose()? {
            check_taken(&self.id, spec, &input)?;
            origin.input = Some((node, input));
        }
        self.start(fork.id, origin, legacy.context)
    }

    /// Why there is no forking at a node that is not among the run's own.
    fn no_fork_at(&self, at: &str) -> Error {
        let (id, at) = (self.id.clone(), at.to_owned());
        let place = ScopeId::named(id.clone(), &at);
        let first = place.steps().next().map(|(node, _)| node).filter(|node| self.plan.find(node).is_some());
        match first.or_else(|| outer_of(&self.plan, &at).map(|outer| &**outer)) {
            Some(outer) => Error::InnerFork { id, outer: outer.to_owned(), at },
            None => Error::UnknownPlace { id, at },
        }
    }

    fn must_be_over(&self) -> Result<(), Error> {
        match self.status.is_final() {
            true => Ok(()),
            false => Err(Error::RunNotEnded { id: self.id.clone(), status: self.status }),
        }
    }

    fn legacy(&self, history: &[Recorded], redo: &[NodeIx]) -> Result<Legacy, Error> {
        let damaged = |source| Error::Corrupt { id: self.id.clone(), source };
        Legacy::of(&self.plan, history, redo).map_err(damaged)
    }

    fn origin(
        &self,
        verb: &str,
        (by, why): (&str, &str),
        kept: Vec<(NodeIx, Payload)>,
        scopes: Vec<KeptScope>,
    ) -> Origin {
        let (run, verb, by, why) = (self.id.clone(), verb.into(), by.into(), why.into());
        Origin { run, verb, by, why, kept, input: None, scopes }
    }

    fn start(&self, id: Option<String>, origin: Origin, context: Writes) -> Result<Start, Error> {
        let run = match id {
            Some(id) => RunId::new(id)?,
            None => next_id(&self.id, &origin.verb)?,
        };
        let mut info = RunInfo::clone(&self.started.info);
        // The time limit was the old run's.
        info.deadline = None;
        let input = self.started.input.clone();
        Ok(Start { run, input, context, info, origin: Some(Box::new(origin)), queued: false })
    }
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
        self.go_on(&past, past.retry(&self.history().await?, (by, why))?).await
    }

    /// Starts a new run from the start, with the same input. Asking again gives the same new run.
    ///
    /// # Errors
    /// [`Error::RunNotEnded`]; [`Error::UnknownRun`]; store errors.
    pub async fn rerun(&self, by: &str, why: &str) -> Result<Run, Error> {
        let past = self.past().await?;
        self.go_on(&past, past.rerun((by, why))?).await
    }

    /// Starts a new run that keeps what this one's nodes gave, but for one node and all that follows from it.
    ///
    /// # Errors
    /// [`Error::RunNotEnded`]; [`Error::UnknownPlace`]; [`Error::InnerFork`] when the node stands inside of another;
    /// [`Error::ValueMismatch`] when the node cannot get or give what it is to; [`Error::UnknownRun`]; [`Error::Data`]; store errors.
    pub async fn fork(&self, fork: Fork, by: &str, why: &str) -> Result<Run, Error> {
        let past = self.past().await?;
        self.go_on(&past, past.fork(fork, &self.history().await?, (by, why))?).await
    }

    async fn past(&self) -> Result<Past, Error> {
        let (id, status) = (self.id().clone(), self.status().await?);
        let unknown = || Error::UnknownRun { id: self.id().clone() };
        let started = started_of(self.shared(), self.id()).await?.ok_or_else(unknown)?;
        let plan = self.shared().store.plan(started.plan).await?.ok_or_else(unknown)?;
        Ok(Past { id, started, plan, status })
    }

    async fn history(&self) -> Result<Vec<Recorded>, Error> {
        let scope = ScopeId::root(self.id().clone());
        Ok(self.shared().store.history(&scope, Seq::ZERO, usize::MAX).await?)
    }

    async fn go_on(&self, past: &Past, start: Start) -> Result<Run, Error> {
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
