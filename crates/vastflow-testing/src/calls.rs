//! Calls under way.

use crate::error::What;
use crate::fault::Kind;
use crate::place::Place;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use vastflow_core::run::{Reply, TaskOutcome};
use vastflow_core::{Failure, FailureKind, RunOutcome, Task, Timestamp, Writes};
use vastflow_sdk::Ctx;
use vastflow_worker::tree::{At, Called};

/// How often others are let run before calls that do not hold the clock are taken for waiting.
const GLANCES: usize = 32;

/// One call under way.
pub(crate) struct Call {
    pub(crate) run: usize,
    pub(crate) at: At,
    pub(crate) task: Task,
    pub(crate) place: Place,
    pub(crate) ctx: Ctx,
    pub(crate) fault: Option<Kind>,
    pub(crate) began: Timestamp,
    /// When its time is up, and how much it had.
    limit: Option<(Timestamp, Duration)>,
    phase: Phase,
    /// The clock goes on while it runs.
    waits: bool,
}

enum Phase {
    /// Its code runs.
    Running { id: u64, abort: AbortHandle },
    /// It runs for ever.
    Hanging,
    /// It has ended, and its answer comes at this time.
    Ended(TaskOutcome, Timestamp),
}

/// All calls under way.
#[derive(Default)]
pub(crate) struct Calls {
    all: Vec<Call>,
    running: JoinSet<(u64, TaskOutcome)>,
    begun: u64,
}

/// A call to be made.
pub(crate) struct Begin {
    pub(crate) run: usize,
    pub(crate) at: At,
    pub(crate) task: Task,
    pub(crate) place: Place,
    pub(crate) ctx: Ctx,
    pub(crate) fault: Option<Kind>,
    pub(crate) limit: Option<Duration>,
    pub(crate) waits: bool,
    pub(crate) now: Timestamp,
}

impl Calls {
    /// Makes a call, unless its fault answers in its place.
    pub(crate) async fn begin(
        &mut self,
        begin: Begin,
        call: impl FnOnce() -> Called,
        may_retry: impl Fn(&Failure) -> bool,
    ) {
        let Begin { run, at, task, place, ctx, fault, limit, waits, now } = begin;
        let failed = |failure: Failure, retryable: bool| {
            let retryable = retryable && may_retry(&failure);
            let reply = Reply::Failed { failure, retryable };
            Phase::Ended(TaskOutcome { task, reply, writes: Writes::new(), took: Duration::ZERO }, now)
        };
        let phase = match &fault {
            Some(Kind::Fail(error)) => failed(Failure::new(FailureKind::Error, error.as_str()), true),
            Some(Kind::Fatal(error)) => failed(Failure::new(FailureKind::Error, error.as_str()), false),
            Some(Kind::Panic(text)) => failed(Failure::new(FailureKind::Panic, text.as_str()), true),
            Some(Kind::Hang) => Phase::Hanging,
            _ => self.poll(call().unlimited(), now).await,
        };
        let limit = limit.map(|limit| (now.plus(limit), limit));
        let mut call = Call { run, at, task, place, ctx, fault, began: now, limit, phase, waits };
        call.slow_down();
        self.all.push(call);
    }

    async fn poll(&mut self, mut called: Called, now: Timestamp) -> Phase {
        if let Some(outcome) = called.poll_once().await {
            return Phase::Ended(outcome, now);
        }
        self.begun += 1;
        let id = self.begun;
        let abort = self.running.spawn(async move { (id, called.end().await) });
        Phase::Running { id, abort }
    }

    /// Whether there is a call for a task.
    pub(crate) fn has(&self, run: usize, at: At, task: Task) -> bool {
        self.number_of(run, at, task).is_some()
    }

    /// Tells a call that it should stop.
    pub(crate) fn cancel(&mut self, run: usize, at: At, task: Task, outcome: Option<RunOutcome>) {
        if let Some(number) = self.number_of(run, at, task) {
            self.all[number].ctx.cancel_call(outcome);
        }
    }

    /// The calls whose answers are there, by number.
    pub(crate) fn ended(&self, now: Timestamp) -> impl Iterator<Item = usize> {
        let is_ended = move |call: &Call| match &call.phase {
            Phase::Ended(_, at) => *at <= now,
            Phase::Hanging => call.ctx.is_cancelled(),
            Phase::Running { .. } => false,
        } || call.is_late(now);
        self.all.iter().enumerate().filter(move |(_, call)| is_ended(call)).map(|(number, _)| number)
    }

