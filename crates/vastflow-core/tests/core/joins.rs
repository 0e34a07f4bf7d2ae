//! Joins of nodes: what they wait for, what they get, and what becomes of those that are not needed any more.

use crate::dsl::check;

#[test]
fn any_takes_the_first_and_stops_the_others() {
    check(
        "a; b; c; j < a, b, c join any",
        "
        start
        b done
          NodeSucceeded b = b(null)
          queue j#1; cancel c#1, a#1
        ? inputs j
          b(null)
        a done [k=v]
          NodeSucceeded a = a(null) [k=v]
        ? inputs j
          b(null)
        j done
          NodeSucceeded j = j(b(null))
          queue grace @10s
        c failed boom
          NodeFailed c: boom; RunEnded succeeded
          drop grace
        ? context
          nothing
        ? nodes
          a succeeded, b succeeded, c failed, j succeeded
        ",
    );
}

#[test]
fn n_of_takes_the_first_so_many_in_the_order_in_which_they_came() {
    check(
        "a; b; c; j < a, b, c join 2; k < c order",
        "
        start
        c done
          NodeSucceeded c = c(null)
          queue k#1
        a done
          NodeSucceeded a = a(null)
          queue j#1; cancel b#1
        ? inputs j
          c(null), a(null)
        ",
    );
}

#[test]
fn a_failure_that_a_join_can_do_without_is_handled() {
    check(
        "a; b; j < a, b join any",
        "start\na failed boom\n  NodeFailed a: boom\nb done\n  NodeSucceeded b = b(null)\n  queue j#1\nj done\n? status\n  succeeded",
    );
    check("a; b; j < a, b join any; k < a", "start\na failed boom\n  NodeFailed a: boom\n  cancel b#1");
    check("a; b; j < a, b join any; outputs a, j", "start\na failed boom\n  NodeFailed a: boom\n  cancel b#1");
}

#[test]
fn a_join_that_cannot_be_any_more_fails_at_once_with_all_causes() {
    let why = "2 of 3 nodes had to succeed, and that is not possible any more, cause: a: one; c: two";
    check(
        "a; b; c; j < a, b, c join 2",
        &format!(
            "
            start
            a failed one
            c failed two
              NodeFailed c: two
              cancel b#1
            b done
              NodeSucceeded b = b(null); RunEnded failed: j: {why}
            "
        ),
    );
    check(
        "a; b; c; j < a, b, c join 2 rescue; k < j",
        "
        start
        a failed one
        c failed two
          NodeFailed c: two
          queue j.rescue
        b done
        j.rescue done instead
          NodeSucceeded j = instead
          queue k#1
        k done
        ? status
          succeeded
        ",
    );
}

