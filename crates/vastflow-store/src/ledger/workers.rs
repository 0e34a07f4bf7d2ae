//! Who is alive.

use super::Ledger;
use super::scope::TaskState;
use crate::work::{Heartbeat, Pulse, Swept, WorkerId};
use vastflow_core::Timestamp;

impl Ledger {
    /// A worker lives.
    pub fn heartbeat(&mut self, beat: &Heartbeat) -> Pulse {
        let before = self.workers.insert(beat.worker, beat.now.plus(beat.lease));
        Pulse { was_lost: before.is_none() }
    }

    /// Gives up at most `limit` workers whose lease has ended; their tasks become claimable.
    pub fn sweep(&mut self, now: Timestamp, limit: usize) -> Swept {
        let dead = self.workers.iter().filter(|(_, until)| **until <= now).map(|(worker, _)| *worker);
        let dead: Vec<WorkerId> = dead.take(limit).collect();
        if dead.is_empty() {
            return Swept::default();
        }
        let mut tasks = 0;
        for run in self.runs.values_mut() {
            let place = run.place();
            let root = (&run.id, &mut run.root);
            for (id, scope) in std::iter::once(root).chain(run.inner.iter_mut()) {
                let lost = scope.tasks_in(|state| matches!(state, TaskState::Claimed { by } if dead.contains(&by)));
                tasks += lost.len();
                lost.into_iter().for_each(|task| scope.give_back(id, task, place, &mut self.queue));
            }
        }
        self.workers.retain(|worker, _| !dead.contains(worker));
        Swept { workers: dead.len(), tasks }
    }
}
