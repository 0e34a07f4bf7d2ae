//! A journal does not grow for ever.

use core::time::Duration;
use vastflow_core::limits::MAX_EVENTS;
use vastflow_core::plan::{NodeKind, NodeSpec, Plan, PlanSpec, PollPolicy};
use vastflow_core::retry::RetryPolicy;
use vastflow_core::run::{Changes, Input, Reply, Start, TaskOutcome};
use vastflow_core::{Failure, FailureKind, Name, Payload, RunStatus, State, Task, Timestamp};

/// A run of one node, and how it goes on.
struct One {
    plan: Plan,
    state: State,
    changes: Changes,
}

impl One {
    fn new(kind: NodeKind, retry: RetryPolicy) -> Self {
        let mut node = NodeSpec::new(Name::new("a").unwrap(), kind);
        node.retry = retry;
        let mut spec = PlanSpec::new(Name::new("one").unwrap());
        spec.nodes.push(node);
        let plan = Plan::new(spec).unwrap();
        let mut one = One { plan, state: State::default(), changes: Changes::default() };
        one.tell(Input::Start(Start::new("r".parse().unwrap())));
        one
    }

    fn tell(&mut self, input: Input) {
        self.state.step(&self.plan, input, Timestamp::ZERO, &mut self.changes).unwrap();
    }

    /// The task that is to be called, answered with `reply`; its own.
    fn answer(&mut self, reply: Reply) -> Task {
        let (task, _) = self.changes.queue.pop().unwrap();
        self.changes.queue.clear();
        self.tell(Input::Outcome(TaskOutcome { task, reply, writes: Vec::new(), took: Duration::ZERO }));
        task
    }
}

#[test]
fn a_run_whose_history_is_full_fails_and_says_which_limit() {
    let retry = RetryPolicy::times(u32::MAX).every(Duration::from_secs(1));
    let mut one = One::new(NodeKind::Task, retry);
    let failed = || Reply::Failed { failure: Failure::new(FailureKind::Error, "again"), retryable: true };
    for event in 2..MAX_EVENTS {
        one.answer(failed());
        assert_eq!(one.state.status(), RunStatus::Running, "after {event} events");
    }
    one.answer(failed());
    assert_eq!(one.state.status(), RunStatus::Failed);
    let text = one.state.outcome().unwrap().to_string();
    assert!(text.contains("MAX_EVENTS") && text.contains(&MAX_EVENTS.to_string()), "{text}");
    assert!(one.state.len().0 <= u64::from(MAX_EVENTS) + 10, "{}", one.state.len());
    let mut left = Changes::default();
    one.state.outstanding(&one.plan, &mut left);
    assert_eq!((left.queue, one.changes.queue), (Vec::new(), Vec::new()));
}

#[test]
fn polls_do_not_count() {
    let poll = PollPolicy { times: u32::MAX, interval: Duration::from_secs(1) };
    let mut one = One::new(NodeKind::River { poll }, RetryPolicy::default());
    one.answer(Reply::Submitted);
    for _ in 0..MAX_EVENTS + 10 {
        one.answer(Reply::Continue { cause: "not yet".into() });
    }
    one.answer(Reply::Done(Payload::null()));
    assert_eq!(one.state.status(), RunStatus::Succeeded);
}