#[test]
fn all_settled_gets_results_and_errors() {
    check(
        "a; b; c isolated; d < c; j < a, b, d join settled",
        "
        start
        a failed boom
        c failed bang
        b done
          NodeSucceeded b = b(null)
          queue j#1
        ? inputs j
          {\"Err\":\"boom\"}, {\"Ok\":\"b(null)\"}, {\"Err\":\"skipped\"}
        j done
        ? outcome
          failed: c: bang
        ",
    );
}

#[test]
fn what_a_settled_join_only_waits_for_must_succeed() {
    // The failure of `b` fails the run, as if nothing joined.
    check(
        "a; b; j < a, b order join settled",
        "start\na failed boom\nb failed bang\n  NodeFailed b: bang; RunEnded failed: b: bang\n? nodes\n  a failed, b failed, j dropped",
    );
    // Nor does the join begin after one that could not come to be.
    check(
        "a isolated; b < a; c; j < c, b order join settled",
        "start\na failed boom\nc done\n? nodes\n  a failed, b skipped, c succeeded, j skipped",
    );
    // With no value at all it is the ends that are counted.
    check(
        "a; b; j < a order, b order join settled",
        "start\na failed boom\nb done\n  NodeSucceeded b = b(null)\n  queue j#1",
    );
}

#[test]
fn an_edge_that_only_orders_brings_no_value_to_a_join() {
    check("a; b; j < a order, b order join any", "start\na done\n? inputs j\n  nothing");
    check("a; b; j < a order, b join settled", "start\na done\nb failed boom\n? inputs j\n  {\"Err\":\"boom\"}");
    check(
        "a; b; j < a order, b order join any basin { x }",
        "start\na done\n  NodeSucceeded a = a(null)\n  cancel b#1; send j[] begin null",
    );
}

#[test]
fn a_node_is_given_up_only_if_all_its_ways_end_in_joins_that_have_what_they_need() {
    check("a; b; j < a, b join any; k < b", "start\na done\n  NodeSucceeded a = a(null)\n  queue j#1");
    check("a; b; j < a, b join any; outputs b, j", "start\na done\n  NodeSucceeded a = a(null)\n  queue j#1");
    check(
        "a; b; j < a, b join any; k < b, a join 2",
        "start\na done\n  NodeSucceeded a = a(null)\n  queue j#1\nb done\n  NodeSucceeded b = b(null)\n  queue k#1",
    );
}

#[test]
fn what_leads_only_to_a_satisfied_join_is_given_up_however_far_it_has_come() {
    check(
        "a; runs; w1; waits < w1; w2 retry 1@9s; slept sleep 9s; opened basin { x }; sig signal go; parks pause; \
         j < a, runs, waits, w2, slept, opened, sig, parks join any",
        "
        start
        w2 failed again
        parks failed boom
          NodeParked parks: boom
        ? status
          needs-attention
        a done
          NodeSucceeded a = a(null)
          queue j#1; drop slept.wake, w2#2; cancel w1#1, runs#1; send opened[] cancel
        ? nodes
          a succeeded, runs running, w1 running, waits skipped, w2 skipped, slept skipped, opened skipped, sig skipped, parks skipped, j running
        ? status
          running
        ",
    );
}

#[test]
fn what_nobody_needs_is_not_started_nor_tried_again_nor_has_a_deadline() {
    check(
        "a; b timeout 9s; c retry 3; d retry 3@1s; j < a, b, c, d join any",
        "
        start
        a done
          NodeSucceeded a = a(null)
          queue j#1; drop b.deadline; cancel d#1, c#1, b#1
        not_started b
          NodeDropped b
        c failed boom
          NodeFailed c: boom
        d fatal boom
        ? nodes
          a succeeded, b skipped, c failed, d failed, j running
        not_started j
          rejected: stale j#1
        ",
    );
}

#[test]
fn an_atomic_loser_is_not_told_and_still_started() {
    check(
        "a; b atomic; j < a, b join any",
        "start\na done\n  NodeSucceeded a = a(null)\n  queue j#1\nnot_started b\n  rejected: stale b#1\nb done\nj done\n? status\n  succeeded",
    );
}

#[test]
fn the_end_waits_for_losers_at_most_for_the_grace() {
    check(
        "flow grace 3s timeout 5s; a; b; j < a, b join any; finally",
        "
        start
        a done
        @1s j done
          NodeSucceeded j = j(a(null))
          queue grace @4s; drop run.deadline
        timer run.deadline
          rejected: stale run.deadline
        @4s timer grace
          GraceOver
          queue finally#1; drop b#1; cancel b#1
        b#1 done
          rejected: stale b#1
        finally done
          HookDone finally; RunEnded succeeded
        ",
    );
}

#[test]
fn a_scope_that_is_not_needed_is_killed_when_the_grace_is_over_and_then_waited_for() {
    check(
        "flow grace 3s; f foreach 9 needs any { a }",
        "
        start
        f items x y z
        f[1] ended 1
          ChildEnded f[1] = 1
          queue grace @3s; send f[0] cancel, f[2] cancel
        f[2] failed stopped
        @3s timer grace
          GraceOver
          send f[0] kill
        f[0] failed killed
          ChildEnded f[0]: killed; RunEnded succeeded
        ",
    );
}

#[test]
fn a_run_can_be_stopped_while_it_waits_for_losers() {
    check(
        "a undo; b; j < a, b join any",
        "
        start
        a done
        j done
          NodeSucceeded j = j(a(null))
          queue grace @10s
        cancel
          CancelRequested by ops: why
          drop grace; cancel b#1
        b done
          NodeSucceeded b = b(null)
          queue a.undo#1
        a.undo done
          Undone a; RunEnded stopped by ops: why
        ",
    );
}

#[test]
fn a_gate_may_join_too() {
    check(
        "a; b; gate g < a, b join any; c < g order",
        "start\na done\n  NodeSucceeded a = a(null)\n  queue c#1; cancel b#1\nb failed x\nc done\n? status\n  succeeded",
    );
}

#[test]
fn what_a_late_reader_would_have_read_is_not_kept() {
    // j has ended before b gives what only j would have read, and what l reads.
    let run = check(
        "a; b; j < a, b join any; l < b; m < l, j",
        "
        start
        a done
        j done
        b done
        l done
        ? kept
          2 payloads
        m done
        ? kept
          1 payloads
        ",
    );
    assert!(run.state.status().is_final());
}
