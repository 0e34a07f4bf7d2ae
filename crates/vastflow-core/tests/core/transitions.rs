//! The state machine as a table: which event may follow in which state. Every state that a run can be in is tried with
//! every event; what the table allows is accepted and the rest refused, and every allowed pair is really taken by one
//! of the [`TOURS`].

use crate::dsl::{self, Run, event_text};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use vastflow_core::event::{Call, Micros};
use vastflow_core::run::{Changes, NodeStatus};
use vastflow_core::{
    Event, Failure, FailureKind, Hook, NodeIx, Payload, Plan, RunOutcome, RunStarted, RunStatus, State, Task, Timestamp,
};

/// Events about a node, by where the node stands: `g` while the run is going, `s` while it is stopping, `t` the same
/// two but only with a node that has a time limit, `p` stopping but only if the node is not atomic. In all other
/// phases, and of a node that the plan does not have, there is no legal event.
const OF_A_NODE: &str = "
                    waiting  task  task-again  river  river-again  poll  rescue  succeeded  failed  dropped
    NodeSucceeded      .      gs       gs        gs       gs        gs     gs        .         .       .
    AttemptFailed      .      gs       gs        gs       gs        .      .         .         .       .
    NodeFailed         .      gs       gs        gs       gs        gs     .         .         .       .
    timed-NodeFailed   .      t        t         t        t         t      .         .         .       .
    RescueFailed       .      .        .         .        .         .      gs        .         .       .
    Submitted          .      .        .         gs       gs        .      .         .         .       .
    Polled             .      .        .         .        .         gs     .         .         .       .
    NodeDropped        .      p        p         p        p         p      p         .         .       .
";

/// Events about the run, by its phase: `x` legal, `t` legal with a run that has a deadline.
const OF_THE_RUN: &str = "
                          new  going  stopping  on_failure  finally  settled  ended
    RunStarted             x     .       .          .          .        .       .
    CancelRequested        .     x       .          .          .        .       .
    RunTimedOut            .     t       .          .          .        .       .
    HookDone-on_failure    .     .       .          x          .        .       .
    HookFailed-on_failure  .     .       .          x          .        .       .
    HookDone-finally       .     .       .          .          x        .       .
    HookFailed-finally     .     .       .          .          x        .       .
    RunEnded               .     .       .          .          .        x       .
";

/// Plans with scripts that together take every legal pair.
const TOURS: &[(&str, &str)] = &[
    // All goes well, in each way in which a node can go.
    (
        "flow timeout 99s; a; b < a retry 2 timeout 9s; zero river 0@1s; again river 0@1s retry 1; r < again river 3@1s retry 3; \
         save rescue; on_failure; finally retry 1",
        "start\na done\nb failed x\nb failed y\nb done\nzero submitted\nagain retry x\nagain submitted\nr retry x\nr retry y\n\
         r submitted\n@1s r continue x\n@2s r done\nsave failed x\nsave done\nfinally failed x\nfinally done",
    ),
    ("r river 1@1s", "start\nr submitted\n@1s r done"),
    // Each way in which a node can fail a going run.
    ("a", "start\na failed x"),
    ("a retry 1", "start\na failed x\na failed x"),
    ("r river 1@1s", "start\nr failed x"),
    ("r river 1@1s retry 1", "start\nr retry x\nr retry x"),
    ("r river 1@1s", "start\nr submitted\n@1s r continue x"),
    ("a rescue", "start\na failed x\na failed y"),
    ("a timeout 1s", "start\n@1s timer a.deadline"),
    ("a timeout 1s retry 1", "start\na failed x\n@1s timer a.deadline"),
    ("r timeout 1s river 1@1s", "start\n@1s timer r.deadline"),
    ("r timeout 1s river 1@1s retry 1", "start\nr retry x\n@1s timer r.deadline"),
    ("r timeout 1s river 1@1s", "start\nr submitted\n@1s timer r.deadline"),
    // A stopping run takes what running nodes answer, each from each stage …
    (
        "stop; a; b retry 1; z river 0@0; y river 0@0 retry 1; r river 2@0; s rescue; keep timeout 9s atomic",
        "start\nb failed x\ny retry x\nr submitted\ns failed x\ncancel by ops because why\nstop done\na done\nb done\n\
         z submitted\ny submitted\nr done\ns done\nkeep done",
    ),
    (
        "stop; a; b retry 1; r river 2@0; q river 2@0 retry 1; p river 1@0; s rescue; on_failure retry 1; finally",
        "start\nb failed x\nq retry x\np submitted\ns failed x\nstop failed x\na failed x\nb failed x\nr failed x\nq failed x\n\
         p continue x\ns failed x\non_failure failed x\non_failure done\nfinally failed x",
    ),
    (
        "stop; r river 2@0; q river 2@0 retry 1; p river 2@0",
        "start\nq retry x\np submitted\nstop failed x\nr submitted\nq submitted\np continue x",
    ),
    // … lets atomic ones go on …
    (
        "stop; a retry 2 atomic; r river 2@0 retry 2 atomic",
        "start\nstop failed x\na failed x\na failed x\na done\nr retry x\nr retry x\nr submitted\nr continue x\nr done",
    ),
    // … hears their timers …
    (
        "stop; a timeout 1s; b timeout 1s retry 1; r timeout 1s river 2@0; q timeout 1s river 2@0 retry 1; p timeout 1s river 2@0",
        "start\nb failed x\nq retry x\np submitted\nstop failed x\n@1s timer a.deadline\ntimer b.deadline\ntimer r.deadline\n\
         timer q.deadline\ntimer p.deadline",
    ),
    // … and drops what nobody had started.
    (
        "flow timeout 1s; a; b retry 1; r river 2@0; q river 2@0 retry 1; p river 2@0; s rescue; w < a; on_failure",
        "start\nb failed x\nq retry x\np submitted\ns failed x\n@1s timer run.deadline\nnot_started a\nnot_started b\n\
         not_started r\nnot_started q\nnot_started p\nnot_started s\non_failure failed x",
    ),
];

