//! A node's own `on_failure`.

use crate::dsl::check;

#[test]
fn case_42_a_rescue_gives_a_substitute_value_and_the_flow_goes_on() {
    check(
        "a retry 1 rescue; b < a; finally",
        "
        start x
        a failed boom
        a failed boom
          NodeFailed a: boom
          queue a.rescue
        ? nodes
          a rescuing, b waiting
        ? inputs a
          x
        a done spare
          NodeSucceeded a = spare
          queue b#1
        b done
          NodeSucceeded b = b(spare)
          queue finally#1
        finally done
        ? output
          b(spare)
        ",
    );
}

#[test]
fn case_42_a_rescue_that_fails_fails_the_run_with_both_texts_and_the_hooks_follow() {
    check(
        "a rescue retry 9; b < a; on_failure; finally",
        "
        start
        a fatal boom
        a failed boom again
          RescueFailed a: boom again, cause: boom
          queue on_failure#1
        on_failure done
        finally done
          HookDone finally; RunEnded failed: a: boom again, cause: boom
        ? nodes
          a failed, b dropped
        ",
    );
}

#[test]
fn the_failure_is_there_to_be_looked_at_while_the_node_is_rescued() {
    let run = check("a rescue; b", "start\na failed boom");
    let (a, b) = (run.plan.find("a").unwrap(), run.plan.find("b").unwrap());
    assert_eq!(run.state.failure_to_rescue(a).unwrap().to_string(), "boom");
    assert_eq!(run.state.failure_to_rescue(b), None);
}

#[test]
fn a_rescued_node_has_no_deadline_any_more() {
    check(
        "a timeout 5s rescue",
        "
        start
        a failed boom
          NodeFailed a: boom
          queue a.rescue; drop a.deadline
        ? queue
          a.rescue
        ",
    );
}

#[test]
fn a_river_can_be_rescued_too() {
    check(
        "r river 1@1s rescue",
        "start\nr submitted\n@1s r continue x\n  NodeFailed r: cycle 1 times failed, cause: x\n  queue r.rescue\nr done v\n? output\n  v",
    );
}

#[test]
fn a_node_that_fails_while_the_run_is_stopping_is_not_rescued() {
    check(
        "a rescue; b",
        "start\ncancel by ops because why\na failed boom\n  NodeFailed a: boom\n? nodes\n  a failed, b running",
    );
}

#[test]
fn a_rescue_that_runs_when_the_run_begins_to_stop_is_told_and_waited_for() {
    check(
        "a rescue; b; c rescue",
        "
        start
        a failed boom
        c failed boom
        b failed bang
          NodeFailed b: bang
          cancel a.rescue, c.rescue
        not_started c.rescue
          NodeDropped c
        a done spare
          NodeSucceeded a = spare; RunEnded failed: b: bang
        ",
    );
}

#[test]
fn a_rescue_answers_with_a_value_or_an_error_and_is_asked_once() {
    check(
        "a rescue; b",
        "
        start
        a failed boom
        a.rescue submitted
          rejected: Submitted is no answer to a.rescue
        a.rescue retry busy
          rejected: Retry is no answer to a.rescue
        a.rescue continue busy
          rejected: Continue is no answer to a.rescue
        a.rescue done spare
        a.rescue done spare
          rejected: stale a.rescue
        ",
    );
}
