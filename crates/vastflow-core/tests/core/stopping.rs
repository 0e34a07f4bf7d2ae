//! Fail-fast, cancel, and what atomic nodes do then.

use crate::dsl::{Run, check};
use vastflow_core::{NodeIx, Task};

#[test]
fn the_first_failure_drops_what_waits_tells_what_runs_and_starts_nothing_new() {
    check(
        "bad; runs; waits retry 1@9s; polls river 3@9s; done; next < done; after < runs; finally",
        "
        start
        waits failed again
        polls submitted
        done done
        @1s bad failed boom
          NodeFailed bad: boom
          drop waits#2, polls.poll#1; cancel runs#1, next#1
        ? nodes
          bad failed, runs running, waits dropped, polls dropped, done succeeded, next running, after waiting
        runs done
          NodeSucceeded runs = runs(null)
        not_started next
          NodeDropped next
          queue finally#1
        finally done
          HookDone finally; RunEnded failed: bad: boom
        ? nodes
          bad failed, runs succeeded, waits dropped, polls dropped, done succeeded, next dropped, after dropped
        ? queue
          nothing
        ",
    );
}

#[test]
fn a_retry_or_a_poll_that_is_due_may_be_running_and_is_waited_for() {
    check(
        "bad; waits retry 9@1s; polls river 3@1s",
        "
        start
        waits failed again
        polls submitted
        @1s bad failed boom
          NodeFailed bad: boom
          cancel waits#2, polls.poll#1
        waits failed again
          NodeFailed waits: again
        polls continue booting
          Polled polls until 2s: booting; RunEnded failed: bad: boom
        ? nodes
          bad failed, waits failed, polls dropped
        ",
    );
}

#[test]
fn in_a_stopping_run_no_attempt_is_retried_and_unused_retries_are_not_called_spent() {
    check(
        "bad; a retry 9@1s; r river 3@1s retry 9@1s",
        "
        start
        bad failed boom
        a failed again
          NodeFailed a: again
        r retry busy
          NodeFailed r: busy; RunEnded failed: bad: boom
        ",
    );
}

#[test]
fn the_deadline_of_a_dropped_node_goes_with_it() {
    check(
        "bad; waits retry 1@9s timeout 20s",
        "
        start
        waits failed again
        @1s bad failed boom
          NodeFailed bad: boom; RunEnded failed: bad: boom
          drop waits#2, waits.deadline
        ",
    );
}

#[test]
fn a_second_failure_while_stopping_changes_nothing_of_the_first() {
    check(
        "a; b; c; on_failure",
        "
        start
        a failed one
        b failed two
          NodeFailed b: two
        ? outcome
          failed: a: one
        c done
        on_failure done
          HookDone on_failure; RunEnded failed: a: one
        ? nodes
          a failed, b failed, c succeeded
        ",
    );
}

#[test]
fn case_10_a_cancel_lets_the_running_river_finish_its_call_and_starts_no_other() {
    check(
        "r1 river 1@1s; r2 < r1 river 1@1s; r3 < r2 river 1@1s; on_failure",
        "
        start
        r1 submitted
        @1s r1 done
        cancel by ops because wrong region
          CancelRequested by ops: wrong region
          cancel r2#1
        ? status
          stopping
        r2 submitted
          Submitted r2 until 2s
          queue on_failure#1
        on_failure done
          HookDone on_failure; RunEnded stopped by ops: wrong region
        ? nodes
          r1 succeeded, r2 dropped, r3 dropped
        ? status
          stopped
        ",
    );
}

#[test]
fn case_11_an_atomic_river_runs_to_its_end_and_the_end_still_says_that_it_was_cancelled() {
    check(
        "r1 river 1@1s; r2 < r1 river 1@1s; r3 < r2 river 2@1s retry 1@1s atomic; after < r3 order; finally",
        "
        start
        r1 submitted
        @1s r1 done
        r2 submitted
        @2s cancel by ops because why
          CancelRequested by ops: why
          cancel r2.poll#1
        r2 done
          NodeSucceeded r2 = null
          queue r3#1
        not_started r3
          rejected: stale r3#1
        r3 retry busy
          AttemptFailed r3 until 3s: busy
          queue r3#2 @3s
        @3s r3 submitted
          Submitted r3 until 4s
          queue r3.poll#1 @4s
        @4s r3 continue booting
          Polled r3 until 5s: booting
          queue r3.poll#2 @5s
        @5s r3 done
          NodeSucceeded r3 = null
          queue finally#1
        finally done
          HookDone finally; RunEnded stopped by ops: why
        ? nodes
          r1 succeeded, r2 succeeded, r3 succeeded, after dropped
        ",
    );
}

#[test]
fn an_atomic_node_is_neither_told_nor_dropped_nor_denied_its_retries() {
    check(
        "bad; a retry 1@9s atomic; b atomic; c < b atomic",
        "
        start
        a failed again
        @1s bad failed boom
          NodeFailed bad: boom
        b done
          NodeSucceeded b = b(null)
          queue c#1
        c done
        @9s a done
          NodeSucceeded a = a(null); RunEnded failed: bad: boom
        ",
    );
}

