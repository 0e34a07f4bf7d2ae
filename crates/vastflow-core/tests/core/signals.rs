//! Signals for nodes in inner scopes: they are sent to the run, and find who waits for them.

use crate::dsl::{check, check_inside, name};
use vastflow_core::run::{Peer, Rejection, Word};
use vastflow_core::{Input, NodeIx};

#[test]
fn a_scope_says_what_is_waited_for_in_it_and_that_it_is_no_more() {
    check_inside(
        "b basin { w signal go; v signal go; a }",
        "b",
        "",
        "
        parent begin i
          RunStarted
          queue a#1; send parent listens go
        parent signal s1 go x
          SignalPassed s1 go = x
          send parent listens go
        parent signal s2 go y
          SignalPassed s2 go = y
        ? nodes
          w succeeded, v succeeded, a running
        ",
    );
}

#[test]
fn a_signal_goes_to_the_scope_that_has_waited_longest() {
    check(
        "w signal go; f foreach 9 { x }; v < f signal go",
        "
        start
        f items i j
        f[1] listens go
          ChildListens f[1] listens go
        f[0] listens go
        signal s1 go x
          SignalReceived s1 go = x
        ? nodes
          w succeeded, f open, v waiting
        signal s2 go y
          SignalReceived s2 go = y
          send f[1] signal s2 go = y
        signal s3 go z
          SignalReceived s3 go = z
          send f[0] signal s3 go = z
        f[1] listens go
        f[1] ended J
        signal s4 go late
          SignalReceived s4 go = late
        f[0] ended I
        ? nodes
          w succeeded, f succeeded, v succeeded
        ",
    );
}

#[test]
fn an_early_signal_waits_for_a_scope_too() {
    check(
        "b basin { x }",
        "
        start
        signal s1 go x
        b[] listens go
          ChildListens b[] listens go
          send b[] signal s1 go = x
        b[] listens other
          ChildListens b[] listens other
        ",
    );
}

#[test]
fn who_waits_no_more_is_passed_over() {
    check(
        "b basin { x }; c basin { x }",
        "
        start
        b[] listens go
        c[] listens go
        b[] deaf go
          ChildListens b[] deaf go
        signal s1 go x
          SignalReceived s1 go = x
          send c[] signal s1 go = x
        b[] deaf go
          rejected: nobody waits for that word any more
        ",
    );
    // A scope whose node has ended without it is not heard.
    check(
        "f foreach 9 needs any { x }; w < f signal go; a < w",
        "start\nf items i j\nf[0] listens go\nf[1] ended J\n  ChildEnded f[1] = J\n  send f[0] cancel\nsignal s1 go x\n  \
         SignalReceived s1 go = x\n  queue a#1\nf[0] listens go\n  rejected: nobody waits for that word any more",
    );
}

#[test]
fn a_word_that_comes_twice_is_good_for_one_signal() {
    let mut run = check("b basin { x }", "start\nsignal s1 go x\nsignal s2 go y");
    let from = Peer::Child { node: NodeIx(0), key: "".into() };
    let word = |turn| Word::Listens { name: name("go"), waits: true, turn };
    let told = |turn| Input::Told { from: from.clone(), word: word(turn) };
    assert_eq!(run.step(told(1)).unwrap().1.words.len(), 1);
    assert_eq!(run.step(told(1)), Err(Rejection::NotAwaited), "the same word again");
    assert_eq!(run.step(told(2)).unwrap().1.words.len(), 1, "it asks for another one");
}

#[test]
fn a_scope_in_the_middle_hands_on_what_it_is_handed() {
    check_inside(
        "b basin { c basin { x } }",
        "b",
        "",
        "
        parent begin i
        c[] listens go
          ChildListens c[] listens go
          send parent listens go
        parent signal s1 go x
          SignalPassed s1 go = x
          send c[] signal s1 go = x
        parent signal s1 go x
          rejected: nobody waits for that word any more
        c[] listens go
          ChildListens c[] listens go
          send parent listens go
        c[] ended out
          ChildEnded c[] = out; RunEnded succeeded
          send parent deaf go, parent ended = out
        ",
    );
}

#[test]
fn a_scope_that_stops_is_handed_nothing_and_what_comes_too_late_stays_there() {
    check_inside(
        "b basin { w signal go; a }",
        "b",
        "",
        "
        parent begin i
        parent cancel
          CancelRequested by outside: why
          cancel a#1; send parent deaf go
        parent signal s1 go x
          rejected: nobody waits for that word any more
        ",
    );
    check_inside(
        "b basin { w timeout 1s signal go rescue; v < w signal go }",
        "b",
        "",
        "
        parent begin i
        @1s timer w.deadline
        parent signal s1 go late
          SignalPassed s1 go = late
        w.rescue done sub
          NodeSucceeded w = sub; RunEnded succeeded
          send parent ended = late
        ",
    );
}
