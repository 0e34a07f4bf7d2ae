//! Taking back what was done: in which order, what nobody knows, what inner scopes did, and what an operator says.

use crate::dsl::{check, check_inside};

#[test]
fn what_was_done_is_undone_in_reverse_order_before_the_hooks() {
    check(
        "a undo; b < a undo; c < b; d < c undo; on_failure; finally",
        "
        start x
        a done
        b done
        c done
        d failed boom
          NodeFailed d: boom
          queue b.undo#1
        ? undo b
          b(a(x))
        ? status
          stopping
        b.undo done [k=v]
          Undone b [k=v]
          queue a.undo#1
        a.undo done
          Undone a
          queue on_failure#1
        on_failure done
        finally done
          HookDone finally; RunEnded failed: d: boom
        ? nodes
          a undone, b undone, c succeeded, d failed
        ? kept
          0 payloads
        ",
    );
}

#[test]
fn a_stopped_run_undoes_too_after_what_runs_has_ended() {
    check(
        "a undo; b undo",
        "
        start
        a done
        cancel
          CancelRequested by ops: why
          cancel b#1
        b done
          NodeSucceeded b = b(null)
          queue b.undo#1
        b.undo done
          Undone b
          queue a.undo#1
        a.undo done
          Undone a; RunEnded stopped by ops: why
        ",
    );
}

#[test]
fn a_run_that_goes_well_undoes_nothing_and_keeps_nothing_for_it() {
    check(
        "a undo; b < a",
        "start\na done\nb done\n  NodeSucceeded b = b(a(null)); RunEnded succeeded\n? kept\n  1 payloads",
    );
}

#[test]
fn what_may_have_happened_is_undone_and_what_did_not_is_not() {
    let undone = |answer: &str| {
        let plan = "a undo; bad < a order";
        check(
            plan,
            &format!(
                "start\na {answer}\n  NodeFailed a: x\n  queue a.undo#1\n? undo a\n  unknown\na.undo done\n? nodes\n  a undone, bad dropped"
            ),
        );
    };
    undone("timed_out x");
    undone("unknown x");
    check("a undo", "start\na panicked x\n  NodeFailed a: panicked: x\n  queue a.undo#1");
    check("a undo", "start\na failed x\n  NodeFailed a: x; RunEnded failed: a: x");
    // The first attempt may have done it, whatever the second says.
    check("a undo retry 1", "start\na timed_out x\na failed exists\n  NodeFailed a: exists\n  queue a.undo#1");
    check(
        "a undo timeout 1s",
        "start\n@1s timer a.deadline\n  NodeFailed a: not done within 1s\n  queue a.undo#1; drop a#1, a.deadline; cancel a#1",
    );
}

#[test]
fn a_river_that_was_submitted_did_something() {
    check(
        "r river 1@1s undo",
        "start\nr submitted\n@1s r continue booting\n  NodeFailed r: cycle 1 times failed, cause: booting\n  queue r.undo#1",
    );
    check(
        "r river 9@5s undo; bad",
        "start\nr submitted\nbad failed boom\n  NodeFailed bad: boom\n  queue r.undo#1; drop r.poll#1\n? undo r\n  unknown",
    );
}

#[test]
fn each_node_is_undone_once_in_the_order_of_its_success_however_often_it_was_unclear() {
    check(
        "a undo retry 1; b undo; bad < a, b",
        "
        start
        a timed_out x
        b done
        a done
        bad failed boom
          NodeFailed bad: boom
          queue a.undo#1
        a.undo done
          Undone a
          queue b.undo#1
        b.undo done
          Undone b; RunEnded failed: bad: boom
        ",
    );
    check(
        "a undo rescue; bad < a",
        "start\na timed_out x\na.rescue done y\nbad failed z\n  NodeFailed bad: z\n  queue a.undo#1\na.undo done\n  Undone a; RunEnded failed: bad: z",
    );
}

