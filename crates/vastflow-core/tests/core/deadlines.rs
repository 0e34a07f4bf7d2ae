//! Time limits: of an attempt (told by the worker), of a node, of the run.

use crate::dsl::{check, go_on};

#[test]
fn an_attempt_that_took_too_long_is_a_failed_attempt() {
    check(
        "a attempt_timeout 1s retry 1",
        "
        start
        a timed_out not done within 1s
          AttemptFailed a until 0s: not done within 1s
          queue a#2
        ",
    );
}

#[test]
fn a_node_deadline_runs_from_the_moment_the_node_is_ready_over_all_attempts() {
    check(
        "a; b < a timeout 5s retry 9@2s",
        "
        start
        @1s a done
          NodeSucceeded a = a(null)
          queue b#1, b.deadline @6s
        @3s b failed boom
          AttemptFailed b until 5s: boom
          queue b#2 @5s
        ? queue
          b#2 @5s, b.deadline @6s
        @6s timer b.deadline
          NodeFailed b: not done within 5s; RunEnded failed: b: not done within 5s
          drop b#2, b.deadline; cancel b#2
        ? queue
          nothing
        ",
    );
}

#[test]
fn a_node_deadline_spans_the_polls_of_a_river_too() {
    check(
        "r timeout 2s river 9@1s",
        "
        start
          RunStarted
          queue r#1, r.deadline @2s
        r submitted
        @1s r continue booting
        @2s timer r.deadline
          NodeFailed r: not done within 2s; RunEnded failed: r: not done within 2s
          drop r.poll#2, r.deadline; cancel r.poll#2
        r.poll#2 done
          rejected: the run is over: it failed
        ",
    );
}

#[test]
fn a_node_that_ends_in_time_takes_its_deadline_with_it() {
    check(
        "a timeout 5s; b",
        "
        start
        a done
          NodeSucceeded a = a(null)
          drop a.deadline
        @5s timer a.deadline
          rejected: stale a.deadline
        ",
    );
}

#[test]
fn a_deadline_has_no_mercy_on_retries_that_are_left_but_a_rescue_is_asked() {
    check(
        "a timeout 1s retry 9 rescue",
        "
        start
        @1s timer a.deadline
          NodeFailed a: not done within 1s
          queue a.rescue; drop a#1, a.deadline; cancel a#1
        a#1 done
          rejected: stale a#1
        @9s timer a.deadline
          rejected: stale a.deadline
        a done substitute
          NodeSucceeded a = substitute; RunEnded succeeded
        ",
    );
}

#[test]
fn a_node_deadline_counts_also_while_the_run_is_stopping() {
    check(
        "a timeout 5s; b",
        "
        start
        @1s cancel by ops because why
        b done
        @5s timer a.deadline
          NodeFailed a: not done within 5s; RunEnded stopped by ops: why
          drop a#1, a.deadline; cancel a#1
        ",
    );
}

#[test]
fn the_run_deadline_fails_the_run_and_tells_running_nodes() {
    check(
        "flow timeout 5s; a; b < a; finally; on_failure",
        "
        @2s start
          RunStarted
          queue run.deadline @7s, a#1
        @7s timer run.deadline
          RunTimedOut
          drop run.deadline; cancel a#1
        ? status
          stopping
        ? outcome
          failed: the run did not end within 5s
        timer run.deadline
          rejected: stale run.deadline
        a done
          NodeSucceeded a = a(null)
          queue on_failure#1
        on_failure done
          HookDone on_failure
          queue finally#1
        finally done
          HookDone finally; RunEnded failed: the run did not end within 5s
        ? nodes
          a succeeded, b dropped
        ",
    );
}

#[test]
fn the_run_deadline_ends_with_the_last_node_so_that_hooks_have_their_time() {
    check(
        "flow timeout 5s; a; finally",
        "
        start
        a done
          NodeSucceeded a = a(null)
          queue finally#1; drop run.deadline
        @9s timer run.deadline
          rejected: stale run.deadline
        finally done
        ? status
          succeeded
        ",
    );
}

#[test]
fn of_two_run_deadlines_the_earlier_counts_and_is_named() {
    check(
        "flow timeout 5s; a",
        "
        start until 3s
          RunStarted
          queue run.deadline @3s, a#1
        @3s timer run.deadline
        ? outcome
          failed: the run did not end by its deadline
        ",
    );
    check(
        "flow timeout 5s; a",
        "
        start until 9s
          RunStarted
          queue run.deadline @5s, a#1
        @5s timer run.deadline
        ? outcome
          failed: the run did not end within 5s
        ",
    );
    check("a", "start until 3s\n  RunStarted\n  queue run.deadline @3s, a#1\na done\n? queue\n  nothing");
}

#[test]
fn a_run_without_a_deadline_has_no_timer_that_could_be_due() {
    check(
        "a; b timeout 1s",
        "start\ntimer run.deadline\n  rejected: stale run.deadline\ntimer a.deadline\n  rejected: stale a.deadline",
    );
}

#[test]
fn only_a_timer_can_be_due() {
    check("a", "start\ntimer a#1\n  rejected: stale a#1\ntimer deliver\n  rejected: stale deliver");
}

#[test]
fn a_step_that_joins_an_earlier_commit_waits_from_now_but_happened_with_the_commit() {
    let mut run = check("a timeout 9s; b < a timeout 9s retry 1@1s", "start");
    run.lag = core::time::Duration::from_secs(2);
    let run = go_on(
        run,
        "
        @5s a done
          NodeSucceeded a = a(null)
          queue b#1, b.deadline @12s; drop a.deadline
        b failed x
          AttemptFailed b until 6s: x
          queue b#2 @6s
        ",
    );
    assert_eq!(run.journal.iter().map(|recorded| recorded.at.millis()).collect::<Vec<_>>(), [0, 3_000, 3_000]);
}
