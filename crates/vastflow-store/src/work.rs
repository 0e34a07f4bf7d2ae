//! Claiming work, and staying alive while doing it.

use crate::commit::{ClaimToken, Message};
use crate::control::ControlWord;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use vastflow_core::{Name, PlanHash, ScopeId, Seq, Task, Timestamp};

/// Names one life of a worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u64);

impl fmt::Debug for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkerId({:016x})", self.0)
    }
}

/// A request for work.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Who asks.
    pub worker: WorkerId,
    /// The most tasks to hand out that run user code: the worker's free slots. Timers and deliveries come besides.
    pub max: usize,
    /// How long the worker counts as alive from now on.
    pub lease: Duration,
    /// Plans the worker has no code for; their tasks stay where they are.
    pub except: Arc<[PlanHash]>,
    /// The most tasks of each lane that the worker serves; they count for `max` too. Tasks of other lanes, but for the
    /// common one, stay where they are.
    pub lanes: Arc<[(Name, usize)]>,
    /// How many calls of a lane may be in the hands of all workers together, and how often one may begin.
    pub limits: Arc<[LaneLimit]>,
    /// How many runs may be in flight. Runs beyond that stay in line ([`Task::Admit`]). In flight is what has begun its
    /// work and has not ended.
    pub windows: Arc<[(WindowOf, usize)]>,
    /// The worker has nothing in hand and begins nothing else meanwhile: it is given one call that must run alone, and no
    /// other call.
    pub alone: bool,
    /// The worker gives up calls that end its process. A store that does not know what a process had in hand when it died
    /// writes down what this one is given, where that may matter.
    pub watch: bool,
    /// Which claim of its worker this is; none: nothing is to be done about answers that do not arrive.
    pub turn: Option<Turn>,
    /// What time it is; stores with a clock of their own do not look at it.
    pub now: Timestamp,
}

impl Claim {
    /// A request for tasks of all plans in the common lane, without limits and windows.
    #[must_use]
    pub fn new(worker: WorkerId, max: usize, lease: Duration, now: Timestamp) -> Self {
        Claim {
            worker,
            max,
            lease,
            except: [].into(),
            lanes: [].into(),
            limits: [].into(),
            windows: [].into(),
            alone: false,
            watch: false,
            turn: None,
            now,
        }
    }
}

/// Which claim of its worker a claim is. A worker makes one after another, and numbers them.
///
/// What was handed out by claims between `heard` and this one, nobody knows of: their answers were lost. It can be claimed
/// again, by anybody, before this claim is answered. A claim that comes after one with the same or a higher number was held
/// up on its way; nobody waits for it any more, and it is answered [`StoreError::Unavailable`] and takes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Its number; at least 1, and higher than those before.
    pub number: u64,
    /// The number of the last one whose answer arrived; 0: none yet.
    pub heard: u64,
}

impl Turn {
    /// The turn after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Turn { number: self.number + 1, ..self }
    }

    /// This turn, when its claim was answered.
    #[must_use]
    pub const fn answered(self) -> Self {
        Turn { heard: self.number, ..self }
    }

    /// What a claim is told that comes too late.
    #[must_use]
    pub fn is_over() -> StoreError {
        StoreError::unavailable("a claim was held up on its way, and a later one of its worker came before it")
    }
}

/// What a claim gives.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// The tasks.
    pub tasks: Vec<Claimed>,
    /// Whether more may be there to claim: tasks beyond `max`, or more timers and deliveries than one claim gives. What
    /// waits for room in a lane or a window does not count.
    pub more: bool,
    /// When the next task that is not visible yet will be; none when there is none.
    pub next_due: Option<Timestamp>,
    /// How it stands with each window of the claim that is not by key, in its order.
    pub windows: Vec<WindowState>,
    /// Whether a call is there that must run alone: see [`Claim::alone`].
    pub alone_waits: bool,
}

/// A limit on a lane that all workers keep together. It holds for the claims that tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneLimit {
    /// The lane.
    pub lane: Name,
    /// How many of its calls may be in the hands of workers at once.
    pub at_once: Option<usize>,
    /// How often one may be handed out. What is given back, or taken from a dead worker, has been counted.
    pub rate: Option<Rate>,
}

/// A token bucket: it holds `burst` tokens when it is full, and gets one `every` so often. A call takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many calls may begin at once after a quiet time; at least 1.
    pub burst: u32,
    /// The time of one token; at least 1 µs.
    pub every: Duration,
}

impl Rate {
    /// The time of one token in µs, the resolution that buckets count in.
    #[must_use]
    pub fn every_micros(self) -> u64 {
        u64::try_from(self.every.as_micros()).unwrap_or(u64::MAX).clamp(1, u64::from(u32::MAX) * 1_000)
    }
}

/// Which runs a window counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowOf {
    /// Those of all flows together.
    All,
    /// Those of one flow.
    Flow(Name),
    /// Those of one flow that have the same key; each key for itself, and runs without one not at all.
    KeyOf(Name),
}

impl WindowOf {
    /// Whether a run of that flow with that key waits for it.
    #[must_use]
    pub fn concerns(&self, flow: &Name, key: Option<&Name>) -> bool {
        match self {
            WindowOf::All => true,
            WindowOf::Flow(of) => of == flow,
            WindowOf::KeyOf(of) => of == flow && key.is_some(),
        }
    }
}

/// How it stands with a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowState {
    /// Of which.
    pub of: WindowOf,
    /// How many runs are in flight.
    pub in_flight: usize,
    /// Whether others stay in line.
    pub waits: bool,
}

