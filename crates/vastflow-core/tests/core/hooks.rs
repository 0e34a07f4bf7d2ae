//! `on_failure` and `finally`: when they run, how they are retried, what their failure means.

use crate::dsl::check;

#[test]
fn a_run_that_goes_well_ends_with_finally_alone() {
    check(
        "a; on_failure; finally",
        "
        start
        a done
          NodeSucceeded a = a(null)
          queue finally#1
        ? status
          running
        finally done
          HookDone finally; RunEnded succeeded
        ",
    );
}

#[test]
fn a_run_that_fails_ends_with_on_failure_and_then_finally() {
    check(
        "a; on_failure; finally",
        "
        start
        a failed boom
          NodeFailed a: boom
          queue on_failure#1
        ? status
          stopping
        on_failure done
          HookDone on_failure
          queue finally#1
        finally done
          HookDone finally; RunEnded failed: a: boom
        ",
    );
}

#[test]
fn a_hook_that_the_flow_does_not_have_is_passed_over() {
    check("a; finally", "start\na failed x\n  NodeFailed a: x\n  queue finally#1");
    check(
        "a; on_failure",
        "start\na failed x\n  NodeFailed a: x\n  queue on_failure#1\non_failure done\n  HookDone on_failure; RunEnded failed: a: x",
    );
    check("a; on_failure", "start\na done\n  NodeSucceeded a = a(null); RunEnded succeeded");
}

#[test]
fn hooks_run_also_when_the_run_was_stopped_or_ran_out_of_time() {
    let end = "not_started a\non_failure done\nfinally done\n";
    check(
        "a; on_failure; finally",
        &format!("start\ncancel by ops because why\n{end}  HookDone finally; RunEnded stopped by ops: why"),
    );
    check(
        "flow timeout 1s; a; on_failure; finally",
        &format!(
            "start\n@1s timer run.deadline\n{end}  HookDone finally; RunEnded failed: the run did not end within 1s"
        ),
    );
}

#[test]
fn a_failed_hook_is_tried_again_by_its_policy() {
    check(
        "a; on_failure retry 1@1s; finally retry 2@1s doubling",
        "
        start
        a failed boom
        on_failure failed alarm
          HookFailed on_failure until 1s: alarm
          queue on_failure#2 @1s
        on_failure#1 done
          rejected: stale on_failure#1
        @1s on_failure done
          HookDone on_failure
          queue finally#1
        finally panicked one
          HookFailed finally until 2s: panicked: one
          queue finally#2 @2s
        @2s finally failed two
          HookFailed finally until 4s: two
          queue finally#3 @4s
        @4s finally done
          HookDone finally; RunEnded failed: a: boom
        ",
    );
}

#[test]
fn case_23_a_finally_that_fails_for_good_makes_a_good_run_failed_in_handler() {
    check(
        "a; finally retry 1",
        "
        start x
        a done
        finally failed mail
          HookFailed finally until 0s: mail
          queue finally#2
        finally failed mail server is gone
          HookFailed finally: mail server is gone; RunEnded failed: failed in handler: mail server is gone
        ? status
          failed
        ? output
          none
        ? kept
          0 payloads
        ",
    );
}

#[test]
fn a_fatal_failure_of_a_hook_is_not_tried_again() {
    check(
        "a; finally retry 9",
        "start\na done\nfinally fatal x\n  HookFailed finally: x; RunEnded failed: failed in handler: x",
    );
}

#[test]
fn a_hook_that_fails_does_not_hide_why_the_run_failed_and_the_next_hook_still_runs() {
    check(
        "a; on_failure; finally",
        "
        start
        a failed boom
        on_failure failed alarm
          HookFailed on_failure: alarm
          queue finally#1
        finally failed report
          HookFailed finally: report; RunEnded failed: a: boom
        ",
    );
    check(
        "a; finally",
        "start\ncancel by ops because why\nnot_started a\nfinally failed x\n? outcome\n  stopped by ops: why",
    );
}

#[test]
fn a_hook_answers_with_done_or_an_error_and_is_recorded_once() {
    check(
        "a; on_failure; finally",
        "
        start
        a failed boom
        finally#1 done
          rejected: stale finally#1
        on_failure submitted
          rejected: Submitted is no answer to on_failure#1
        on_failure continue busy
          rejected: Continue is no answer to on_failure#1
        on_failure retry busy
          rejected: Retry is no answer to on_failure#1
        on_failure done
        on_failure#1 done
          rejected: stale on_failure#1
        finally done
        finally#1 done
          rejected: the run is over: it failed
        ",
    );
}

#[test]
fn the_run_waits_for_running_nodes_before_its_hooks() {
    check(
        "a; b; finally",
        "start\na failed x\n  NodeFailed a: x\n  cancel b#1\nfinally#1 done\n  rejected: stale finally#1\nb done\n  NodeSucceeded b = b(null)\n  queue finally#1",
    );
}