    /// The number of the call for a task.
    pub(crate) fn number_of(&self, run: usize, at: At, task: Task) -> Option<usize> {
        self.all.iter().position(|call| (call.run, call.at, call.task) == (run, at, task))
    }

    /// Takes a call whose answer is there.
    pub(crate) fn take(&mut self, number: usize, now: Timestamp) -> (Call, TaskOutcome) {
        let mut call = self.all.remove(number);
        let outcome = call.answer(now);
        (call, outcome)
    }

    /// When the next answer comes by itself.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let due = |call: &Call| {
            let ends = match &call.phase {
                Phase::Ended(_, at) => Some(*at),
                _ => None,
            };
            ends.into_iter().chain(call.limit.map(|(at, _)| at)).min()
        };
        self.all.iter().filter_map(due).min()
    }

    /// Waits until no call holds the clock. Gives whether there were any.
    pub(crate) async fn settle(&mut self, patience: Duration, now: Timestamp) -> Result<bool, What> {
        let mut news = self.glance(now).await;
        while let Some(place) = self.all.iter().find(|call| call.holds_clock()).map(|call| call.place.to_string()) {
            match tokio::time::timeout(patience, self.running.join_next()).await {
                Ok(Some(Ok((id, outcome)))) => news |= self.note(id, outcome, now),
                // One that was ended from outside.
                Ok(Some(Err(_))) => {}
                // It waits for what follows from others, which have ended.
                Ok(None) | Err(_) if news => return Ok(true),
                Ok(None) | Err(_) => return Err(What::Silent { place, patience }),
            }
        }
        Ok(news)
    }

    /// Lets those run that do not hold the clock.
    async fn glance(&mut self, now: Timestamp) -> bool {
        let mut news = false;
        if self.running.is_empty() {
            return news;
        }
        for _ in 0..GLANCES {
            tokio::task::yield_now().await;
            while let Some(joined) = self.running.try_join_next() {
                news |= joined.is_ok_and(|(id, outcome)| self.note(id, outcome, now));
            }
        }
        news
    }

    fn note(&mut self, id: u64, outcome: TaskOutcome, now: Timestamp) -> bool {
        let is_it = |call: &&mut Call| matches!(call.phase, Phase::Running { id: own, .. } if own == id);
        let Some(call) = self.all.iter_mut().find(is_it) else { return false };
        call.phase = Phase::Ended(outcome, now);
        call.slow_down();
        true
    }
}

impl Call {
    fn slow_down(&mut self) {
        if let (Some(Kind::Slow(wait)), Phase::Ended(_, at)) = (&self.fault, &mut self.phase) {
            *at = at.plus(*wait);
        }
    }

    fn holds_clock(&self) -> bool {
        matches!(self.phase, Phase::Running { .. }) && (!self.waits || self.ctx.is_cancelled())
    }

    fn is_late(&self, now: Timestamp) -> bool {
        let is_open = match &self.phase {
            Phase::Ended(_, at) => *at > now,
            _ => true,
        };
        is_open && self.limit.is_some_and(|(at, _)| at <= now)
    }

    fn answer(&mut self, now: Timestamp) -> TaskOutcome {
        if let (true, Some((_, limit))) = (self.is_late(now), self.limit) {
            if let Phase::Running { abort, .. } = &self.phase {
                abort.abort();
            }
            return Called::too_late(&self.ctx, limit);
        }
        let outcome = match std::mem::replace(&mut self.phase, Phase::Hanging) {
            Phase::Ended(outcome, _) => outcome,
            _ => self.gives_in(),
        };
        // How long it took by the real clock is another number each time.
        TaskOutcome { took: now.since(self.began), ..outcome }
    }

    /// What a call that hangs answers when it is told to stop.
    fn gives_in(&self) -> TaskOutcome {
        let failure = Failure::new(FailureKind::Error, "it hung until it was told to stop");
        let reply = Reply::Failed { failure, retryable: false };
        TaskOutcome { task: self.task, reply, writes: Writes::new(), took: Duration::ZERO }
    }
}