/// A table cell that a run went through: event, where the subject stood, the phase.
type Pair = (String, String, &'static str);

/// One state that a tour came by.
struct Place {
    plan: Plan,
    state: State,
}

/// All states of all tours, and the pairs that were taken on the way.
fn travel() -> (Vec<Place>, BTreeSet<Pair>) {
    let (mut places, mut taken) = (Vec::new(), BTreeSet::new());
    for (plan, script) in TOURS {
        let run: Run = dsl::check(plan, script);
        assert!(run.state.status().is_final(), "this tour does not end:\n{plan}\n{script}");
        let mut state = State::default();
        for recorded in &run.journal {
            taken.insert(pair(&run.plan, &state, &recorded.event));
            places.push(Place { plan: run.plan.clone(), state: state.clone() });
            state.evolve(&run.plan, &recorded.event, recorded.at, &mut ()).unwrap();
        }
        places.push(Place { plan: run.plan, state });
    }
    (places, taken)
}

fn pair(plan: &Plan, state: &State, event: &Event) -> Pair {
    let phase = phase(plan, state);
    let at = event.node().map_or_else(|| phase.to_owned(), |node| standing(plan, state, node).to_owned());
    (row(event), at, phase)
}

/// The table row of an event.
fn row(event: &Event) -> String {
    match event {
        Event::NodeFailed { call: Call { number: 0, .. }, .. } => "timed-NodeFailed".into(),
        Event::HookDone { hook, .. } | Event::HookFailed { hook, .. } => {
            format!("{}-{}", event.name(), if *hook == Hook::Finally { "finally" } else { "on_failure" })
        }
        _ => event.name().into(),
    }
}

/// The phase, as far as one can tell it from outside.
fn phase(plan: &Plan, state: &State) -> &'static str {
    let mut outstanding = Changes::default();
    state.outstanding(plan, &mut outstanding);
    let hook = outstanding.queue.iter().find_map(|(task, _)| match task {
        Task::Hook { hook: Hook::OnFailure, .. } => Some("on_failure"),
        Task::Hook { hook: Hook::Finally, .. } => Some("finally"),
        _ => None,
    });
    match state.status() {
        _ if state.is_empty() => "new",
        _ if state.settle().is_some() => "settled",
        status if status.is_final() => "ended",
        RunStatus::Stopping => hook.unwrap_or("stopping"),
        _ => hook.unwrap_or("going"),
    }
}

/// The table column of a node; none of one that is not there.
fn standing(plan: &Plan, state: &State, node: NodeIx) -> &'static str {
    let river = plan.node(node).is_some_and(|node| node.is_river());
    match state.node_status(node) {
        None => "unknown",
        Some(NodeStatus::Running) if river => "river",
        Some(NodeStatus::Running) => "task",
        Some(NodeStatus::Retrying) if river => "river-again",
        Some(NodeStatus::Retrying) => "task-again",
        Some(NodeStatus::Polling) => "poll",
        Some(NodeStatus::Rescuing) => "rescue",
        Some(status) => status.as_str(),
    }
}