#[test]
fn an_undo_that_fails_is_retried_and_then_waits_for_an_operator() {
    let stuck = "
        start
        a done
        bad failed boom
        a.undo failed net
          UndoFailed a until 1s: net
          queue a.undo#2 @1s
        @1s a.undo failed net
          UndoFailed a: net
        ? status
          needs-attention
        ? queue
          nothing
        cancel
          rejected: the run is being stopped already
        resolve bad retry
          rejected: nothing waits for an operator there
        ";
    let plan = "a undo 1@1s; bad < a";
    let end = "Undone a; RunEnded failed: bad: boom\n        ? status\n          failed\n        ";
    check(
        plan,
        &format!(
            "{stuck}resolve a retry\n          Resolved a retry by ops\n          queue a.undo#3\n        a.undo failed net\n          UndoFailed a until 2s: net\n          queue a.undo#4 @2s\n        @2s a.undo done\n          {end}"
        ),
    );
    check(
        plan,
        &format!(
            "{stuck}resolve a skip\n          Resolved a skip by ops; RunEnded failed: bad: boom\n        ? nodes\n          a succeeded, bad failed"
        ),
    );
    check(
        plan,
        &format!(
            "{stuck}resolve a done x\n          Resolved a done x by ops; RunEnded failed: bad: boom\n        ? nodes\n          a undone, bad failed"
        ),
    );
    check(plan, "start\na done\nbad failed boom\na.undo fatal net\n  UndoFailed a: net");
}

#[test]
fn inner_scopes_undo_in_their_turn() {
    check(
        "a undo; b < a basin { x undo }; c < b undo; bad < c",
        "
        start
        a done
        b[] ended out
        c done
        bad failed boom
          NodeFailed bad: boom
          queue c.undo#1
        c.undo done
          Undone c
          send b[] undo
        b[] undone
          ChildUndone b[]
          queue a.undo#1
        b[] undone
          rejected: nobody waits for that word any more
        a.undo done
          Undone a; RunEnded failed: bad: boom
        ? nodes
          a undone, b undone, c undone, bad failed
        ",
    );
}

#[test]
fn scopes_without_undo_actions_are_not_asked() {
    check(
        "b basin { x }; bad < b",
        "start\nb[] ended out\nbad failed boom\n  NodeFailed bad: boom; RunEnded failed: bad: boom",
    );
}

#[test]
fn the_good_items_of_a_foreach_that_failed_are_undone() {
    check(
        "a undo; f < a foreach 9 { x undo }",
        "
        start
        a done
        f items i j k l
        f[2] ended 2
        f[0] failed boom
          ChildEnded f[0]: boom
          send f[1] cancel, f[3] cancel
        f[1] ended 1
          ChildEnded f[1] = 1
        f[3] failed stopped
          ChildEnded f[3]: stopped
          send f[2] undo, f[1] undo
        f[1] undone
        f[2] undone
          ChildUndone f[2]
          queue a.undo#1
        ",
    );
}

#[test]
fn a_scope_that_ended_well_can_be_asked_once_to_take_back_what_it_did() {
    check_inside(
        "b basin { x undo; y < x undo; z < y }",
        "b",
        "",
        "
        parent undo
          rejected: the run has not begun
        parent begin i
        parent undo
          rejected: nobody waits for that word any more
        x done
        y done
        z done
          NodeSucceeded z = z(y(x(i))); RunEnded succeeded
          send parent ended = z(y(x(i)))
        ? undo x
          x(i)
        parent undo
          UndoRequested
          queue y.undo#1
        ? undo y
          y(x(i))
        parent undo
          rejected: nobody waits for that word any more
        y.undo done
          Undone y
          queue x.undo#1
        x.undo done
          Undone x; RunEnded stopped by vastflow: what it did is taken back
          send parent undone
        parent undo
          rejected: nobody waits for that word any more
        ",
    );
}

#[test]
fn a_scope_that_failed_undoes_by_itself_and_then_says_that_it_failed() {
    check_inside(
        "b basin { x undo; y < x }",
        "b",
        "",
        "
        parent begin i
        x done
        y failed boom
          NodeFailed y: boom
          queue x.undo#1
        x.undo done
          Undone x; RunEnded failed: y: boom
          send parent ended: y: boom
        ",
    );
}

