//! Pause and resume, kill, operators, quarantine, signals, sleep, and runs that go on from others.

use crate::dsl::{check, check_inside};

#[test]
fn case_47_a_paused_run_says_so_records_what_runs_and_goes_on_any_number_of_times() {
    check(
        "a; b < a; c < b; finally",
        "
        start
        a done
        pause
          Paused by ops: why
        pause
          rejected: the run is paused already
        ? status
          paused
        b done
          NodeSucceeded b = b(a(null))
          queue c#1
        resume
          Resumed by ops: why
        ? status
          running
        resume
          rejected: the run is not paused
        pause
        resume
        c done
          NodeSucceeded c = c(b(a(null)))
          queue finally#1
        pause
          rejected: the run has done all its work, and only its last hook is left: it cannot be stopped any more
        finally done
        resume
          rejected: the run is over: it succeeded
        ",
    );
}

#[test]
fn a_run_may_still_be_paused_when_its_last_node_ends() {
    check(
        "a; finally",
        "start\npause\na done\n  NodeSucceeded a = a(null)\n  queue finally#1\n? status\n  paused\nresume\n  Resumed by ops: why",
    );
}

#[test]
fn a_paused_run_can_be_stopped_and_is_not_paused_any_more() {
    check(
        "a; b",
        "start\npause\ncancel\n? status\n  stopping\nresume\n  rejected: the run is not paused\npause\n  rejected: the run is being stopped already",
    );
    check("a; b", "start\npause\na failed boom\n  NodeFailed a: boom\n  cancel b#1\n? status\n  stopping");
}

#[test]
fn nothing_but_a_start_comes_before_the_start() {
    for input in ["pause", "resume", "kill", "signal 1 go", "resolve a retry", "quarantine a#1", "parent undo"] {
        check("a", &format!("{input}\n  rejected: the run has not begun"));
    }
}

#[test]
fn kill_fences_what_runs_and_runs_the_hooks() {
    check(
        "flow timeout 60s; a; b retry 1@9s; c sleep 9s; d < a; s signal go timeout 5s; e atomic; f foreach 9 { x }; on_failure; finally",
        "
        start
        b failed again
        f items i j
        kill
          Killed by ops: why
          queue on_failure#1; drop run.deadline, a#1, b#2, c.wake, s.deadline, e#1; cancel a#1, b#2, c.wake, e#1; send f[0] cancel, f[1] cancel, f[0] kill, f[1] kill
        f[0] ended 0
          rejected: nobody waits for that word any more
        on_failure done
        finally done
          HookDone finally; RunEnded stopped by ops: why
        ? nodes
          a dropped, b dropped, c dropped, d dropped, s dropped, e dropped, f dropped
        kill
          rejected: the run is over: it stopped
        ",
    );
}

#[test]
fn kill_ends_the_wait_of_a_run_that_is_stopping() {
    check(
        "bad; a; b basin { x }",
        "
        start
        bad failed boom
        kill
          Killed by ops: why; RunEnded failed: bad: boom
          drop a#1; cancel a#1; send b[] kill
        ",
    );
}

#[test]
fn kill_undoes_what_was_done_or_may_have_been_and_a_second_kill_leaves_it() {
    check(
        "a undo; b < a undo; finally",
        "
        start
        a done
        kill
          Killed by ops: why
          queue b.undo#1; drop b#1; cancel b#1
        ? undo b
          unknown
        kill
          Killed by ops: why
          queue finally#1; drop b.undo#1; cancel b.undo#1
        finally done
          HookDone finally; RunEnded stopped by ops: why
        ",
    );
    check(
        "a undo; b < a",
        "start\na done\nb failed boom\na.undo failed x\nkill\n  Killed by ops: why; RunEnded failed: b: boom",
    );
}

#[test]
fn a_scope_that_ended_well_while_it_was_killed_is_asked_to_undo() {
    check(
        "b basin { x undo }",
        "start\nkill\n  Killed by ops: why; RunEnded stopped by ops: why\n  send b[] cancel, b[] kill, b[] undo",
    );
}