/// A task in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its scope.
    pub scope: ScopeId,
    /// The task.
    pub task: Task,
    /// The right to report on it.
    pub token: ClaimToken,
    /// The lane that it queued in.
    pub lane: Option<Name>,
    /// How often a worker died that had this call in hand and no other.
    pub crashes: u8,
    /// The plan its run follows.
    pub plan: PlanHash,
    /// How long the scope's journal is.
    pub len: Seq,
    /// What may go on in the run.
    pub control: ControlWord,
    /// For [`Task::Deliver`]: the oldest messages of the scope's inbox with their senders, at most 512, and after the
    /// first only while their bodies together have at most 1 MiB. They are settled with the task.
    pub messages: Vec<(ScopeId, Message)>,
}

/// A task and the right to report on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The task's scope.
    pub scope: ScopeId,
    /// The task.
    pub task: Task,
    /// The right to report.
    pub token: ClaimToken,
}

/// A sign of life.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Whose.
    pub worker: WorkerId,
    /// What it tells of itself.
    pub about: Arc<WorkerInfo>,
    /// How long it counts as alive from now on. No time at all is a goodbye: it goes, and what it has in hand did not kill
    /// it.
    pub lease: Duration,
    /// What time it is; stores with a clock of their own do not look at it.
    pub now: Timestamp,
}

/// What a worker tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// The name that people gave it. No two workers that are alive have the same.
    pub name: Option<Name>,
    /// The machine it runs on.
    pub host: Box<str>,
    /// Its process there.
    pub pid: u32,
    /// The version of the program.
    pub version: Box<str>,
    /// How many calls it makes at once.
    pub slots: usize,
    /// The lanes it serves.
    pub lanes: Vec<Name>,
    /// The flows that are registered there, each with the plan that new runs of it follow.
    #[serde(default)]
    pub flows: Vec<(Name, PlanHash)>,
    /// The plans it has the code for.
    pub serves: Vec<PlanHash>,
    /// The stored plans it lacks code for, with what it lacks first.
    pub lacks: Vec<(PlanHash, Box<str>)>,
}

/// The workers of a store, and what became of those that died or froze.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// What time it is by the clock that leases are judged by.
    pub now: Timestamp,
    /// Those that were not given up, ordered by id. One whose time is over is as good as dead: it is given up as soon as
    /// another looks.
    pub workers: Vec<WorkerRow>,
    /// How many tasks were taken from workers that were given up, since the store was made; of an embedded store, since it
    /// was opened.
    pub taken_over: u64,
    /// How many commits were refused, for as long, because who made them did not hold the task any more.
    pub fenced: u64,
}

/// A worker in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerRow {
    /// Its life.
    pub id: WorkerId,
    /// What it told of itself; empty until its first sign of life.
    pub about: Arc<WorkerInfo>,
    /// Until when it counts as alive.
    pub until: Timestamp,
    /// How many calls it has in hand.
    pub in_hand: usize,
}

/// The calls of one plan that queue in one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRow {
    /// The plan.
    pub plan: PlanHash,
    /// The lane; none: the common one.
    pub lane: Option<Name>,
    /// How many could be claimed now.
    pub ready: usize,
    /// Since when the oldest of those could.
    pub since: Option<Timestamp>,
    /// How many become visible later.
    pub later: usize,
    /// How many are in the hands of workers.
    pub in_hand: usize,
    /// How many are kept back, because their run is held or killed.
    pub held: usize,
    /// How many of those that are ready must run alone.
    pub alone: usize,
}

impl WorkerInfo {
    /// What is known of any worker in this process.
    #[must_use]
    pub fn here() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
        let host = host.map_or_else(|_| "unknown".into(), |host| host.trim().into());
        WorkerInfo { host, pid: std::process::id(), ..WorkerInfo::default() }
    }

    /// Why another worker may not have its name.
    #[must_use]
    pub fn refuses(&self, name: &Name) -> StoreError {
        StoreError::Refused(format!(
            "a worker with the name {name:?} is alive: process {} on {}; give this one another name, or wait until the lease \
             of the other has ended",
            self.pid, self.host
        ))
    }
}

impl QueueRow {
    /// No call at all.
    #[must_use]
    pub const fn empty(plan: PlanHash, lane: Option<Name>) -> Self {
        QueueRow { plan, lane, ready: 0, since: None, later: 0, in_hand: 0, held: 0, alone: 0 }
    }
}

/// The answer to a sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// What time it is by the clock that leases and timers are judged by.
    pub now: Timestamp,
    /// The worker had been given up: its tasks went to others, and what it reports on them will be fenced.
    pub was_lost: bool,
    /// Others count as alive besides: what they record is theirs to know, until one looks.
    pub has_others: bool,
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Workers given up.
    pub workers: usize,
    /// Tasks that became claimable again.
    pub tasks: usize,
}

/// A number that changes when there may be something new to claim. A hint, no more.
#[derive(Clone, Debug)]
pub struct Wakeups(watch::Receiver<u64>);

impl Wakeups {
    /// Hints from this channel.
    #[must_use]
    pub const fn new(channel: watch::Receiver<u64>) -> Self {
        Wakeups(channel)
    }

    /// Hints that never come, as if every notification were lost.
    #[must_use]
    pub fn never() -> Self {
        Wakeups(watch::channel(0).1)
    }

    /// Waits for the next hint; for ever when the store is gone.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
