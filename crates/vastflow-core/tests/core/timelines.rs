//! Runs as bars over time.

use crate::dsl::{check, plan};
use vastflow_core::event::{Call, Item, Micros, ScopeEnd};
use vastflow_core::view::{CallKind, RunView, SHOWN_POLLS};
use vastflow_core::{
    Codec, Event, Failure, FailureKind, Name, NodeIx, Payload, Plan, Recorded, RunFailure, RunStarted, Seq, Timestamp,
    Travels,
};

/// A history written down event by event.
struct History {
    plan: Plan,
    events: Vec<Recorded>,
}

fn payload() -> Payload {
    Payload::new(Codec::Json, "1")
}

fn failure() -> Failure {
    Failure::new(FailureKind::Error, "no route")
}

fn call(number: u32, millis: u64) -> Call {
    Call { number, took: Micros(millis * 1_000), writes: Vec::new() }
}

impl History {
    fn of(nodes: &str) -> Self {
        let plan = Plan::from_json(&format!(r#"{{"flow":"order","nodes":[{nodes}]}}"#)).unwrap();
        let started = RunStarted {
            flow: plan.flow().clone(),
            plan: plan.hash(),
            seed: 1,
            input: payload(),
            context: Vec::new(),
            info: Travels::default(),
            origin: None,
            queued: false,
        };
        History { plan, events: Vec::new() }.at(0, Event::RunStarted(started.into()))
    }

    fn at(mut self, millis: u64, event: Event) -> Self {
        let seq = Seq(self.events.len() as u64);
        self.events.push(Recorded { seq, at: Timestamp::from_millis(1_000_000 + millis), event });
        self
    }

    fn done(self, millis: u64, node: u32, call: Call) -> Self {
        self.at(millis, Event::NodeSucceeded { node: NodeIx(node), output: payload(), call })
    }

    fn view(&self) -> RunView {
        RunView::fold("r1".parse().unwrap(), &self.plan, &self.events).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn check(&self, expected: &str) {
        let text = self.view().timeline().to_string();
        assert!(text == expected, "expected:\n{expected}\nbut it is:\n{text}");
        check_width(&text);
    }
}

#[track_caller]
fn check_width(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn calls_polls_and_waits_are_bars() {
    let run = check(
        "get; slow < get retry 3@1s; vm < get river 5@1s; last < slow, vm order",
        "
        start
        @1s get (1000ms) done
        @1500ms slow (500ms) failed no route
        @2s vm (1000ms) submitted
        @3s slow (500ms) done
        vm (100ms) continue booting
        @4s vm (100ms) done
        ",
    );
    let view = RunView::fold("order-1".parse().unwrap(), &run.plan, &run.journal).unwrap();
    let text = view.timeline().to_string();
    check_width(&text);
    let expected = "\
run order-1 of flow: running after 4.0 s
  ✓ get  │██████████                              │ 1.0 s
  ✓ slow │          ▒▒▒▒▒··········█████          │ 1.0 s  2 calls
  ✓ vm   │          ██████████·········▌·········▌│ 1.2 s  3 calls
  ▸ last │                                       ·│ running
         └────────────────────────────────────────┘ 4.0 s
    █ call   ▒ failed call   ▌ poll   · waits
";
    assert!(text == expected, "{text}");
}

const APPROVAL: &str = r#"
    {"name":"ask","kind":"task","inputs":[{"from":"input"}]},
    {"name":"each","kind":{"for_each":{"window":1000,"partial":{"tolerate":5},"gives":"list",
        "body":{"flow":"x","nodes":[{"name":"one","kind":"task","inputs":[{"from":"input"}]}]}}},
        "inputs":[{"from":{"node":"ask"}}]},
    {"name":"ok","kind":{"signal":{"name":"approved"}},"inputs":[{"from":{"node":"each"},"order_only":true}]},
    {"name":"pay","kind":"task","inputs":[{"from":{"node":"ok"}}],"on_exhausted":"pause"}"#;

/// Two days of waiting between seconds of work.
fn approval() -> History {
    let key = |n: usize| -> Box<str> { format!("user-{n}").into() };
    let node = NodeIx(1);
    let items = (0..1_000).map(|n| Item { key: key(n), input: payload() }).collect();
    let mut history = History::of(APPROVAL).done(2_000, 0, call(1, 2_000));
    history = history.at(2_010, Event::ItemsAdded { node, items, cursor: None, call: call(1, 10) });
    for n in 0..1_000 {
        let failed = || RunFailure { node: None, failure: failure() };
        let result = if n % 400 == 7 { Err(failed()) } else { Ok(payload()) };
        let end = ScopeEnd { result, writes: Vec::new() };
        history = history.at(4_000 + n as u64, Event::ChildEnded { node, key: key(n), end });
    }
    history
}

#[test]
fn inner_scopes_are_counted_and_who_is_waited_for_is_named() {
    let history = approval();
    history.check(
        "\
run r1 of order: running after 4.9 s
  ✓ ask                    │█████████████████                       │ 2.0 s
  ✓ each × 1000 (3 failed) │                █───────────────────────│ 10.0 ms
  ▸ ok                     │                                       ~│ waits for signal approved
  · pay                    │                                        │ waiting
                           └────────────────────────────────────────┘ 4.9 s
    █ call   ─ scopes inside   ~ sleeps, or waits for somebody
",
    );
    let each = history.view().node("each").unwrap().inner.clone().unwrap();
    assert_eq!((each.scopes, each.ended, each.failed), (1_000, 1_000, 3));
}

#[test]
fn long_idle_times_are_made_short_and_say_so() {
    let days = 2 * 24 * 3_600_000;
    let approved = Event::SignalReceived { id: "s".into(), name: Name::new("approved").unwrap(), payload: payload() };
    let parked = Event::NodeParked { node: NodeIx(3), failure: failure(), call: call(1, 1_000) };
    let history = approval().at(days, approved).at(days + 1_000, parked);
    history.check(
        "\
run r1 of order: needs-attention after 2 d 0 h
  ✓ ask                    │████                                    │ 2.0 s
  ✓ each × 1000 (3 failed) │   █─────                               │ 10.0 ms
  ✓ ok                     │        ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ │ succeeded
  ! pay                    │                                      ▒▒│ waits for an operator: no rou…
                           └───────────────────────┊────────────────┘ 2 d 0 h, ┊ idle 47 h 59 min
    █ call   ▒ failed call   ─ scopes inside   ~ sleeps, or waits for somebody
",
    );
}

#[test]
fn long_spans_are_short_too() {
    let texts = [99, 100, 2_879, 2_880]
        .map(|min| vastflow_core::view::Span(core::time::Duration::from_secs(min * 60)).to_string());
    assert_eq!(texts, ["99 min 0 s", "1 h 40 min", "47 h 59 min", "2 d 0 h"]);
}

#[test]
fn a_history_with_nasty_texts_stays_in_its_columns() {
    let why = "\u{1b}[2J\nwith a long explanation ".repeat(20);
    let failure = Failure::new(FailureKind::Error, why.as_str());
    let name = "n".repeat(128);
    let branch = format!(
        r#"{{"name":"{name}","kind":{{"branch":{{"cases":[{{"key":"\u001b[31m","body":{{"flow":"x","nodes":[{{"name":"a","kind":"task"}}]}}}}]}}}}}}"#
    );
    let chosen =
        Event::BranchChosen { node: NodeIx(0), keys: vec!["\u{1b}[31m".into()], input: None, call: call(1, 1) };
    let end = ScopeEnd { result: Err(RunFailure { node: None, failure }), writes: Vec::new() };
    let ended = Event::ChildEnded { node: NodeIx(0), key: "\u{1b}[31m".into(), end };
    let history = History::of(&branch).at(1, chosen).at(2, ended);
    check_width(&history.view().timeline().to_string());
}

#[test]
fn a_run_that_took_no_time_has_bars_all_the_same() {
    let run = check("a; b < a", "start\na done\nb done");
    let view = RunView::fold("r".parse().unwrap(), &run.plan, &run.journal).unwrap();
    check_width(&view.timeline().to_string());
    let empty = RunView::fold("r".parse().unwrap(), &plan("a"), &[]).unwrap();
    check_width(&empty.timeline().to_string());
}

#[test]
fn case_60_each_node_has_its_start_end_attempts_and_error_after_the_end() {
    let run = check(
        "a; b < a retry 2@1s; c < b; d < c rescue",
        "
        start
        @1s a (1000ms) done
        @2s b (500ms) failed busy
        @4s b (500ms) done
        @5s c (1ms) done
        @6s d (1ms) failed boom
        @7s d.rescue (1ms) done
        ",
    );
    let view = RunView::fold("r".parse().unwrap(), &run.plan, &run.journal).unwrap();
    let seen = |name: &str| {
        let node = view.node(name).unwrap();
        let (began, ended) =
            (node.began_at.unwrap().since(view.started_at), node.ended_at.unwrap().since(view.started_at));
        (
            began.as_secs(),
            ended.as_secs(),
            node.attempts.iter().map(|call| (call.kind, call.failed)).collect::<Vec<_>>(),
        )
    };
    let (good, bad) = ((CallKind::Attempt, false), (CallKind::Attempt, true));
    assert_eq!(seen("a"), (0, 1, vec![good]));
    assert_eq!(seen("b"), (1, 4, vec![bad, good]));
    assert_eq!(seen("c"), (4, 5, vec![good]));
    assert_eq!(seen("d"), (5, 7, vec![bad, (CallKind::Rescue, false)]));
    assert_eq!(view.node("b").unwrap().attempts[0].why.as_deref(), Some("busy"), "the error is kept after a success");
    assert_eq!(view.node("b").unwrap().attempts[0].took.as_millis(), 500);
}

#[test]
fn hooks_have_lines_of_their_own_when_they_are_due() {
    let plan = "a; on_failure retry 1@1s; finally";
    let run = check(
        plan,
        "
        start
        @1s a (1000ms) failed no stock
        @2s on_failure (1000ms) failed mail is down
        @4s on_failure (1000ms) done
        @5s finally (500ms) failed no room
        ",
    );
    let view = RunView::fold("r".parse().unwrap(), &run.plan, &run.journal).unwrap();
    let text = view.timeline().to_string();
    let expected = "\
run r of flow: failed after 5.0 s
  ✗ a          │▒▒▒▒▒▒▒▒                                │ 1.0 s  no stock
  ✓ on_failure │        ▒▒▒▒▒▒▒▒········████████        │ 2.0 s  2 calls
  ✗ finally    │                                ····▒▒▒▒│ 500.0 ms  no room
               └────────────────────────────────────────┘ 5.0 s
    █ call   ▒ failed call   · waits
  failed: a: no stock
";
    assert!(text == expected, "{text}");
    let kinds: Vec<_> = view.hooks[0].attempts.iter().map(|call| (call.kind, call.number, call.failed)).collect();
    assert_eq!(kinds, [(CallKind::Hook, 1, true), (CallKind::Hook, 2, false)]);
    assert!(view.node("finally").is_none(), "a hook is no node");

    let signs = |script: &str| {
        let run = check(plan, script);
        let view = RunView::fold("r".parse().unwrap(), &run.plan, &run.journal).unwrap();
        view.hooks.iter().map(|hook| format!("{} {}", hook.status.sign(), hook.title())).collect::<Vec<_>>()
    };
    assert!(signs("start").is_empty(), "no hook is due");
    assert_eq!(signs("start\na done"), ["▸ finally"]);
    assert_eq!(signs("start\na done\nfinally done"), ["✓ finally"]);
    assert_eq!(signs("start\na failed x\nkill\nkill"), ["– on_failure", "– finally"]);
}

#[test]
fn the_last_hundred_polls_are_told_of_and_all_are_counted() {
    let river = r#"{"name":"vm","kind":{"river":{"poll":{"times":1000,"interval_ms":1}}},"inputs":[{"from":"input"}]}"#;
    let node = NodeIx(0);
    let next_at = Timestamp::ZERO;
    let mut history = History::of(river).at(1, Event::Submitted { node, next_at, call: call(1, 1) });
    for tick in 1..=250 {
        let polled = Event::Polled { node, cause: format!("at {tick}").into(), next_at, call: call(tick, 1) };
        history = history.at(10 * u64::from(tick), polled);
    }
    let view = history.done(3_000, 0, call(251, 1)).view();
    let vm = view.node("vm").unwrap();
    assert_eq!((vm.calls, vm.attempts.len()), (252, 1 + SHOWN_POLLS));
    let told: Vec<_> = vm.attempts.iter().map(|call| (call.kind, call.number)).collect();
    assert_eq!(told[0], (CallKind::Attempt, 1), "the call that submitted it is not forgotten");
    let polls: Vec<_> = (152..=251).map(|tick| (CallKind::Poll, tick)).collect();
    assert_eq!(told[1..], polls);
}
