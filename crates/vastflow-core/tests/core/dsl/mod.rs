//! The language of the cases: a plan in one text, a script of inputs with what each of them must lead to in another.
//!
//! ```text
//! a; b < a retry 2@1s; r < b river 3@1s        a plan: nodes with what they wait for and their options
//! finally retry 1@1s                           … and what belongs to the flow
//!
//! @0 start x                                   a script: an input at the margin, with a time when time passes
//!   RunStarted                                 … its events, indented
//!   queue a#1                                  … and what becomes of the queue
//! a done                                       an input without indented lines must be accepted, no more
//! @3s b failed boom
//! ? queue                                      a question is answered in one line
//!   b#2 @4s
//! ```
//!
//! `a#2` is attempt 2 of node a, `r.poll#1` a poll, `a.rescue` its `on_failure`, `a.deadline` and `run.deadline` are
//! timers, `finally#1` is a hook. A bare `a` means the task of node a that is outstanding. `done` without a text gives
//! `a(<inputs>)`. Every step of every case is checked against the two laws as well ([`Run::step`]).
//!
//! ```text
//! f foreach 2 { a }; b < f undo                a plan with a graph inside a node
//!
//! start
//! f items x y z                                what the handler read
//!   ItemsAdded f: 3
//!   send f[0] begin x, f[1] begin y            … and what other scopes are told
//! f[0] ended out [k=v]                         what a scope inside says; `parent …` is what the one around says
//! ```

mod flaw;
mod plan;
mod print;
mod run;
mod script;

pub(crate) use flaw::{Bug, Flaw};
pub(crate) use plan::{name, plan, spec};

pub(crate) use print::{event_text, payload_text};
pub(crate) use run::Run;
pub(crate) use script::{payloads_kept, result};

/// Plays `script` on a run of `plan`; every indented line must be exactly what happens.
#[track_caller]
pub(crate) fn check(plan: &str, script: &str) -> Run {
    go_on(Run::of(plan), script)
}

/// Plays `script` on a scope that `node` of a run of `plan` opens for `key`.
#[track_caller]
pub(crate) fn check_inside(plan: &str, node: &str, key: &str, script: &str) -> Run {
    go_on(Run::inside(plan, node, key), script)
}

/// Plays `script` on a run that began before.
#[track_caller]
pub(crate) fn go_on(mut run: Run, script: &str) -> Run {
    let (expected, actual) = script::play(&mut run, script);
    assert!(expected == actual, "expected:\n{expected}\nbut this happened:\n{actual}");
    run
}

#[test]
#[should_panic(expected = "but this happened:\nstart\n  RunStarted\n  queue a#1\n")]
fn a_case_that_expects_something_else_fails_and_shows_what_happened() {
    check("a", "start\n  RunStarted\n  queue b#1");
}

#[test]
#[should_panic(expected = "rejected: the run has begun already")]
fn a_case_that_expects_nothing_fails_when_an_input_is_rejected() {
    check("a", "start\nstart");
}