#[test]
fn a_stopping_run_passes_through_gates_to_atomic_nodes_only() {
    check(
        "bad; a; gate g < a; keep < g order atomic; leave < g order",
        "
        start
        bad failed boom
        a done
          NodeSucceeded a = a(null)
          queue keep#1
        keep done
        ? nodes
          bad failed, a succeeded, g succeeded, keep succeeded, leave dropped
        ",
    );
}

#[test]
fn an_atomic_node_behind_one_that_did_not_succeed_does_not_run() {
    check("bad; a < bad order atomic", "start\nbad failed boom\n  NodeFailed bad: boom; RunEnded failed: bad: boom");
}

#[test]
fn case_48_a_stopped_run_waits_for_the_running_node_calls_its_hooks_and_leaves_nothing_behind() {
    check(
        "flow timeout 60s; a; b < a timeout 9s; c < b; finally",
        "
        start
        a done
        cancel by ops because enough
          CancelRequested by ops: enough
          drop run.deadline; cancel b#1
        b done
          NodeSucceeded b = b(a(null))
          queue finally#1; drop b.deadline
        finally done
          HookDone finally; RunEnded stopped by ops: enough
        ? queue
          nothing
        ? nodes
          a succeeded, b succeeded, c dropped
        ",
    );
}

#[test]
fn of_two_reasons_to_stop_the_first_wins() {
    check(
        "a; b",
        "
        start
        cancel by ann because first
        cancel by bob because second
          rejected: the run is being stopped already
        a failed boom
        b done
          NodeSucceeded b = b(null); RunEnded stopped by ann: first
        ",
    );
    check("a; b", "start\na failed boom\ncancel by ops because late\n  rejected: the run is being stopped already");
    check(
        "flow timeout 1s; a",
        "start\n@1s timer run.deadline\ncancel by ops because late\n  rejected: the run is being stopped already",
    );
}

#[test]
fn a_cancel_after_the_end_is_told_how_it_ended() {
    check("a", "start\na done\ncancel by ops because late\n  rejected: the run is over: it succeeded");
    check("a", "start\na failed x\ncancel by ops because late\n  rejected: the run is over: it failed");
    check(
        "a",
        "
        start
        cancel by ops because why
        not_started a
          NodeDropped a; RunEnded stopped by ops: why
        cancel by ops because late
          rejected: the run is over: it stopped
        ",
    );
}

#[test]
fn a_cancel_comes_too_late_once_all_nodes_have_ended() {
    let finishing = "the run has done all its work, and only its last hook is left: it cannot be stopped any more";
    check("a; finally", &format!("start\na done\ncancel by ops because late\n  rejected: {finishing}"));
}

#[test]
fn a_cancel_before_the_start_is_refused() {
    check("a", "cancel by ops because early\n  rejected: the run has not begun");
}

#[test]
fn a_run_that_only_waits_ends_with_the_cancel() {
    check(
        "r river 9@5s timeout 60s",
        "
        start
        r submitted
        @1s cancel by ops because why
          CancelRequested by ops: why; RunEnded stopped by ops: why
          drop r.poll#1, r.deadline
        ",
    );
}

#[test]
fn not_started_is_an_answer_only_to_what_a_stopping_run_left_in_the_queue() {
    check(
        "a timeout 9s; b atomic; c; finally",
        "
        start
        not_started a
          rejected: stale a#1
        c failed boom
        not_started b
          rejected: stale b#1
        not_started a#2
          rejected: stale a#2
        not_started a.deadline
          rejected: stale a.deadline
        not_started a
          NodeDropped a
          drop a.deadline
        not_started a#1
          rejected: stale a#1
        b done
        not_started finally
          rejected: stale finally#1
        ",
    );
}

#[test]
fn what_may_start_is_everything_until_the_run_stops_and_then_atomic_nodes_timers_and_hooks() {
    let attempt = |node| Task::Attempt { node: NodeIx(node), attempt: 1 };
    let may = |run: &Run, task| run.state.may_start(&run.plan, task);
    let deadline = Task::NodeDeadline { node: NodeIx(0) };
    let going = check("a timeout 5s; b atomic; bad; finally", "start");
    assert!([attempt(0), attempt(1), deadline, Task::RunDeadline].into_iter().all(|task| may(&going, task)));
    let stopping = check("a timeout 5s; b atomic; bad; finally", "start\nbad failed boom");
    assert!([attempt(1), deadline, Task::RunDeadline].into_iter().all(|task| may(&stopping, task)));
    assert!(!may(&stopping, attempt(0)) && !may(&stopping, attempt(9)));
    let hooks = check("a timeout 5s; b atomic; bad; finally", "start\nbad failed boom\na done\nb done");
    assert!(may(&hooks, hooks.task_of("finally").unwrap()));
}
