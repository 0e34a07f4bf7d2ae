//! Who is alive.

use super::Ledger;
use super::scope::TaskState;
use crate::work::{Heartbeat, Pulse, Swept, WorkerId};
use vastflow_core::Timestamp;

impl Ledger {
    /// A worker lives.
    pub fn heartbeat(&mut self, beat: &Heartbeat) -> Pulse {
        let before = self.workers.insert(beat.worker, beat.now.plus(beat.lease));
        Pulse { was_lost: before.is_none(), has_others: self.workers.len() > 1 }
    }

    /// Gives up at most `limit` workers whose lease has ended; their tasks become claimable, in the order in which
    /// their runs began. A worker that was given up, did not notice and kept tasks since then is given up again.
    pub fn sweep(&mut self, now: Timestamp, limit: usize) -> Swept {
        let Ledger { workers, strangers, runs, order, queue, .. } = self;
        strangers.retain(|worker| !workers.contains_key(worker));
        let dead = workers.iter().filter(|(_, until)| **until <= now).map(|(worker, _)| *worker);
        let dead: Vec<WorkerId> = dead.chain(strangers.iter().copied()).take(limit).collect();
        if dead.is_empty() {
            return Swept::default();
        }
        let mut tasks = 0;
        for id in order.values() {
            let Some(run) = runs.get_mut(id) else { continue };
            let place = run.place();
            let root = (&run.id, &mut run.root);
            for (id, scope) in std::iter::once(root).chain(run.inner.iter_mut()) {
                let lost = scope.tasks_in(|state| matches!(state, TaskState::Claimed { by } if dead.contains(&by)));
                tasks += lost.len();
                lost.into_iter().for_each(|task| scope.give_back(id, task, &place, queue));
            }
        }
        workers.retain(|worker, _| !dead.contains(worker));
        strangers.retain(|worker| !dead.contains(worker));
        Swept { workers: dead.len(), tasks }
    }
}
