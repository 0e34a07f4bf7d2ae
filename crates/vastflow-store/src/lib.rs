//! The storage seam of vastflow: the [`Store`] trait, the [`Commit`] it takes, and the in-memory store that is its
//! specification.
//!
//! A store is cut at domain operations. The one that matters is [`Store::submit`]: a commit carries, as plain data,
//! everything that must become true together: events appended to one scope's journal (only if nobody else appended
//! meanwhile), the tasks answered by it, the tasks that became ready, timers, messages to other scopes. A store makes
//! all of it true or none, and knows nothing of what the events mean.
//!
//! [`Ledger`] holds these rules as a plain data structure without I/O or locks. [`MemoryStore`] is a `Ledger` behind a
//! mutex; embedded stores are a `Ledger` plus a disk; fleet stores say the same in SQL or Lua, and
//! `vastflow-testsuite` compares them with it.
//!
//! **Absent:** drivers, SQL, retries, any reading of payloads, any decision about what a run does next.

mod commit;
mod control;
mod copy;
mod error;
mod ledger;
mod memory;
mod prune;
mod query;
mod work;

pub use commit::{ClaimToken, Commit, Committed, Message, NewTask, OpId};
pub use control::{Control, ControlWord};
pub use copy::{Copied, CopyError, copy};
pub use error::{Cause, StoreError};
pub use ledger::{Append, Blame, Forgotten, Head, Ledger, QueuedTask, TaskState};
pub use memory::MemoryStore;
pub use prune::{Doomed, Keep, Prune, Pruned};
pub use query::{Counts, Filling, PAGE_BYTES, RunPage, RunQuery, RunRow};
pub use work::{
    Claim, Claimed, Claims, Fleet, Heartbeat, LaneLimit, Lease, Pulse, QueueRow, Rate, Swept, Turn, Wakeups, WindowOf,
    WindowState, WorkerId, WorkerInfo, WorkerRow,
};

use async_trait::async_trait;
use std::sync::Arc;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Timestamp};

/// What is told to the one who submitted a batch: its commits in the order they came, each with its own answer.
///
/// A commit that took effect comes back without its events and messages, which are the store's now; any other comes
/// back whole.
pub type Answer = Vec<(Commit, Result<Committed, StoreError>)>;

/// Called once with the [`Answer`], on a thread of the store's choice: it must not block and must not panic.
pub type Reply = Box<dyn FnOnce(Answer) + Send>;

/// What a store can do, and what its word is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// What survives when an acknowledged commit is followed by a crash.
    pub durability: Durability,
    /// Whether several processes may use it at once.
    pub fleet: bool,
}

impl Capabilities {
    /// Capabilities of a store for one process.
    #[must_use]
    pub const fn embedded(durability: Durability) -> Self {
        Capabilities { durability, fleet: false }
    }

    /// Capabilities of a store for several processes.
    #[must_use]
    pub const fn fleet(durability: Durability) -> Self {
        Capabilities { durability, fleet: true }
    }
}

/// What an acknowledged commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it lives as long as the process.
    Memory,
    /// The death of the process, but not of the server that keeps it.
    Server,
    /// A crash of that server too, but for what was acknowledged in the last two seconds before it.
    Lagging,
    /// A power cut: it was synced to disk.
    Synced,
}

/// Where runs are kept. Every method is atomic, and repeating it does no harm.
///
/// Rules that every implementation keeps, and that `vastflow-testsuite` checks:
///
/// - An element of a batch takes effect whole or not at all; a batch is applied in order and holds at most one
///   element a scope. An answer means durable to the level that [`Capabilities`] states.
/// - The fence is the claim token: a commit that settles a task whose token is not the current one is
///   [`Committed::Fenced`] and changes nothing.
/// - The control word of a run is read in the same atomic step by every commit of any of its scopes.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What the store can do.
    fn capabilities(&self) -> Capabilities;

    /// Commits a batch: the only writer of journals. Answers through `reply`, at once when it can.
    fn submit(&self, batch: Vec<Commit>, reply: Reply);

    /// Events of a scope from position `after` on, at most `limit`.
    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError>;

    /// Tasks that are visible, handed to one worker until its lease ends. For answers that are lost, see [`Turn`].
    async fn claim(&self, ask: Claim) -> Result<Claims, StoreError>;

    /// Says that a worker lives; extends all its leases. [`StoreError::Refused`] when another worker of its name lives.
    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError>;

    /// Gives tasks back that were claimed and not begun; no attempt is spent.
    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError>;

    /// Makes the tasks of at most `limit` dead workers claimable again. A call that was in hand when two of them died is
    /// handed out alone from then on, until one answers it: see [`Claim::alone`].
    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError>;

    /// Hints that there may be something to claim. Hints may be lost; nothing may depend on them but speed.
    fn wakeups(&self) -> Wakeups;

    /// Keeps a plan under its hash.
    async fn put_plan(&self, plan: Arc<Plan>) -> Result<(), StoreError>;

    /// The plan with this hash.
    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError>;

    /// All plans, ordered by hash.
    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError>;

    /// One run in short.
    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError>;

    /// Runs in short, newest first, a page at a time.
    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError>;

    /// How many runs there are of each status.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Who is alive, and what became of those who were not.
    async fn fleet(&self) -> Result<Fleet, StoreError>;

    /// The calls that exist, by plan and lane, in that order.
    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError>;

    /// The tasks that exist in a scope, for checks and repairs.
    async fn tasks(&self, scope: &ScopeId) -> Result<Vec<QueuedTask>, StoreError>;

    /// Deletes runs that are over, with all there is of them, and frees their ids. Nothing brings them back.
    async fn prune(&self, ask: &Prune) -> Result<Pruned, StoreError> {
        let _ = ask;
        Err(StoreError::Unsupported("delete runs".into()))
    }

    /// Writes out what is still on its way and lets go of what the store holds. Later calls answer
    /// [`StoreError::Closed`] where there is something to let go of.
    async fn close(&self) -> Result<(), StoreError>;
}

impl dyn Store {
    /// [`Store::submit`] of one commit, awaited.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not answer; whether the commit took effect is then unknown, and repeating
    /// it is safe.
    pub async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let (send, receive) = tokio::sync::oneshot::channel();
        let reply = Box::new(move |answer: Answer| {
            // The one who asked may have gone away; the commit stands all the same.
            let _ = send.send(answer);
        });
        self.submit(vec![commit], reply);
        let answer = receive.await.map_err(|_| StoreError::unavailable("the store went away before it answered"))?;
        answer
            .into_iter()
            .next()
            .map_or_else(|| Err(StoreError::unavailable("the store answered nothing")), |one| one.1)
    }
}
