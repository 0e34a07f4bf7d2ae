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
/// How long a call is waited for, by the real clock, while something else could be done: it may wait for that.
const MOMENT: Duration = Duration::from_millis(200);

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
    /// It seems to wait for what others do.
    meets: bool,
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
        let mut call = Call { run, at, task, place, ctx, fault, began: now, limit, phase, waits, meets: false };
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

    /// The calls under way.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = (usize, At, Task)> {
        self.all.iter().map(|call| (call.run, call.at, call.task))
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

    /// The calls whose answers are there, or will be without time passing, by number. Which of them have ended already is
    /// the real clock's business, so it makes no difference. Those that wait for others come last.
    pub(crate) fn answers(&self, now: Timestamp) -> (Vec<usize>, Vec<usize>) {
        let comes = |call: &Call| match &call.phase {
            Phase::Ended(_, at) => *at <= now,
            Phase::Hanging => call.ctx.is_cancelled(),
            Phase::Running { .. } => call.holds_clock(),
        } || call.is_late(now);
        let coming = self.all.iter().enumerate().filter(|(_, call)| comes(call));
        let (last, first): (Vec<_>, Vec<_>) = coming.partition(|(_, call)| call.meets);
        let numbers = |calls: Vec<(usize, &Call)>| calls.into_iter().map(|(number, _)| number).collect();
        (numbers(first), numbers(last))
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

    /// Waits until a call has ended, if it has not. Gives whether it did; `only` says that nothing else can be done.
    pub(crate) async fn wait_for(
        &mut self,
        number: usize,
        only: bool,
        patience: Duration,
        now: Timestamp,
    ) -> Result<bool, What> {
        let limit = if only { patience } else { MOMENT.min(patience) };
        let mut others_ended = false;
        while let Some(Phase::Running { id, .. }) =
            self.all.get(number).filter(|call| !call.is_late(now)).map(|call| &call.phase)
        {
            let id = *id;
            match tokio::time::timeout(limit, self.running.join_next()).await {
                Ok(Some(Ok((ended, outcome)))) => others_ended |= self.note(ended, outcome, now) && ended != id,
                // One that was ended from outside.
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) if others_ended || !only => {
                    self.all[number].meets = true;
                    return Ok(false);
                }
                Ok(None) | Err(_) => return Err(What::Silent { place: self.all[number].place.to_string(), patience }),
            }
        }
        // A slow one answers later.
        Ok(matches!(&self.all[number].phase, Phase::Ended(_, at) if *at <= now)
            || self.all[number].ctx.is_cancelled()
            || self.all[number].is_late(now))
    }

    /// Lets those run that do not hold the clock. Gives whether one of them has ended.
    pub(crate) async fn glance(&mut self, now: Timestamp) -> bool {
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