#[test]
fn a_scope_that_waits_for_an_operator_says_so_and_so_does_the_run() {
    check_inside(
        "b basin { x undo; y < x pause }",
        "b",
        "",
        "
        parent begin i
        x done
        y failed boom
          NodeParked y: boom
          send parent waits
        resolve y retry
          Resolved y retry by ops
          queue y#2; send parent goes on
        parent cancel
          CancelRequested by outside: why
          cancel y#2
        y failed boom
          NodeFailed y: boom
          queue x.undo#1
        x.undo failed boom
          UndoFailed x: boom
          send parent waits
        resolve x skip
          Resolved x skip by ops; RunEnded stopped by outside: why
          send parent goes on, parent ended: stopped by outside: why
        ",
    );
    check(
        "b basin { x }",
        "
        start
        b[] waits
          ChildParked b[] waits
        b[] waits
          rejected: nobody waits for that word any more
        ? status
          needs-attention
        b[] goes_on
          ChildParked b[] goes on
        ? status
          running
        b[] waits
        b[] ended out
          ChildEnded b[] = out; RunEnded succeeded
        ",
    );
}

#[test]
fn a_loser_that_succeeds_late_is_undone_at_the_end_and_the_winner_is_not() {
    check(
        "a undo; b undo; j < a, b join any; finally",
        "
        start
        a done
        b done
          NodeSucceeded b = b(null)
        ? undo b
          b(null)
        j done
          NodeSucceeded j = j(a(null))
          queue b.undo#1
        cancel
          rejected: the run has done all its work, and only its last hook is left: it cannot be stopped any more
        b.undo done
          Undone b
          queue finally#1
        finally done
          HookDone finally; RunEnded succeeded
        ? output
          j(a(null))
        ? nodes
          a succeeded, b undone, j succeeded
        ",
    );
}

#[test]
fn a_loser_of_which_nobody_knows_is_undone_too() {
    let lost = "start\na done\n";
    let plan = "flow grace 1s; a; b undo retry 1@5s; j < a, b join any";
    check(plan, &format!("{lost}b timed_out x\nj done\n  NodeSucceeded j = j(a(null))\n  queue b.undo#1"));
    check(plan, &format!("{lost}b failed x\nj done\n  NodeSucceeded j = j(a(null)); RunEnded succeeded"));
    check(plan, &format!("{lost}j done\n@1s timer grace\n  GraceOver\n  queue b.undo#1; drop b#1; cancel b#1"));
    check(
        plan,
        "start\nb timed_out x\na done\n  NodeSucceeded a = a(null)\n  queue j#1; drop b#2\nj done\n  NodeSucceeded j = j(a(null))\n  queue b.undo#1",
    );
}

#[test]
fn a_scope_that_nobody_needed_is_undone_as_soon_as_it_says_that_it_ended_well() {
    check(
        "f foreach 9 needs any { x undo }",
        "
        start
        f items i j
        f[0] ended 0
          ChildEnded f[0] = 0
          queue grace @10s; send f[1] cancel
        f[1] ended 1
          ChildEnded f[1] = 1
          send f[1] undo
        f[1] ended 1
          rejected: nobody waits for that word any more
        @10s timer grace
          GraceOver
        f[1] undone
          ChildUndone f[1]; RunEnded succeeded
        ",
    );
}

#[test]
fn what_was_lost_and_undone_does_not_make_a_scope_forget_the_rest() {
    check_inside(
        "s basin { a undo; b undo; j < a, b join any }",
        "s",
        "",
        "
        parent begin i
        a done
        b done
        j done
          NodeSucceeded j = j(a(i))
          queue b.undo#1
        b.undo done
          Undone b; RunEnded succeeded
          send parent ended = j(a(i))
        parent undo
          UndoRequested
          queue a.undo#1
        a.undo done
          Undone a; RunEnded stopped by vastflow: what it did is taken back
          send parent undone
        ",
    );
}

#[test]
fn the_items_that_a_foreach_had_done_before_it_was_given_up_are_undone() {
    check(
        "a; f foreach 1 { x undo }; j < a, f join any",
        "
        start
        f items i k
        f[0] ended 0
        a done
          NodeSucceeded a = a(null)
          queue j#1; send f[1] cancel
        f[1] failed stopped
        j done
          NodeSucceeded j = j(a(null))
          send f[0] undo
        f[0] undone
          ChildUndone f[0]; RunEnded succeeded
        ",
    );
}
