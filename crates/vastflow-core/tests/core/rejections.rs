//! Answers that come too late, too early or to the wrong question change nothing. That the state is as before is
//! checked with every rejection, see `Run::step`.

use crate::dsl::check;
use vastflow_core::run::{Illegal, Rejection, Start, StepError};
use vastflow_core::{Codec, NodeIx, Payload, RunId, RunStatus, Seq, Task};

#[test]
fn an_outcome_counts_once() {
    check(
        "a retry 1; b < a",
        "
        start
        a#1 failed boom
        a#1 failed boom
          rejected: stale a#1
        a#1 done
          rejected: stale a#1
        a#3 done
          rejected: stale a#3
        a#2 done
        a#2 done
          rejected: stale a#2
        ",
    );
}

#[test]
fn a_poll_counts_once_and_only_in_turn() {
    check(
        "r river 3@1s",
        "
        start
        r.poll#1 done
          rejected: stale r.poll#1
        r submitted
        r#1 submitted
          rejected: stale r#1
        @1s r.poll#2 done
          rejected: stale r.poll#2
        r.poll#1 continue x
        r.poll#1 continue x
          rejected: stale r.poll#1
        ",
    );
}

#[test]
fn a_node_that_did_not_start_or_is_not_in_the_plan_has_no_outcome() {
    check(
        "a; b < a rescue",
        "
        start
        b#1 done
          rejected: stale b#1
        b.rescue done
          rejected: stale b.rescue
        finally#1 done
          rejected: stale finally#1
        deliver done
          rejected: stale deliver
        ",
    );
    let mut run = check("a", "start");
    let task = Task::Attempt { node: NodeIx(7), attempt: 1 };
    let outcome = vastflow_core::run::TaskOutcome {
        task,
        reply: vastflow_core::Reply::Submitted,
        writes: Vec::new(),
        took: core::time::Duration::ZERO,
    };
    assert_eq!(run.step(vastflow_core::Input::Outcome(outcome)), Err(Rejection::Stale(task)));
}

#[test]
fn an_answer_must_fit_the_question() {
    check(
        "flow timeout 9s; a timeout 9s; r river 3@1s; s river 3@1s; b",
        "
        start
        a submitted
          rejected: Submitted is no answer to a#1
        a continue x
          rejected: Continue is no answer to a#1
        a retry x
          rejected: Retry is no answer to a#1
        r done x
          rejected: Done is no answer to r#1
        r continue x
          rejected: Continue is no answer to r#1
        s submitted
        @1s s submitted
          rejected: Submitted is no answer to s.poll#1
        s retry x
          rejected: Retry is no answer to s.poll#1
        a.deadline done
          rejected: Done is no answer to a.deadline
        run.deadline done
          rejected: Done is no answer to run.deadline
        ",
    );
}

#[test]
fn nothing_happens_before_the_start_and_nothing_starts_twice() {
    check(
        "a; b",
        "
        a#1 done
          rejected: the run has not begun
        timer run.deadline
          rejected: the run has not begun
        not_started a#1
          rejected: the run has not begun
        start x
        start x
          rejected: the run has begun already
        a done
        b done
        start x
          rejected: the run has begun already
        timer run.deadline
          rejected: the run is over: it succeeded
        ",
    );
}

#[test]
fn case_50_rejections_say_what_is_wrong_in_words() {
    let task = Task::Attempt { node: NodeIx(1), attempt: 2 };
    let texts = [
        (Rejection::NotBegun, "the run has not begun"),
        (Rejection::Ended(RunStatus::Failed), "the run is over: it failed"),
        (Rejection::AlreadyStopping, "the run is being stopped already"),
        (Rejection::Stale(task), "the run does not wait for Attempt { node: NodeIx(1), attempt: 2 } any more"),
        (Rejection::Misfit { task: Task::RunDeadline, reply: "Done" }, "Done is no answer to RunDeadline"),
    ];
    for (rejection, text) in texts {
        assert_eq!(rejection.to_string(), text);
        assert_eq!(StepError::from(rejection).to_string(), text);
    }
    let illegal = Illegal { seq: Seq(7), event: "Polled", state: "the run is Ended".into() };
    assert_eq!(StepError::from(illegal).to_string(), "event 7 (Polled) cannot follow: the run is Ended");
}

#[test]
fn a_second_start_can_tell_whether_it_asks_for_the_same_run() {
    let run = check("a", "start x [k=v]");
    let started = run.state.started().unwrap();
    let text = |text: &'static str| Payload::new(Codec::Bytes, text);
    let mut start = Start::new(RunId::new("run").unwrap());
    assert!(!start.is_same_as(started));
    start.input = text("x");
    assert!(!start.is_same_as(started));
    start.context = vec![("k".into(), Some(text("v")))];
    assert!(start.is_same_as(started));
    start.info.priority = 7;
    assert!(start.is_same_as(started), "what only travels with a run does not make it another");
}
