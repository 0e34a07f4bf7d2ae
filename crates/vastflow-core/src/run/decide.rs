//! From an input to the event that records what it means. Mutates nothing.

use super::error::Rejection;
use super::input::{Input, Reply, Start, TaskOutcome};
use super::state::{Active, Phase, Stage, State};
use crate::event::{Call, Event, RunStarted};
use crate::failure::{Failure, FailureKind};
use crate::id::{Hook, NodeIx, Task};
use crate::payload::Payload;
use crate::plan::{NodeKind, Plan};
use crate::retry::{RetryPolicy, jitter, run_seed};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;

impl State {
    /// What `input` means in this state, as the event that records it.
    ///
    /// # Errors
    /// [`Rejection`] when it does not fit: too late, too early, or not an answer to that task.
    pub fn decide(&self, plan: &Plan, input: Input, now: Timestamp) -> Result<Event, Rejection> {
        match (self.phase, &input) {
            (Phase::New, Input::Start(_)) => {}
            (Phase::New, _) => return Err(Rejection::NotBegun),
            (_, Input::Start(_)) => return Err(Rejection::AlreadyBegun),
            (Phase::Settled | Phase::Ended, _) => return Err(Rejection::Ended(self.status())),
            _ => {}
        }
        match input {
            Input::Start(start) => Ok(began(plan, start)),
            Input::Outcome(outcome) => self.outcome_of_task(plan, outcome, now),
            Input::Timer(task) => self.timer(plan, task),
            Input::Cancel { by, why } => self.cancel(by, why),
            Input::NotStarted(task) => self.not_started(plan, task),
        }
    }

    fn cancel(&self, by: Box<str>, why: Box<str>) -> Result<Event, Rejection> {
        match self.phase {
            Phase::Going => Ok(Event::CancelRequested { by, why }),
            Phase::Hook { .. } if self.stop.is_none() => Err(Rejection::Finishing),
            _ => Err(Rejection::AlreadyStopping),
        }
    }

    fn timer(&self, plan: &Plan, task: Task) -> Result<Event, Rejection> {
        match task {
            Task::RunDeadline if self.phase == Phase::Going && self.run_deadline(plan).is_some() => {
                Ok(Event::RunTimedOut)
            }
            Task::NodeDeadline { node } if self.node_deadline(plan, node).is_some() => {
                let limit = plan.at(node).timeout.unwrap_or_default();
                let failure = Failure::new(FailureKind::Timeout, format!("not done within {limit:?}"));
                Ok(Event::NodeFailed { node, failure, call: Call::default() })
            }
            task => Err(Rejection::Stale(task)),
        }
    }

    fn not_started(&self, plan: &Plan, task: Task) -> Result<Event, Rejection> {
        match task.node() {
            Some(node) if self.expects(task) && !self.may_start(plan, task) => Ok(Event::NodeDropped { node }),
            _ => Err(Rejection::Stale(task)),
        }
    }

    fn outcome_of_task(&self, plan: &Plan, outcome: TaskOutcome, now: Timestamp) -> Result<Event, Rejection> {
        let TaskOutcome { task, reply, writes, took } = outcome;
        if !self.expects(task) {
            return Err(Rejection::Stale(task));
        }
        let call = |number| Call { number, took: took.into(), writes };
        let misfit = |reply: &Reply| Rejection::Misfit { task, reply: reply.name() };
        match task {
            Task::Attempt { node, attempt } => {
                let turn = Turn { plan, state: self, node, number: attempt, now };
                turn.attempt(reply, call(attempt)).map_err(|reply| misfit(&reply))
            }
            Task::Poll { node, tick } => {
                let turn = Turn { plan, state: self, node, number: tick, now };
                turn.poll(reply, call(tick)).map_err(|reply| misfit(&reply))
            }
            Task::Rescue { node } => match reply {
                Reply::Done(output) => Ok(Event::NodeSucceeded { node, output, call: call(1) }),
                Reply::Failed { failure, .. } => {
                    Ok(Event::RescueFailed { node, failure: self.with_first_failure(node, failure), call: call(1) })
                }
                reply => Err(misfit(&reply)),
            },
            Task::Hook { hook, attempt } => match reply {
                Reply::Done(_) => Ok(Event::HookDone { hook, call: call(attempt) }),
                Reply::Failed { failure, retryable } => {
                    let retry_at = if retryable { self.hook_retry(plan, hook, attempt, now) } else { None };
                    Ok(Event::HookFailed { hook, failure, retry_at, call: call(attempt) })
                }
                reply => Err(misfit(&reply)),
            },
            Task::NodeDeadline { .. } | Task::RunDeadline | Task::Deliver => Err(misfit(&reply)),
        }
    }

