//! Going on from a run that is over: what it leaves, and what is done with it.

use crate::dsl::{Run, check, go_on, payload_text, plan};
use vastflow_core::event::KeptScope;
use vastflow_core::limits::MAX_KEPT_BYTES;
use vastflow_core::run::{Legacy, Start};
use vastflow_core::{Codec, Event, Input, Name, NodeIx, Payload, Plan, RunId};

/// What a run leaves to one that goes on from it: kept results, then inner scopes, then the context.
fn left(run: &Run, redo: &[&str]) -> String {
    let redo: Vec<NodeIx> = redo.iter().map(|name| run.plan.find(name).unwrap()).collect();
    let legacy = Legacy::of(&run.plan, &run.journal, &redo).unwrap();
    let name = |node: &NodeIx| run.plan.node(*node).unwrap().name.to_string();
    let nodes = legacy.kept.iter().map(|(node, value)| format!("{}={}", name(node), payload_text(value)));
    let scope = |kept: &KeptScope| format!("{}[{}]={}", name(&kept.node), kept.key, payload_text(&kept.output));
    let context = legacy.context.iter().map(|(key, value)| format!("{key}:{}", payload_text(value.as_ref().unwrap())));
    nodes.chain(legacy.scopes.iter().map(scope)).chain(context).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn leaves(plan: &str, script: &str, expected: &str) {
    assert_eq!(left(&check(plan, script), &[]), expected);
}

#[test]
fn what_succeeded_is_left_and_what_was_undone_or_never_began_is_not() {
    leaves("a; b < a; c < b", "start\na done A [k=1]\nb failed boom", "a=A k:1");
    leaves("a undo; b < a", "start\na done A\nb failed boom\na.undo done", "");
    leaves("a; b < a", "start\na done A\nb done B", "a=A b=B");
    let run = check("a; b < a; c < b; d", "start\na done A\nd done D\nb done B\nc done C");
    assert_eq!(left(&run, &["b"]), "a=A d=D");
}

#[test]
fn of_a_foreach_that_failed_the_good_items_are_left() {
    let script = "start\nf items i j k\nf[0] ended I [x=1]\nf[2] ended K\nf[1] failed boom";
    leaves("f foreach 9 { a }; b < f", script, "f[0]=I f[2]=K");
    leaves("f foreach 9 map { a }", "start\nf items p=1 q=2\nf[q] ended Q\nf[p] failed boom", "f[q]=Q");
    // Those that ended well after all was stopped, too.
    let late = "start\nf items i j\nf[0] failed boom\nf[1] ended J";
    leaves("f foreach 9 { a }", late, "f[1]=J");
}

#[test]
fn of_a_branch_that_failed_the_good_arms_are_left() {
    let script = "start\nb chosen l r with w\nb[l] ended L\nb[r] failed boom";
    leaves("b branch { l { x } r { y } }", script, "b[l]=L");
}

#[test]
fn items_that_were_undone_or_belong_to_what_is_redone_are_not_left() {
    let script = "start\nf items i j\nf[0] ended I\nf[1] failed boom\nf[0] undone";
    leaves("f foreach 9 { a undo }", script, "");
    let run = check("a; f < a foreach 9 { x }", "start\na done A\nf items i j\nf[0] ended I\nf[1] failed boom");
    assert_eq!(left(&run, &["a"]), "");
    // A foreach that is kept needs none.
    let run = check("f foreach 9 { x }; b < f", "start\nf items i\nf[0] ended I [k=1]\nb failed boom");
    assert_eq!(left(&run, &[]), "f=[\"I\"] k:1");
}

#[test]
fn items_that_were_taken_over_are_left_again() {
    let first = "start keep f[0]:i=I f[9]:z=Z\nf items i j k\nf[2] ended K\nf[1] failed boom";
    leaves("f foreach 9 { a }", first, "f[0]=I f[2]=K f[9]=Z");
    // The newer result counts.
    leaves("f foreach 9 { a }", "start keep f[0]:i=I\nf items I j\nf[0] ended new\nf[1] failed boom", "f[0]=new");
    let done = check("f foreach 9 { a }; b < f", "start keep f[0]:i=I\nf items i\nb failed boom");
    assert_eq!(left(&done, &[]), "f=[\"I\"] of-0:I");
}

#[test]
fn an_item_of_the_run_before_is_not_begun_again() {
    check(
        "f foreach 1 { a }; b < f",
        "
        start keep f[1]:j=J
        f items i j k
          ItemsAdded f: 3
          send f[0] begin i
        f[0] ended I
          ChildEnded f[0] = I; ChildEnded f[1] = J [of-1=J]
          send f[2] begin k
        f[2] ended K
          ChildEnded f[2] = K
          queue b#1
        ? inputs b
          [\"I\",\"J\",\"K\"]
        ? context
          of-1=J
        ",
    );
}

#[test]
fn when_all_items_are_known_the_node_is_done_at_once() {
    check(
        "f foreach 1 { a }; b < f",
        "
        start keep f[0]:i=I f[1]:j=J
        f items i j
          ItemsAdded f: 2; ChildEnded f[0] = I [of-0=I]; ChildEnded f[1] = J [of-1=J]
          queue b#1
        ",
    );
    check(
        "f foreach 1 { a }",
        "start keep f[0]:i=I\nf items i then p\n  ItemsAdded f: 1 then p; ChildEnded f[0] = I [of-0=I]\n  queue f#2",
    );
    check(
        "f foreach 1 reduce { a }",
        "start keep f[0]:i=I\nf items i\n  ItemsAdded f: 1; ChildEnded f[0] = I [of-0=I]\n  queue f.reduce#1\n? reduce f\n  nothing and 0=I",
    );
}

#[test]
fn an_item_that_is_fed_with_something_else_is_done_again() {
    check("f foreach 9 { a }", "start keep f[0]:i=I\nf items other\n  ItemsAdded f: 1\n  send f[0] begin other");
    check(
        "b branch { l { x } r { y } }",
        "start x keep b[l]:x=L\nb chosen l r\n  BranchChosen b: l, r; ChildEnded b[l] = L [of-l=L]\n  send b[r] begin x",
    );
}

#[test]
fn a_scope_that_is_taken_over_can_end_the_need_for_others() {
    check(
        "f foreach 9 needs any { a }",
        "
        start keep f[1]:j=J
        f items i j k
          ItemsAdded f: 3; ChildEnded f[1] = J [of-1=J]
          queue grace @10s; send f[0] begin i, f[2] begin k, f[0] cancel, f[2] cancel
        ",
    );
}

fn start(scopes: Vec<KeptScope>) -> Input {
    let mut start = Start::new(RunId::new("again").unwrap());
    let (run, verb) = (RunId::new("before").unwrap(), "retry".into());
    let (by, why) = ("ops".into(), "why".into());
    start.origin =
        Some(Box::new(vastflow_core::event::Origin { run, verb, by, why, kept: Vec::new(), input: None, scopes }));
    Input::Start(start)
}

fn kept(node: u32, key: &str) -> KeptScope {
    let (fed, output) = (Payload::null().fingerprint(), Payload::null());
    KeptScope { node: NodeIx(node), key: key.into(), fed, output, writes: Vec::new() }
}

#[test]
fn what_cannot_be_taken_over_is_illegal() {
    let illegal = |text: &str, scopes: Vec<KeptScope>| {
        let plan = plan(text);
        let event =
            vastflow_core::State::default().decide(&plan, start(scopes), vastflow_core::Timestamp::ZERO).unwrap();
        let mut state = vastflow_core::State::default();
        state.evolve(&plan, &event, vastflow_core::Timestamp::ZERO, &mut ()).is_err()
    };
    assert!(!illegal("f foreach 1 { a }", vec![kept(0, "0"), kept(0, "1")]));
    assert!(illegal("f foreach 1 { a }", vec![kept(0, "1"), kept(0, "0")]), "out of order");
    assert!(illegal("f foreach 1 { a }", vec![kept(0, "1"), kept(0, "1")]), "twice");
    assert!(illegal("f foreach 1 { a }", vec![kept(7, "1")]), "of no node");
    assert!(illegal("a", vec![kept(0, "1")]), "of a node without scopes");
    assert!(illegal("f foreach 1 { a undo }", vec![kept(0, "1")]), "it could not be undone");
}

#[test]
fn results_are_kept_as_far_as_there_is_room() {
    let text = r#"{"flow":"f","nodes":[{"name":"f","kind":{"for_each":{"window":9,"gives":"list",
        "body":{"flow":"f","nodes":[{"name":"a","kind":"task"}]}}}}]}"#;
    let mut run = Run::new(Plan::from_json(text).unwrap());
    run.step(Input::Start(Start::new(RunId::new("r").unwrap()))).unwrap();
    run = go_on(run, "f items i j k");
    for key in ["0", "1"] {
        let output = Payload::new(Codec::Bytes, vec![b'x'; MAX_KEPT_BYTES / 2 + 1]);
        let end = vastflow_core::event::ScopeEnd { result: Ok(output), writes: Vec::new() };
        let from = vastflow_core::run::Peer::Child { node: NodeIx(0), key: key.into() };
        let word = vastflow_core::run::Word::Ended(Box::new(end));
        run.step(Input::Told { from, word }).unwrap();
    }
    run = go_on(run, "f[2] failed boom");
    let legacy = Legacy::of(&run.plan, &run.journal, &[]).unwrap();
    let keys: Vec<&str> = legacy.scopes.iter().map(|kept| &*kept.key).collect();
    assert_eq!(keys, ["1"], "the last fits, the other does not");
    assert!(matches!(run.journal[0].event, Event::RunStarted(_)) && run.plan.flow() == &Name::new("f").unwrap());
}
