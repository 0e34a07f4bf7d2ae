//! The specification with a memory: a [`Ledger`] and the log that it can be rebuilt from.

use std::sync::Arc;
use vastflow_core::{Plan, RunId, Task};
use vastflow_store::{Append, Commit, Committed, ControlWord, Ledger, Prune, Pruned, StoreError};

/// What an embedded store is, without the disk.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) ledger: Ledger,
    log: Vec<Entry>,
}

/// A commit that took effect, and how many messages it took out of its inbox.
#[derive(Debug)]
struct Entry {
    commit: Commit,
    delivered: usize,
}

impl Model {
    pub(crate) fn apply(&mut self, commit: &mut Commit) -> Result<Committed, StoreError> {
        let whole = commit.clone();
        let settles = commit.settle.iter().any(|(task, _)| *task == Task::Deliver);
        let delivered = if settles { self.ledger.handed_over(&commit.scope) } else { 0 };
        let answer = self.ledger.apply(commit)?;
        if let Committed::Done { .. } = answer {
            self.log.push(Entry { commit: whole, delivered });
        }
        Ok(answer)
    }

    pub(crate) fn prune(&mut self, ask: &Prune) -> Pruned {
        let (gone, more) = self.ledger.prune(ask);
        self.log.retain(|entry| !gone.contains(entry.commit.scope.run()));
        Pruned { runs: gone.len(), more }
    }

    /// As if the process had ended and begun again: claims, queue and workers are gone, and follow from the log.
    pub(crate) fn reopen(&mut self) -> Result<(), StoreError> {
        let mut fresh = Ledger::default();
        self.ledger.plans().into_iter().for_each(|plan: Arc<Plan>| fresh.put_plan(plan));
        let mut runs: Vec<RunId> = Vec::new();
        for entry in &self.log {
            let run = entry.commit.scope.run();
            if let (None, Some(summary)) = (fresh.run(run), &entry.commit.summary) {
                fresh.restore_run(run.clone(), fresh.next_key(), (**summary).clone(), ControlWord::default());
                runs.push(run.clone());
            }
            entry.restore(&mut fresh)?;
        }
        for run in &runs {
            fresh.requeue(run)?;
        }
        self.ledger = fresh;
        Ok(())
    }
}

impl Entry {
    fn restore(&self, ledger: &mut Ledger) -> Result<(), StoreError> {
        let Commit { scope, op, at, expected, events, .. } = &self.commit;
        let append = Append { first: *expected, at: *at, op: *op, events: events.clone() };
        ledger.restore_append(scope, append)?;
        if let Some(control) = self.commit.control {
            ledger.restore_control(scope.run(), control);
        }
        for message in &self.commit.messages {
            ledger.restore_message(scope, message.clone());
        }
        ledger.restore_delivered(scope, self.delivered);
        Ok(())
    }
}
