//! What the answer to a task means: the code was called, and this is what came of it.

use super::error::Rejection;
use super::input::{Reply, TaskOutcome};
use super::state::{Active, Stage, State};
use crate::event::{Call, Event, Item};
use crate::failure::{Failure, FailureKind};
use crate::id::{Hook, NodeIx, Task};
use crate::limits::{MAX_KEY_BYTES, MAX_PAGE_ITEMS};
use crate::payload::Payload;
use crate::plan::{BranchSpec, ForEachSpec, Gives, NodeKind, OnExhausted, Plan};
use crate::retry::{RetryPolicy, jitter};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl State {
    pub(super) fn outcome_of_task(
        &self,
        plan: &Plan,
        outcome: TaskOutcome,
        now: Timestamp,
    ) -> Result<Event, Rejection> {
        let TaskOutcome { task, reply, writes, took } = outcome;
        if !self.expects(task) {
            return Err(Rejection::Stale(task));
        }
        let call = |number| Call { number, took: took.into(), writes };
        let misfit = |reply: &Reply| Rejection::Misfit { task, reply: reply.name() };
        let answer = |node, number| Answer { plan, state: self, node, task, number, now };
        match task {
            Task::Attempt { node, attempt } => {
                answer(node, attempt).attempt(reply, call(attempt)).map_err(|reply| misfit(&reply))
            }
            Task::Poll { node, tick } => answer(node, tick).poll(reply, call(tick)).map_err(|reply| misfit(&reply)),
            Task::Reduce { node, attempt } => {
                answer(node, attempt).reduce(reply, call(attempt)).map_err(|reply| misfit(&reply))
            }
            Task::Undo { node, attempt } => match reply {
                Reply::Done(_) => Ok(Event::Undone { node, call: call(attempt) }),
                Reply::Failed { failure, retryable } => {
                    let policy = plan.at(node).undo.as_ref().map(|undo| &undo.retry);
                    let retry_at = policy.filter(|_| retryable);
                    let retry_at = retry_at.and_then(|policy| self.retry_at(policy, task, Some(node), attempt, now));
                    Ok(Event::UndoFailed { node, failure, retry_at, call: call(attempt) })
                }
                reply => Err(misfit(&reply)),
            },
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
            _ => Err(misfit(&reply)),
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
        self.retry_at(&plan.spec().hook(hook)?.retry, Task::Hook { hook, attempt }, None, attempt, now)
    }

    /// When a failed call is made again; none when its retries are spent.
    fn retry_at(
        &self,
        policy: &RetryPolicy,
        task: Task,
        node: Option<NodeIx>,
        attempt: u32,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let run = self.started.as_ref().map_or(0, |started| started.seed);
        let tries = attempt.saturating_sub(self.base_of(task));
        policy.wait(tries, jitter(run, node, attempt)).map(|wait| now.plus(wait))
    }
}

/// One answered call of a node's code.
struct Answer<'a> {
    plan: &'a Plan,
    state: &'a State,
    node: NodeIx,
    task: Task,
    number: u32,
    now: Timestamp,
}