#[test]
fn kill_while_scopes_undo_makes_them_leave_it() {
    check(
        "b basin { x undo }; bad < b",
        "
        start
        b[] ended out
        bad failed boom
          NodeFailed bad: boom
          send b[] undo
        kill
          Killed by ops: why; RunEnded failed: bad: boom
          send b[] kill
        ",
    );
    let undoing = "parent begin i\nx done\ny failed boom\n  NodeFailed y: boom\n  queue x.undo#1\n";
    let plan = "b basin { x undo; y < x }";
    check_inside(plan, "b", "", &format!("{undoing}parent kill\n  rejected: nobody waits for that word any more"));
    check_inside(
        plan,
        "b",
        "",
        "
        parent begin i
        x done
        y done
        parent undo
        parent kill
          Killed by outside: why; RunEnded stopped by vastflow: what it did is taken back
          drop x.undo#1; cancel x.undo#1; send parent undone
        ",
    );
}

#[test]
fn a_killed_hook_is_given_up_and_the_next_one_still_runs() {
    check(
        "a; on_failure; finally",
        "
        start
        a failed boom
        kill
          Killed by ops: why
          queue finally#1; drop on_failure#1; cancel on_failure#1
        kill
          Killed by ops: why; RunEnded failed: a: boom
          drop finally#1; cancel finally#1
        ",
    );
    check(
        "a; finally",
        "start\na done\nkill\n  Killed by ops: why; RunEnded stopped by ops: why\n  drop finally#1; cancel finally#1",
    );
}

#[test]
fn a_kill_while_lost_work_is_taken_back_stops_the_run() {
    check(
        "a; b undo; j < a, b join any; finally",
        "
        start
        a done
        b done
        j done
        kill
          Killed by ops: why
          queue finally#1; drop b.undo#1; cancel b.undo#1
        finally done
        ? outcome
          stopped by ops: why
        ",
    );
}

#[test]
fn a_node_that_failed_for_good_may_wait_for_an_operator() {
    let parked = "
        start x
        a failed one
        a failed two
          NodeParked a: two
          drop a.deadline
        ? nodes
          a parked, b waiting
        ? status
          needs-attention
        ? queue
          nothing
        ";
    let plan = "a pause retry 1 timeout 60s; b < a";
    check(
        plan,
        &format!(
            "{parked}resolve a retry
          Resolved a retry by ops
          queue a#3, a.deadline @60s
        ? status
          running
        a failed three
          AttemptFailed a until 0s: three
          queue a#4
        a done
          NodeSucceeded a = a(x)
          queue b#1; drop a.deadline
        "
        ),
    );
    check(
        plan,
        &format!(
            "{parked}resolve a skip\n          Resolved a skip by ops\n          queue b#1\n        ? inputs b\n          null"
        ),
    );
    check(
        plan,
        &format!(
            "{parked}resolve a done y\n          Resolved a done y by ops\n          queue b#1\n        ? inputs b\n          y"
        ),
    );
    check(
        plan,
        &format!(
            "{parked}cancel\n          CancelRequested by ops: why; RunEnded stopped by ops: why\n        resolve a retry\n          rejected: the run is over: it stopped"
        ),
    );
    check(plan, &format!("{parked}kill\n          Killed by ops: why; RunEnded stopped by ops: why"));
    check(plan, "start\nresolve b retry\n  rejected: nothing waits for an operator there");
}

#[test]
fn in_a_stopping_run_nothing_waits_for_an_operator() {
    check("bad; a pause", "start\nbad failed boom\na failed x\n  NodeFailed a: x; RunEnded failed: bad: boom");
    check(
        "bad; a pause atomic",
        "start\nbad failed boom\na failed x\n  NodeFailed a: x; RunEnded failed: bad: boom\n? nodes\n  bad failed, a failed",
    );
    check(
        "bad; a pause atomic",
        "start\na failed x\nbad failed boom\n  NodeFailed bad: boom; RunEnded failed: bad: boom\n? nodes\n  bad failed, a dropped",
    );
}

