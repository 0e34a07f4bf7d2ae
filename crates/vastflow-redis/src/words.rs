//! What the store asks its scripts besides committing, and how their answers are read.

use crate::element::{id_of, text_of};
use crate::record::{self, number, word};
use crate::service::millis;
use crate::task;
use crate::wire::{Raw, told};
use serde::Deserialize;
use std::sync::Arc;
use vastflow_core::{Name, Plan, RunId, ScopeId, Seq, Task, Timestamp};
use vastflow_store::{
    Claim, ClaimToken, Claimed, Claims, QueueRow, QueuedTask, Rate, StoreError, TaskState, WindowOf, WindowState,
    WorkerId, WorkerInfo, WorkerRow,
};

/// The most that a number in a request may be: Lua and the server count in doubles.
pub(crate) fn most(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX).min(1 << 40)
}

pub(crate) fn corrupt(what: &str) -> impl Fn() -> StoreError + '_ {
    move || StoreError::corrupt(format!("it holds {what}, which makes no sense"))
}

told! {
    pub(crate) struct ClaimAsk<'a> {
        pub(crate) worker: String,
        pub(crate) max: u64,
        pub(crate) lease: u64,
        pub(crate) except: Vec<String>,
        pub(crate) lanes: Vec<(&'a str, u64)>,
        pub(crate) limits: Vec<LimitAsk<'a>>,
        pub(crate) windows: Vec<WindowAsk<'a>>,
        pub(crate) alone: bool,
        /// The number of the claim, and of the last one that was heard.
        pub(crate) turn: Option<(u64, u64)>,
        pub(crate) now: String,
    }
}

told! {
    /// A limit of a lane; the time of a token is in microseconds.
    pub(crate) struct LimitAsk<'a> {
        pub(crate) lane: &'a str,
        pub(crate) at_once: Option<u64>,
        pub(crate) burst: Option<u32>,
        pub(crate) every: Option<u64>,
    }
}

told! {
    /// A window: of all, of a flow, of a key of a flow.
    pub(crate) struct WindowAsk<'a> {
        pub(crate) of: &'a str,
        pub(crate) flow: &'a str,
        pub(crate) most: u64,
    }
}

/// What a claim is answered.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClaimTold {
    /// A later one came before it.
    pub(crate) is_over: bool,
    /// What nobody knew of went back into the queue; now it can be asked for.
    pub(crate) again: bool,
    pub(crate) tasks: Vec<Handed>,
    pub(crate) more: bool,
    pub(crate) alone_waits: bool,
    pub(crate) next_due: String,
    pub(crate) windows: Vec<(usize, bool)>,
    pub(crate) now: String,
}

/// A task that was handed out: run, path, task, token, lane, crashes, plan, length, mail, control word.
#[derive(Deserialize)]
pub(crate) struct Handed(String, String, String, u32, String, u8, String, u64, Vec<Raw>, u8, u32);

impl Handed {
    pub(crate) fn read(self) -> Result<Claimed, StoreError> {
        let Handed(run, path, task, token, lane, crashes, plan, len, mail, control, revision) = self;
        let scope = ScopeId::from_parts(run_id(&run)?, &path);
        let messages = mail.iter().map(|kept| record::message_of(&kept.0, &scope)).collect::<Result<_, _>>()?;
        Ok(Claimed {
            task: task_of(&task)?,
            token: ClaimToken(token),
            lane: lane_of(&lane)?,
            crashes,
            plan: plan.parse().map_err(|_| corrupt("the hash of a plan")())?,
            len: Seq(len),
            control: word(control, revision),
            messages,
            scope,
        })
    }
}

pub(crate) fn run_id(text: &str) -> Result<RunId, StoreError> {
    RunId::new(text).map_err(|why| StoreError::corrupt(why.to_string()))
}

pub(crate) fn task_of(text: &str) -> Result<Task, StoreError> {
    task::task_of(text).ok_or_else(|| StoreError::corrupt(format!("{text:?} is no task")))
}

pub(crate) fn lane_of(text: &str) -> Result<Option<Name>, StoreError> {
    if text.is_empty() {
        return Ok(None);
    }
    Name::new(text).map(Some).map_err(|why| StoreError::corrupt(why.to_string()))
}