/// A table as (row, column) → cell.
fn cells(table: &'static str) -> BTreeMap<(&'static str, &'static str), &'static str> {
    let mut lines = table.lines().filter(|line| !line.trim().is_empty());
    let columns: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    let row = |line: &'static str| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let cells: Vec<_> =
            columns.iter().copied().zip(words).map(move |(column, cell)| ((name, column), cell)).collect();
        assert_eq!(cells.len(), columns.len(), "{name}");
        cells
    };
    lines.flat_map(row).collect()
}

/// The pairs that the tables allow.
fn legal() -> BTreeSet<Pair> {
    let mut legal = BTreeSet::new();
    for ((event, node), cell) in cells(OF_A_NODE) {
        let phases = [("going", "gt"), ("stopping", "stp")];
        for (phase, _) in phases.into_iter().filter(|(_, letters)| cell.contains(|c| letters.contains(c))) {
            legal.insert((event.to_owned(), node.to_owned(), phase));
        }
    }
    for ((event, phase), _) in cells(OF_THE_RUN).into_iter().filter(|(_, cell)| *cell != ".") {
        legal.insert((event.to_owned(), phase.to_owned(), phase));
    }
    legal
}

/// Whether the tables allow `event` here, conditions on the plan included.
fn allowed(place: &Place, event: &Event, legal: &BTreeSet<Pair>) -> bool {
    let condition = match event {
        Event::NodeFailed { node, call: Call { number: 0, .. }, .. } => {
            place.plan.node(*node).is_some_and(|node| node.timeout.is_some())
        }
        Event::NodeDropped { node } => place.plan.node(*node).is_some_and(|node| !node.atomic),
        Event::RunTimedOut => place.plan.spec().timeout.is_some(),
        _ => true,
    };
    condition && legal.contains(&pair(&place.plan, &place.state, event))
}

#[test]
fn every_legal_transition_is_taken_and_no_other() {
    let (_, taken) = travel();
    let legal = legal();
    let never: Vec<_> = legal.difference(&taken).collect();
    assert!(never.is_empty(), "legal, but no tour takes it: {never:#?}");
    let too_much: Vec<_> = taken.difference(&legal).collect();
    assert!(too_much.is_empty(), "taken, but not in the tables: {too_much:#?}");
}

#[test]
fn every_state_accepts_the_legal_events_and_refuses_all_others_by_name() {
    let (places, _) = travel();
    let legal = legal();
    for place in &places {
        let after_the_last = place.plan.len();
        let nodes = (0..=after_the_last).map(|at| NodeIx(u32::try_from(at).unwrap()));
        let events = nodes.flat_map(|node| events_of(place, node)).chain(events_of_the_run(place));
        events.for_each(|event| try_it(place, &event, allowed(place, &event, &legal)));
    }
}

fn try_it(place: &Place, event: &Event, allowed: bool) {
    let (mut state, mut changes) = (place.state.clone(), Changes::default());
    let at = Timestamp::ZERO.plus(Duration::from_secs(100));
    let outcome = state.evolve(&place.plan, event, at, &mut changes);
    let what = || format!("{} in {:?}", event_text(&place.plan, event), pair(&place.plan, &place.state, event));
    match outcome {
        Ok(()) => assert!(allowed, "accepted, but not in the tables: {}", what()),
        Err(illegal) => {
            assert!(!allowed, "in the tables, but {illegal}: {}", what());
            assert_eq!((illegal.event, illegal.seq), (event.name(), place.state.len()));
            assert!(illegal.state.starts_with("the run is "), "{illegal}");
            let names_node = event.node().is_none_or(|node| illegal.state.contains(&format!("and node {} is", node.0)));
            assert!(names_node, "{illegal}");
            assert_eq!((state, changes), (place.state.clone(), Changes::default()), "an illegal event left traces");
        }
    }
}

fn call(number: u32) -> Call {
    Call { number, took: Micros(1), writes: vec![("k".into(), None)] }
}

fn failure() -> Failure {
    Failure::new(FailureKind::Error, "boom")
}