#[test]
fn a_parked_river_is_tried_again_from_its_start_with_all_its_budget() {
    check(
        "r river 1@1s retry 1 pause",
        "
        start
        r retry busy
        r submitted
        @1s r continue booting
          NodeParked r: cycle 1 times failed, cause: booting
        resolve r retry
          Resolved r retry by ops
          queue r#3
        r retry busy
          AttemptFailed r until 1s: busy
          queue r#4 @1s
        r submitted
          Submitted r until 2s
          queue r.poll#1 @2s
        @2s r done
          NodeSucceeded r = null; RunEnded succeeded
        ",
    );
}

#[test]
fn a_skipped_node_is_not_undone_and_one_marked_done_is() {
    let plan = "a pause undo; b < a";
    check(plan, "start\na timed_out x\nresolve a skip\nb failed boom\n  NodeFailed b: boom; RunEnded failed: b: boom");
    check(
        plan,
        "start\na failed x\nresolve a done y\nb failed boom\n  NodeFailed b: boom\n  queue a.undo#1\n? undo a\n  y",
    );
}

#[test]
fn what_ends_its_processes_is_not_called_any_more() {
    let why = "calling it ended 3 processes, one after the other; that they were killed from outside meanwhile looks the \
               same";
    check(
        "a retry 9",
        &format!("start\nquarantine a\n  NodeParked a: {why}\nresolve a retry\n  Resolved a retry by ops\n  queue a#2"),
    );
    check("r river 1@1s", &format!("start\nr submitted\n@1s quarantine r\n  NodeParked r: {why}"));
    check(
        "a rescue",
        &format!("start\na failed x\nquarantine a.rescue\n  RescueFailed a: {why}; RunEnded failed: a: {why}"),
    );
    check(
        "f foreach 1 { x }",
        &format!("start\nf items i then p2\nquarantine f\n  NodeFailed f: {why}\n  send f[0] cancel"),
    );
    check(
        "f foreach 1 reduce { x }",
        &format!("start\nf items\nquarantine f.reduce\n  NodeFailed f: {why}; RunEnded failed: f: {why}"),
    );
    check(
        "a; finally",
        &format!(
            "start\na done\nquarantine finally\n  HookFailed finally: {why}; RunEnded failed: failed in handler: {why}"
        ),
    );
    check("a undo; b < a", &format!("start\na done\nb failed x\nquarantine a.undo\n  UndoFailed a: {why}"));
    check("bad; a", &format!("start\nbad failed x\nquarantine a\n  NodeFailed a: {why}; RunEnded failed: bad: x"));
    check(
        "a; s sleep 1s",
        "start\nquarantine s.wake\n  rejected: stale s.wake\na done\nquarantine a#1\n  rejected: stale a#1",
    );
}