pub(crate) fn worker_of(text: &str) -> Result<WorkerId, StoreError> {
    u64::from_str_radix(text, 16).map(WorkerId).map_err(|_| corrupt("the id of a worker")())
}

pub(crate) fn time_of(text: &str) -> Result<Timestamp, StoreError> {
    number(text).map(Timestamp::from_millis)
}

pub(crate) fn some_time_of(text: &str) -> Result<Option<Timestamp>, StoreError> {
    if text.is_empty() { Ok(None) } else { time_of(text).map(Some) }
}

told! {
    pub(crate) struct BeatAsk<'a> {
        pub(crate) worker: String,
        pub(crate) name: &'a str,
        pub(crate) about: Raw,
        pub(crate) lease: u64,
        pub(crate) now: String,
    }
}

#[derive(Deserialize)]
pub(crate) struct BeatTold {
    #[serde(default)]
    pub(crate) refused: Option<Raw>,
    #[serde(default)]
    pub(crate) was_lost: bool,
    #[serde(default)]
    pub(crate) has_others: bool,
    pub(crate) now: String,
}

told! {
    pub(crate) struct SweepAsk {
        pub(crate) limit: u64,
        pub(crate) now: String,
        /// What time it was by the server's clock when this was asked, as far as one can know.
        pub(crate) asked: u64,
        /// How old the question may be.
        pub(crate) patience: u64,
        /// For how long the caller has seen every call answered in time.
        pub(crate) served: u64,
    }
}

#[derive(Deserialize)]
pub(crate) struct SweepTold {
    pub(crate) workers: usize,
    pub(crate) tasks: usize,
    pub(crate) now: String,
}

told! {
    pub(crate) struct LeaseAsk<'a> {
        pub(crate) run: &'a str,
        pub(crate) path: &'a str,
        pub(crate) task: String,
        pub(crate) token: u32,
    }
}

told! {
    pub(crate) struct ReleaseAsk<'a> {
        pub(crate) leases: Vec<LeaseAsk<'a>>,
    }
}

told! {
    pub(crate) struct ScopeAsk<'a> {
        pub(crate) run: &'a str,
        pub(crate) path: &'a str,
        pub(crate) after: u64,
        pub(crate) limit: u64,
    }
}

#[derive(Deserialize)]
pub(crate) struct HistoryTold {
    #[serde(default)]
    pub(crate) torn: Option<u64>,
    #[serde(default)]
    pub(crate) records: Vec<(u64, Raw)>,
    #[serde(default)]
    pub(crate) more: bool,
}

#[derive(Deserialize)]
pub(crate) struct TasksTold {
    pub(crate) tasks: Vec<TaskTold>,
}

told! {
    pub(crate) struct PlanAsk<'a> {
        pub(crate) plan: String,
        pub(crate) flow: &'a str,
        pub(crate) json: &'a str,
    }
}

#[derive(Deserialize)]
pub(crate) struct PlansTold {
    pub(crate) plans: Vec<Raw>,
}

#[derive(Deserialize)]
pub(crate) struct CountsTold {
    pub(crate) counts: Vec<u64>,
}

#[derive(Deserialize)]
pub(crate) struct WorkersTold {
    pub(crate) now: String,
    pub(crate) workers: Vec<WorkerTold>,
    pub(crate) taken_over: u64,
    pub(crate) fenced: u64,
}

#[derive(Deserialize)]
pub(crate) struct QueuesTold {
    pub(crate) queues: Vec<QueueTold>,
}

told! {
    pub(crate) struct NoAsk {
        pub(crate) plan: &'static str,
    }
}

#[derive(Deserialize)]
pub(crate) struct Nothing {}

pub(crate) fn plan_of(json: &Raw) -> Result<Arc<Plan>, StoreError> {
    let text = std::str::from_utf8(&json.0).map_err(|_| corrupt("a plan that is no text")())?;
    Plan::from_json(text).map(Arc::new).map_err(|why| StoreError::corrupt(format!("a plan cannot be read: {why}")))
}

pub(crate) fn about_of(json: &Raw) -> Result<WorkerInfo, StoreError> {
    if json.0.is_empty() {
        return Ok(WorkerInfo::default());
    }
    serde_json::from_slice(&json.0).map_err(|_| corrupt("what a worker told of itself")())
}