/// Every event about a node, with the number that its present task has, so that only its kind decides.
fn events_of(place: &Place, node: NodeIx) -> Vec<Event> {
    let number = |task: &Task| match *task {
        Task::Attempt { node: of, attempt: number } | Task::Poll { node: of, tick: number } if of == node => {
            Some(number)
        }
        _ => None,
    };
    let mut outstanding = Changes::default();
    place.state.outstanding(&place.plan, &mut outstanding);
    let call = call(outstanding.queue.iter().find_map(|(task, _)| number(task)).unwrap_or(1));
    let (failure, later) = (failure(), Timestamp::from_millis(u64::MAX));
    vec![
        Event::NodeSucceeded { node, output: Payload::null(), call: call.clone() },
        Event::AttemptFailed { node, failure: failure.clone(), retry_at: later, call: call.clone() },
        Event::NodeFailed { node, failure: failure.clone(), call: call.clone() },
        Event::NodeFailed { node, failure: failure.clone(), call: Call::default() },
        Event::RescueFailed { node, failure, call: call.clone() },
        Event::Submitted { node, next_at: later, call: call.clone() },
        Event::Polled { node, cause: "x".into(), next_at: later, call },
        Event::NodeDropped { node },
    ]
}

fn events_of_the_run(place: &Place) -> Vec<Event> {
    let mut outstanding = Changes::default();
    place.state.outstanding(&place.plan, &mut outstanding);
    let number =
        |(task, _): &(Task, Timestamp)| if let Task::Hook { attempt, .. } = task { Some(*attempt) } else { None };
    let call = call(outstanding.queue.iter().find_map(number).unwrap_or(1));
    let hooks = [Hook::OnFailure, Hook::Finally].into_iter().flat_map(|hook| {
        let failed = |retry_at| Event::HookFailed { hook, failure: failure(), retry_at, call: call.clone() };
        [Event::HookDone { hook, call: call.clone() }, failed(None), failed(Some(Timestamp::ZERO))]
    });
    let started = RunStarted {
        flow: place.plan.flow().clone(),
        plan: place.plan.hash(),
        seed: 1,
        input: Payload::null(),
        context: Vec::new(),
        info: vastflow_core::RunInfo::default(),
        origin: None,
    };
    let cancel = Event::CancelRequested { by: "a".into(), why: "b".into() };
    let ended = place.state.settle().unwrap_or(Event::RunEnded { outcome: RunOutcome::Succeeded });
    [Event::RunStarted(started.into()), cancel, Event::RunTimedOut, ended].into_iter().chain(hooks).collect()
}

#[test]
fn the_tables_name_every_event_that_there_is() {
    let rows: BTreeSet<_> =
        cells(OF_A_NODE).into_keys().chain(cells(OF_THE_RUN).into_keys()).map(|(row, _)| row).collect();
    let known: BTreeSet<_> = crate::codec::samples().iter().map(|event| event.name()).collect();
    let named: BTreeSet<_> =
        rows.iter().map(|row| row.trim_start_matches("timed-").split('-').next().unwrap()).collect();
    assert!(named.is_subset(&known));
}

#[test]
fn the_number_of_an_attempt_a_poll_or_a_hook_must_be_the_one_that_is_due() {
    let refused = |plan: &str, script: &str, event: Event| {
        let mut run = dsl::check(plan, script);
        let illegal = run.state.evolve(&run.plan, &event, Timestamp::ZERO, &mut ()).unwrap_err();
        assert_eq!(illegal.event, event.name());
    };
    let node = NodeIx(0);
    let done = |number| Event::NodeSucceeded { node, output: Payload::null(), call: call(number) };
    refused("a", "start", done(0));
    refused("a", "start", done(2));
    refused("a retry 1", "start\na failed x", done(1));
    let polled = Event::Polled { node, cause: "x".into(), next_at: Timestamp::ZERO, call: call(2) };
    refused("r river 3@1s", "start\nr submitted", polled);
    refused("a; finally", "start\na done", Event::HookDone { hook: Hook::Finally, call: call(2) });
}

#[test]
fn a_run_ends_only_as_it_was_going_to_end() {
    let mut run = dsl::check("a", "start");
    let output = Event::NodeSucceeded { node: NodeIx(0), output: Payload::null(), call: call(1) };
    run.state.evolve(&run.plan, &output, Timestamp::ZERO, &mut ()).unwrap();
    let other = Event::RunEnded { outcome: RunOutcome::Stopped { by: "a".into(), why: "b".into() } };
    assert!(run.state.evolve(&run.plan, &other, Timestamp::ZERO, &mut ()).is_err());
    assert_eq!(run.state.settle(), Some(Event::RunEnded { outcome: RunOutcome::Succeeded }));
}