#[test]
fn a_signal_goes_to_the_node_that_waits_for_it_longest() {
    check(
        "a signal go; w; b < w signal go; c signal stop",
        "
        start
          RunStarted
          queue w#1
        ? nodes
          a listening, w running, b waiting, c listening
        w done
        signal 1 go x
          SignalReceived 1 go = x
        ? nodes
          a succeeded, w succeeded, b listening, c listening
        signal 1 go y
          rejected: a signal with this id came before
        signal 2 go y
        signal 3 stop z
          SignalReceived 3 stop = z; RunEnded succeeded
        ? output
          {\"a\":\"x\",\"b\":\"y\",\"c\":\"z\"}
        ",
    );
}

#[test]
fn early_signals_wait_in_order() {
    check(
        "w; a < w signal go; b < a signal go",
        "start\nsignal 1 go x\nsignal 2 go y\nw done\n  NodeSucceeded w = w(null); RunEnded succeeded\n? output\n  y",
    );
}

#[test]
fn only_so_many_signals_wait() {
    let mut script = String::from("start\n");
    (0..1_000).for_each(|id| script.push_str(&format!("signal {id} other x\n")));
    let why = "1000 signals (MAX_SIGNALS) wait in the run already, and no node has asked for them";
    check("a signal go", &format!("{script}signal more go x\n  rejected: {why}"));
}

#[test]
fn a_signal_to_a_run_that_stops_or_finishes_is_refused() {
    check("a; b signal go", "start\ncancel\nsignal 1 go x\n  rejected: the run is being stopped already");
    check(
        "a; finally",
        "start\na done\nsignal 1 go x\n  rejected: the run has done all its work, and only its last hook is left: it cannot be stopped any more",
    );
}

#[test]
fn what_waits_for_a_signal_has_a_time_limit_and_may_have_a_substitute() {
    check(
        "a signal go timeout 5s",
        "start\n  RunStarted\n  queue a.deadline @5s\n@5s timer a.deadline\n  NodeFailed a: not done within 5s; RunEnded failed: a: not done within 5s\n  drop a.deadline",
    );
    check(
        "a signal go timeout 5s rescue; b signal go",
        "
        start
        @5s timer a.deadline
          NodeFailed a: not done within 5s
          queue a.rescue; drop a.deadline
        signal 1 go x
          SignalReceived 1 go = x
        ? nodes
          a rescuing, b succeeded
        a.rescue done y
          NodeSucceeded a = y; RunEnded succeeded
        ",
    );
}

#[test]
fn a_stopping_run_waits_for_no_signal_and_for_no_sleep() {
    check(
        "a signal go timeout 9s; s sleep 9s; bad",
        "start\nbad failed boom\n  NodeFailed bad: boom; RunEnded failed: bad: boom\n  drop a.deadline, s.wake\n? nodes\n  a dropped, s dropped, bad failed",
    );
}

#[test]
fn a_sleep_gives_what_flowed_in() {
    check(
        "a; s < a sleep 5s; b < s; two < a, input sleep 0",
        "
        start x
        @1s a done
          NodeSucceeded a = a(x)
          queue s.wake @6s, two.wake @1s
        timer two.wake
          Woke two
        @6s timer s.wake
          Woke s
          queue b#1
        timer s.wake
          rejected: stale s.wake
        ? inputs b
          a(x)
        b done
        ? output
          {\"b\":\"b(a(x))\",\"two\":{\"a\":\"a(x)\",\"input\":\"x\"}}
        ",
    );
    check(
        "s sleep 5s atomic; bad",
        "start\nbad failed x\n  NodeFailed bad: x\n@5s timer s.wake\n  Woke s; RunEnded failed: bad: x",
    );
}

#[test]
fn a_run_that_goes_on_from_another_keeps_its_results() {
    check(
        "a; b < a; c < a, b",
        "
        start x keep a=1
          RunStarted
          queue b#1
        ? inputs b
          1
        b done
          NodeSucceeded b = b(1)
          queue c#1
        ? inputs c
          1, b(1)
        ",
    );
    check("a; b < a", "start x keep a=1 b=2\n  RunStarted; RunEnded succeeded\n? output\n  2\n? kept\n  1 payloads");
    check("a; b < a; c < b", "start x keep b=2 a=1\n  RunStarted\n  queue c#1\n? kept\n  1 payloads");
    check("a; b < a", "start x keep a=1 edit b=other\n? inputs b\n  other\nb done\n? output\n  b(other)");
}

#[test]
fn what_a_kept_result_did_without_is_not_run_again() {
    check(
        "a; b; j < a, b join any; c < j",
        "start x keep a=1 j=2\n  RunStarted\n  queue c#1\n? nodes\n  a succeeded, b skipped, j succeeded, c running",
    );
}

#[test]
fn kept_results_are_undone_with_the_rest() {
    check("a undo; b < a", "start x keep a=1\nb failed boom\n  NodeFailed b: boom\n  queue a.undo#1\n? undo a\n  1");
}

#[test]
fn a_result_that_is_kept_twice_or_of_no_node_is_illegal() {
    use vastflow_core::run::{Changes, Illegal};
    use vastflow_core::{Event, NodeIx, Payload, State, Timestamp};
    let run = check("a; b < a", "start x keep a=1");
    let again = |node: u32| -> Result<(), Illegal> {
        let Event::RunStarted(started) = &run.journal[0].event else { unreachable!() };
        let mut started = (**started).clone();
        started.origin.as_mut().unwrap().kept.push((NodeIx(node), Payload::null()));
        State::default().evolve(&run.plan, &Event::RunStarted(started.into()), Timestamp::ZERO, &mut Changes::default())
    };
    assert!(again(0).is_err() && again(9).is_err() && again(1).is_ok());
}