impl Answer<'_> {
    fn attempt(&self, reply: Reply, call: Call) -> Result<Event, Reply> {
        let node = self.node;
        match (&self.plan.at(node).kind, reply) {
            (NodeKind::Task, Reply::Done(output)) => Ok(Event::NodeSucceeded { node, output, call }),
            (NodeKind::Branch(branch), Reply::Chosen { keys, input }) => Ok(match chosen(branch, keys) {
                Ok(keys) => Event::BranchChosen { node, keys, input, call },
                Err(why) => self.failed(Failure::new(FailureKind::Engine, why), call),
            }),
            (NodeKind::ForEach(foreach), Reply::Items { items, cursor }) => Ok(match self.unfit(foreach, &items) {
                None => Event::ItemsAdded { node, items, cursor, call },
                Some(why) => self.failed(Failure::new(FailureKind::Engine, why), call),
            }),
            (NodeKind::Task | NodeKind::Branch(_) | NodeKind::ForEach(_), Reply::Failed { failure, retryable }) => {
                Ok(match self.retry_at() {
                    Some(retry_at) if retryable => Event::AttemptFailed { node, failure, retry_at, call },
                    _ => self.failed(failure, call),
                })
            }
            (NodeKind::River { poll }, Reply::Submitted) => Ok(match poll.times {
                0 => Event::NodeSucceeded { node, output: Payload::null(), call },
                _ => Event::Submitted { node, next_at: self.now.plus(poll.interval), call },
            }),
            (NodeKind::River { .. }, Reply::Retry { cause }) => {
                let retries = self.plan.at(node).retry.retries;
                let tries = self.number.saturating_sub(self.state.base_of(self.task));
                Ok(match self.retry_at() {
                    Some(retry_at) => {
                        let failure = Failure::new(FailureKind::Error, cause);
                        Event::AttemptFailed { node, failure, retry_at, call }
                    }
                    // Only a stopping run leaves retries unused.
                    None if tries <= retries => self.failed(Failure::new(FailureKind::Error, cause), call),
                    None => self.failed(spent("retry", retries, &cause), call),
                })
            }
            (NodeKind::River { .. }, Reply::Failed { failure, .. }) => {
                Ok(self.failed(self.with_last_cause(failure), call))
            }
            (_, reply) => Err(reply),
        }
    }

    fn poll(&self, reply: Reply, call: Call) -> Result<Event, Reply> {
        let node = self.node;
        let NodeKind::River { poll } = &self.plan.at(node).kind else { return Err(reply) };
        match reply {
            Reply::Done(output) => Ok(Event::NodeSucceeded { node, output, call }),
            Reply::Continue { cause } if self.number >= poll.times => {
                Ok(self.failed(spent("cycle", poll.times, &cause), call))
            }
            Reply::Continue { cause } => Ok(Event::Polled { node, cause, next_at: self.now.plus(poll.interval), call }),
            Reply::Failed { failure, .. } => Ok(self.failed(self.with_last_cause(failure), call)),
            reply => Err(reply),
        }
    }

    fn reduce(&self, reply: Reply, call: Call) -> Result<Event, Reply> {
        let node = self.node;
        match reply {
            Reply::Reduced { count, acc } if self.state.can_fold(self.plan, node, count) => {
                Ok(Event::Reduced { node, count, acc, call })
            }
            Reply::Reduced { count, .. } => {
                let failure =
                    Failure::new(FailureKind::Engine, format!("{count} is not how many results it was given"));
                Ok(Event::NodeFailed { node, failure, call })
            }
            Reply::Failed { failure, retryable } => Ok(match self.retry_at() {
                Some(retry_at) if retryable => Event::ReduceFailed { node, failure, retry_at, call },
                _ => Event::NodeFailed { node, failure, call },
            }),
            reply => Err(reply),
        }
    }

    /// The node failed for good, or waits for an operator if it says so.
    fn failed(&self, failure: Failure, call: Call) -> Event {
        let node = self.node;
        let pauses = self.plan.at(node).on_exhausted == OnExhausted::Pause && self.state.can_wait_for_operator(node);
        if pauses { Event::NodeParked { node, failure, call } } else { Event::NodeFailed { node, failure, call } }
    }

    /// When the next attempt may start; none when the policy is spent or the run is stopping.
    fn retry_at(&self) -> Option<Timestamp> {
        let goes_on = self.state.may_start(self.plan, Task::Attempt { node: self.node, attempt: self.number + 1 });
        let policy = &self.plan.at(self.node).retry;
        let at = || self.state.retry_at(policy, self.task, Some(self.node), self.number, self.now);
        if goes_on { at() } else { None }
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

    /// Why a page of items cannot be taken, if it cannot.
    fn unfit(&self, foreach: &ForEachSpec, items: &[Item]) -> Option<String> {
        if items.len() > MAX_PAGE_ITEMS {
            let count = items.len();
            return Some(format!(
                "a page of {count} items, the limit is {MAX_PAGE_ITEMS} (MAX_PAGE_ITEMS); hand them on in several pages (for_each_page)"
            ));
        }
        let has_keys = foreach.gives == Gives::Map;
        let known = self.state.open(self.node).map(|open| &open.keys);
        let mut seen = BTreeSet::new();
        for item in items {
            let key = &item.key;
            if has_keys == key.is_empty() {
                let why = if has_keys {
                    "an item without a key, or with an empty one, in a map"
                } else {
                    "an item with a key in a list"
                };
                return Some(format!("{why}; give all of them keys, or none"));
            }
            if key.len() > MAX_KEY_BYTES {
                return Some(format!("a key of {} bytes, the limit is {MAX_KEY_BYTES} (MAX_KEY_BYTES)", key.len()));
            }
            if has_keys && (!seen.insert(key) || known.is_some_and(|known| known.contains(key))) {
                return Some(format!("two items have the key {key:?}; give each a key of its own"));
            }
        }
        None
    }
}

/// The arms that are taken, each once.
fn chosen(branch: &BranchSpec, keys: Vec<Box<str>>) -> Result<Vec<Box<str>>, String> {
    let mut seen = BTreeSet::new();
    let keys: Vec<Box<str>> = keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
    let is_known = |key: &str| branch.cases.iter().any(|case| *case.key == *key);
    let needs = branch.join.needs(0);
    match keys.iter().find(|key| !is_known(key)) {
        // Without arms it would give its own input, which is not what a join of arms gives.
        None if (keys.len() as u64) < needs => {
            Err(format!("the chooser named {} cases, and the branch needs {needs} to succeed; name more", keys.len()))
        }
        None => Ok(keys),
        Some(key) => {
            let known: Vec<&str> = branch.cases.iter().map(|case| &*case.key).collect();
            Err(format!("the chooser named case {key:?}, which is not there; there are {}", known.join(", ")))
        }
    }
}

fn spent(what: &str, times: u32, cause: &str) -> Failure {
    Failure::new(FailureKind::Error, format!("{what} {times} times failed")).because(cause)
}