/// Plans, by hash.
pub(crate) fn plans_of(told: &PlansTold) -> Result<Vec<Arc<Plan>>, StoreError> {
    let mut plans = told.plans.iter().map(plan_of).collect::<Result<Vec<_>, _>>()?;
    plans.sort_unstable_by_key(|plan| plan.hash());
    Ok(plans)
}

/// A task of a scope: its text, when it is due, its token, its state with the rank or the worker, its deaths.
#[derive(Deserialize)]
pub(crate) struct TaskTold(String, String, u32, String, String, u8, u8);

impl TaskTold {
    pub(crate) fn read(self) -> Result<QueuedTask, StoreError> {
        let TaskTold(text, due, token, state, x, deaths, crashes) = self;
        let state = match state.as_str() {
            "q" => TaskState::Queued { ticket: number(&x)? },
            "c" => TaskState::Claimed { by: worker_of(&x)? },
            _ => TaskState::Held,
        };
        Ok(QueuedTask { task: task_of(&text)?, due: time_of(&due)?, token: ClaimToken(token), state, deaths, crashes })
    }
}

/// A worker: its id, until when it counts as alive, how many calls it has in hand, what it told of itself.
#[derive(Deserialize)]
pub(crate) struct WorkerTold(String, String, usize, Raw);

impl WorkerTold {
    pub(crate) fn read(self) -> Result<WorkerRow, StoreError> {
        let WorkerTold(id, until, in_hand, about) = self;
        let about = Arc::new(about_of(&about)?);
        Ok(WorkerRow { id: worker_of(&id)?, about, until: time_of(&until)?, in_hand })
    }
}

/// The calls of a plan and lane: ready, since when, later, in hand, held, alone.
#[derive(Deserialize)]
pub(crate) struct QueueTold(String, String, usize, String, usize, usize, usize, usize);

impl QueueTold {
    pub(crate) fn read(self) -> Result<QueueRow, StoreError> {
        let QueueTold(plan, lane, ready, since, later, in_hand, held, alone) = self;
        let plan = plan.parse().map_err(|_| corrupt("the hash of a plan")())?;
        let (lane, since) = (lane_of(&lane)?, some_time_of(&since)?);
        Ok(QueueRow { plan, lane, ready, since, later, in_hand, held, alone })
    }
}

/// A request for work.
pub(crate) fn claim_ask(claim: &Claim) -> ClaimAsk<'_> {
    let windows = claim.windows.iter().map(|(of, runs)| {
        let (of, flow) = match of {
            WindowOf::All => ("all", ""),
            WindowOf::Flow(flow) => ("flow", flow.as_str()),
            WindowOf::KeyOf(flow) => ("key", flow.as_str()),
        };
        WindowAsk { of, flow, most: most(*runs) }
    });
    let limits = claim.limits.iter().map(|limit| LimitAsk {
        lane: &limit.lane,
        at_once: limit.at_once.map(most),
        burst: limit.rate.map(|rate| rate.burst),
        every: limit.rate.map(Rate::every_micros),
    });
    ClaimAsk {
        worker: id_of(claim.worker),
        max: most(claim.max),
        lease: millis(claim.lease),
        except: claim.except.iter().map(ToString::to_string).collect(),
        lanes: claim.lanes.iter().map(|(lane, room)| (lane.as_str(), most(*room))).collect(),
        limits: limits.collect(),
        windows: windows.collect(),
        alone: claim.alone,
        turn: claim.turn.map(|turn| (turn.number, turn.heard)),
        now: text_of(claim.now),
    }
}

impl ClaimTold {
    pub(crate) fn read(self, ask: &Claim) -> Result<Claims, StoreError> {
        let whole = ask.windows.iter().map(|(of, _)| of).filter(|of| !matches!(of, WindowOf::KeyOf(_)));
        let states = whole.zip(self.windows);
        Ok(Claims {
            windows: states.map(|(of, (in_flight, waits))| WindowState { of: of.clone(), in_flight, waits }).collect(),
            tasks: self.tasks.into_iter().map(Handed::read).collect::<Result<_, _>>()?,
            more: self.more,
            next_due: some_time_of(&self.next_due)?,
            alone_waits: self.alone_waits,
        })
    }
}
