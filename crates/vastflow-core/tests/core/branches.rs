//! Conditional branches: which arms are taken, what they are fed with, what comes of them.

use crate::dsl::{check, check_inside};

const TWO: &str = "a; b < a branch { left { x } right { y } }; c < b";

#[test]
fn case_29_the_chosen_arm_is_a_scope_fed_with_what_flows_in_and_its_output_passes_through() {
    check(
        TWO,
        "
        start x [region=eu]
        a done [id=7]
          NodeSucceeded a = a(x) [id=7]
          queue b#1
        b chosen left
          BranchChosen b: left
          send b[left] begin a(x) [id=7 region=eu]
        ? nodes
          a succeeded, b open, c waiting
        b[left] ended out [k=v]
          ChildEnded b[left] = out [k=v]
          queue c#1
        ? inputs c
          out
        ? context
          id=7, k=v, region=eu
        ",
    );
}

#[test]
fn the_scope_of_an_arm_runs_its_body_and_tells_what_it_wrote() {
    check_inside(
        TWO,
        "b",
        "left",
        "
        parent begin x [region=eu old=1]
          RunStarted
          queue x#1
        x done [k=v -old]
          NodeSucceeded x = x(x) [k=v -old]; RunEnded succeeded
          send parent ended = x(x) [k=v -old]
        parent begin x
          rejected: the run has begun already
        parent cancel
          rejected: the run is over: it succeeded
        ",
    );
}

#[test]
fn no_arm_chosen_gives_the_branch_its_own_input() {
    check(TWO, "start x\na done\nb chosen\n  BranchChosen b: none\n  queue c#1\n? inputs c\n  a(x)");
    check(TWO, "start x\na done\nb chosen with y\n  BranchChosen b: none with y\n  queue c#1\n? inputs c\n  y");
    let collects = "b branch collect { left { x } right { y } }";
    check(collects, "start x\nb chosen\n  BranchChosen b: none; RunEnded succeeded\n? output\n  {}");
}

#[test]
fn several_arms_give_a_map_by_key_in_the_order_in_which_they_were_chosen() {
    check(
        TWO,
        "
        start x
        a done
        b chosen right left right
          BranchChosen b: right, left
          send b[right] begin a(x), b[left] begin a(x)
        b[left] ended 1
          ChildEnded b[left] = 1
        b[right] ended 2
        ? inputs c
          {\"right\":\"2\",\"left\":\"1\"}
        ",
    );
    let collects = "b branch collect { left { x } right { y } }";
    check(collects, "start x\nb chosen left\nb[left] ended 1\n? output\n  {\"left\":\"1\"}");
}

#[test]
fn an_undeclared_key_fails_the_node_and_names_those_that_there_are() {
    check(
        TWO,
        "
        start
        a done
        b chosen up
          NodeFailed b: the chooser named case \"up\", which is not there; there are left, right; RunEnded failed: b: the chooser named case \"up\", which is not there; there are left, right
        ",
    );
}

#[test]
fn a_failed_arm_fails_the_branch_and_stops_the_other_arms() {
    check(
        TWO,
        "
        start
        a done
        b chosen left right
        b[left] failed boom
          ChildEnded b[left]: boom
          send b[right] cancel
        ? status
          stopping
        b[right] failed stopped by vastflow
          ChildEnded b[right]: stopped by vastflow; RunEnded failed: b: [left] boom
        ",
    );
}

#[test]
fn joins_of_arms_are_satisfied_early_and_stop_the_others() {
    let any = "b branch needs any { left { x } right { y } }; c < b";
    check(
        any,
        "
        start
        b chosen left right
        b[right] ended 2
          ChildEnded b[right] = 2
          queue c#1; send b[left] cancel
        b[left] ended 1 [k=v]
          ChildEnded b[left] = 1 [k=v]
        ? context
          nothing
        ? inputs c
          2
        ",
    );
    check(
        any,
        "start\nb chosen left right\nb[right] failed one\nb[left] failed two\n? outcome\n  failed: b: 2 of 2 failed, the first: [right] one",
    );
    let two = "b branch needs 2 { left { x } right { y } up { z } }; c < b";
    check(
        two,
        "
        start
        b chosen left right up
        b[up] ended 3
        b[left] failed boom
        b[right] ended 2
        ? inputs c
          {\"right\":\"2\",\"up\":\"3\"}
        ",
    );
    check(
        two,
        "start\nb chosen left\n? outcome\n  failed: b: the chooser named 1 cases, and the branch needs 2 to succeed; name more",
    );
    // It must not give its own input in the place of an arm's result.
    check(
        any,
        "start x\nb chosen\n? outcome\n  failed: b: the chooser named 0 cases, and the branch needs 1 to succeed; name more",
    );
    let settled = "b branch needs settled { left { x } right { y } }; c < b";
    check(
        settled,
        "
        start
        b chosen left right
        b[right] failed boom
        b[left] ended 1
        ? inputs c
          {\"left\":{\"Ok\":\"1\"},\"right\":{\"Err\":\"boom\"}}
        ",
    );
}

#[test]
fn a_chooser_that_answers_in_a_stopping_run_opens_nothing() {
    check(
        "b branch { left { x } }; bad",
        "
        start
        bad failed boom
          NodeFailed bad: boom
          cancel b#1
        b chosen left
          BranchChosen b: left; RunEnded failed: bad: boom
        ? nodes
          b dropped, bad failed
        ",
    );
}

#[test]
fn a_chooser_that_nobody_needs_any_more_opens_nothing() {
    check(
        "b branch { left { x } }; a; c < a, b join any",
        "
        start
        a done
          NodeSucceeded a = a(null)
          queue c#1; cancel b#1
        b chosen left
          BranchChosen b: left
        ? nodes
          b skipped, a succeeded, c running
        c done
          NodeSucceeded c = c(a(null)); RunEnded succeeded
        ",
    );
}

#[test]
fn an_atomic_branch_goes_on_in_a_stopping_run() {
    check(
        "b atomic branch { left { x } }; bad",
        "
        start
        bad failed boom
          NodeFailed bad: boom
        b chosen left
          BranchChosen b: left
          send b[left] begin null
        b[left] ended 1
          ChildEnded b[left] = 1; RunEnded failed: bad: boom
        ",
    );
}

#[test]
fn a_failed_branch_asks_its_own_on_failure_while_its_arms_are_told_to_stop() {
    check(
        "b rescue branch { left { x } right { y } }; c < b",
        "
        start
        b chosen left right
        b[left] failed boom
          ChildEnded b[left]: boom
          queue b.rescue; send b[right] cancel
        b.rescue done instead
          NodeSucceeded b = instead
          queue c#1
        b[right] failed late
        c done
          NodeSucceeded c = c(instead); RunEnded succeeded
        ",
    );
}

#[test]
fn the_end_of_an_arm_is_recorded_once() {
    check(
        TWO,
        "
        start
        a done
        b[left] ended early
          rejected: nobody waits for that word any more
        b chosen left right
        b[left] ended 1
        b[left] ended 1
          rejected: nobody waits for that word any more
        b[right] undone
          rejected: nobody waits for that word any more
        ",
    );
}