    /// Keeps what the node failed with: an `on_failure` that fails in its own way must not hide it.
    fn with_first_failure(&self, node: NodeIx, failure: Failure) -> Failure {
        match self.failure_to_rescue(node) {
            Some(first) if first.message != failure.message => failure.because(format!("{first}")),
            _ => failure,
        }
    }

    fn hook_retry(&self, plan: &Plan, hook: Hook, attempt: u32, now: Timestamp) -> Option<Timestamp> {
        self.retry_at(&plan.spec().hook(hook)?.retry, None, attempt, now)
    }

    fn retry_at(&self, policy: &RetryPolicy, node: Option<NodeIx>, attempt: u32, now: Timestamp) -> Option<Timestamp> {
        let run = self.started.as_ref().map_or(0, |started| started.seed);
        policy.wait(attempt, jitter(run, node, attempt)).map(|wait| now.plus(wait))
    }
}

fn began(plan: &Plan, start: Start) -> Event {
    let Start { run, input, context, info } = start;
    let seed = run_seed(&run);
    Event::RunStarted(Arc::new(RunStarted { flow: plan.flow().clone(), plan: plan.hash(), seed, input, context, info }))
}

/// One answered call of a node's code.
struct Turn<'a> {
    plan: &'a Plan,
    state: &'a State,
    node: NodeIx,
    number: u32,
    now: Timestamp,
}

impl Turn<'_> {
    fn attempt(&self, reply: Reply, call: Call) -> Result<Event, Reply> {
        let node = self.node;
        let policy = &self.plan.at(node).retry;
        match (&self.plan.at(node).kind, reply) {
            (NodeKind::Task, Reply::Done(output)) => Ok(Event::NodeSucceeded { node, output, call }),
            (NodeKind::Task, Reply::Failed { failure, retryable }) => Ok(match self.retry_at(policy) {
                Some(retry_at) if retryable => Event::AttemptFailed { node, failure, retry_at, call },
                _ => Event::NodeFailed { node, failure, call },
            }),
            (NodeKind::River { poll }, Reply::Submitted) => Ok(match poll.times {
                0 => Event::NodeSucceeded { node, output: Payload::null(), call },
                _ => Event::Submitted { node, next_at: self.now.plus(poll.interval), call },
            }),
            (NodeKind::River { .. }, Reply::Retry { cause }) => Ok(match self.retry_at(policy) {
                Some(retry_at) => {
                    let failure = Failure::new(FailureKind::Error, cause);
                    Event::AttemptFailed { node, failure, retry_at, call }
                }
                // Only a stopping run leaves retries unused.
                None if self.number <= policy.retries => {
                    Event::NodeFailed { node, failure: Failure::new(FailureKind::Error, cause), call }
                }
                None => Event::NodeFailed { node, failure: spent("retry", policy.retries, &cause), call },
            }),
            (NodeKind::River { .. }, Reply::Failed { failure, .. }) => {
                Ok(Event::NodeFailed { node, failure: self.with_last_cause(failure), call })
            }
            (_, reply) => Err(reply),
        }
    }

    fn poll(&self, reply: Reply, call: Call) -> Result<Event, Reply> {
        let node = self.node;
        let NodeKind::River { poll } = &self.plan.at(node).kind else { return Err(reply) };
        match reply {
            Reply::Done(_) => Ok(Event::NodeSucceeded { node, output: Payload::null(), call }),
            Reply::Continue { cause } if self.number >= poll.times => {
                Ok(Event::NodeFailed { node, failure: spent("cycle", poll.times, &cause), call })
            }
            Reply::Continue { cause } => Ok(Event::Polled { node, cause, next_at: self.now.plus(poll.interval), call }),
            Reply::Failed { failure, .. } => {
                Ok(Event::NodeFailed { node, failure: self.with_last_cause(failure), call })
            }
            reply => Err(reply),
        }
    }

    /// When the next attempt may start; none when the policy is spent or the run is stopping.
    fn retry_at(&self, policy: &RetryPolicy) -> Option<Timestamp> {
        let goes_on = self.state.may_start(self.plan, Task::Attempt { node: self.node, attempt: self.number + 1 });
        if goes_on { self.state.retry_at(policy, Some(self.node), self.number, self.now) } else { None }
    }

    /// Keeps what the try before said: the error alone would lose why there was a try before.
    fn with_last_cause(&self, failure: Failure) -> Failure {
        match self.state.active(self.node) {
            Some(Active { stage: Stage::Attempt(_) | Stage::Poll(_), cause: Some(cause), .. }) => {
                failure.because(&**cause)
            }
            _ => failure,
        }
    }
}

fn spent(what: &str, times: u32, cause: &str) -> Failure {
    Failure::new(FailureKind::Error, format!("{what} {times} times failed")).because(cause)
}
