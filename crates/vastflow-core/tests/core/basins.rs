//! Basins, and what scopes inside write to the context.

use crate::dsl::{check, check_inside};

#[test]
fn case_12_a_basin_begins_with_a_copy_of_the_context_and_what_it_wrote_is_seen_at_its_end() {
    check(
        "r1; b < r1 basin { a }; side < r1; r2 < b",
        "
        start x
        r1 done [p=1]
          NodeSucceeded r1 = r1(x) [p=1]
          queue side#1; send b[] begin r1(x) [p=1]
        ? context
          p=1
        b[] ended out [x=1 -p]
          ChildEnded b[] = out [x=1 -p]
          queue r2#1
        ? context
          x=1
        ? inputs r2
          out
        ",
    );
}

#[test]
fn only_exported_keys_are_merged() {
    check("b basin export x y { a }", "start [z=0]\nb[] ended out [x=1 w=2 -z]\n? context\n  x=1, z=0");
}

#[test]
fn parallel_basins_keep_all_their_writes_and_a_clash_is_recorded() {
    check(
        "b basin { a }; c basin { a }; d < b, c",
        "
        start [k=0]
        c[] ended 1 [k=1 l=1]
          ChildEnded c[] = 1 [k=1 l=1]
        b[] ended 2 [k=2 m=2]
          ChildEnded b[] = 2 [k=2 m=2]; Clashed b: k
          queue d#1
        ? context
          k=2, l=1, m=2
        ",
    );
}

#[test]
fn a_clash_is_also_with_a_node_outside_but_not_with_what_was_written_before() {
    check(
        "a; b < a basin { x }; c < a",
        "
        start
        a done [k=0]
        c done [l=1]
        b[] ended 2 [k=2 l=2]
          ChildEnded b[] = 2 [k=2 l=2]; Clashed b: l; RunEnded succeeded
        ",
    );
}

#[test]
fn a_basin_that_fails_stops_its_siblings_and_says_why() {
    check(
        "b basin { a }; c basin { a; x < a }; on_failure",
        "
        start
        b[] failed quota
          ChildEnded b[]: quota
          send c[] cancel
        c[] failed stopped [id=7]
          ChildEnded c[]: stopped [id=7]
          queue on_failure#1
        ? context
          id=7
        on_failure done
          HookDone on_failure; RunEnded failed: b: quota
        ? nodes
          b failed, c dropped
        ",
    );
}

#[test]
fn an_isolated_basin_fails_the_run_when_all_that_does_not_depend_on_it_has_ended() {
    check(
        "b isolated basin { a }; c basin { a }; d < c; e < b",
        "
        start
        b[] failed quota
          ChildEnded b[]: quota
        ? nodes
          b failed, c open, d waiting, e skipped
        c[] ended 1
          ChildEnded c[] = 1
          queue d#1
        d done
          NodeSucceeded d = d(1); RunEnded failed: b: quota
        ",
    );
}

#[test]
fn the_first_of_two_isolated_failures_is_the_reason_and_a_cancel_does_not_hide_it() {
    check("a isolated; b isolated; c", "start\nb failed one\na failed two\nc done\n? outcome\n  failed: b: one");
    check("a isolated; c", "start\na failed one\ncancel\nc done\n? outcome\n  failed: a: one");
}

#[test]
fn a_stopped_scope_stops_as_a_run_does_and_says_so() {
    check_inside(
        "b basin { a; c basin { x } }",
        "b",
        "",
        "
        parent begin x
          RunStarted
          queue a#1; send c[] begin x
        parent cancel
          CancelRequested by outside: why
          cancel a#1; send c[] cancel
        parent cancel
          rejected: the run is being stopped already
        a done [k=v]
        c[] failed stopped
          ChildEnded c[]: stopped; RunEnded stopped by outside: why
          send parent ended: stopped by outside: why [k=v]
        ",
    );
}

#[test]
fn a_scope_inside_has_a_time_limit_of_its_own() {
    check_inside(
        "b basin { flow timeout 5s; a }",
        "b",
        "",
        "
        parent begin x
          RunStarted
          queue run.deadline @5s, a#1
        @5s timer run.deadline
          RunTimedOut
          drop run.deadline; cancel a#1
        not_started a
          NodeDropped a; RunEnded failed: the run did not end within 5s
          send parent ended: the run did not end within 5s
        ",
    );
}

#[test]
fn a_failure_inside_keeps_its_text_and_that_it_was_about_time() {
    let run = check("b rescue basin { a }", "start\nb[] failed quota\n  ChildEnded b[]: quota\n  queue b.rescue");
    assert_eq!(run.state.failure_to_rescue(vastflow_core::NodeIx(0)).unwrap().message, "quota".into());
}

#[test]
fn a_scope_told_to_stop_before_it_began_is_not_there() {
    check_inside("b basin { a }", "b", "", "parent cancel\n  rejected: the run has not begun");
}
