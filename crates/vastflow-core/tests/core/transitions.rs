//! The state machine as a table: which event may follow in which state. Every state that a run can be in is tried with
//! every event; what the table allows is accepted and the rest refused, and every allowed pair is really taken by one
//! of the [`TOURS`].

use crate::dsl::{self, Run, event_text};
use crate::property::Choices;
use crate::whole::each_run;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use vastflow_core::event::{Call, Choice, Micros, ScopeEnd};
use vastflow_core::plan::NodeKind;
use vastflow_core::run::{Changes, NodeStatus, Peer, Word};
use vastflow_core::{
    Event, Failure, FailureKind, Hook, NodeIx, Payload, Plan, RunOutcome, RunStarted, RunStatus, State, Task, Timestamp,
};

/// Events about a node, by where the node stands: `g` while the run is going, `s` while it is stopping, `u` while it
/// takes back what was done. A row with a condition is legal only if that holds, see [`allowed`]. In all other phases,
/// and of a node that the plan does not have, there is no legal event.
const OF_A_NODE: &str = "
                    waiting task task-again river river-again poll rescue chooser reader sleeping open reads folds listening parked succeeded failed skipped dropped undone
    NodeSucceeded      .     gs     gs       gs       gs       gs    gs      .      .       .      .    .     .       .       .       .        .      .       .      .
    AttemptFailed      .     gs     gs       gs       gs       .     .       gs     gs      .      .    gs    .       .       .       .        .      .       .      .
    NodeFailed         .     gs     gs       gs       gs       gs    .       gs     gs      .      .    gs    gs      .       .       .        .      .       .      .
    timed-NodeFailed   .     gs     gs       gs       gs       gs    .       gs     gs      gs     gs   gs    gs      g       .       .        .      .       .      .
    RescueFailed       .     .      .        .        .        .     gs      .      .       .      .    .     .       .       .       .        .      .       .      .
    Submitted          .     .      .        gs       gs       .     .       .      .       .      .    .     .       .       .       .        .      .       .      .
    Polled             .     .      .        .        .        gs    .       .      .       .      .    .     .       .       .       .        .      .       .      .
    NodeDropped        .     gs     gs       gs       gs       gs    gs      gs     gs      .      .    .     .       .       .       .        .      .       .      .
    BranchChosen       .     .      .        .        .        .     .       gs     .       .      .    .     .       .       .       .        .      .       .      .
    ItemsAdded         .     .      .        .        .        .     .       .      gs      .      .    gs    .       .       .       .        .      .       .      .
    Reduced            .     .      .        .        .        .     .       .      .       .      .    .     gs      .       .       .        .      .       .      .
    ReduceFailed       .     .      .        .        .        .     .       .      .       .      .    .     gs      .       .       .        .      .       .      .
    Woke               .     .      .        .        .        .     .       .      .       gs     .    .     .       .       .       .        .      .       .      .
    NodeParked         .     g      g        g        g        g     .       g      g       .      .    .     .       .       .       .        .      .       .      .
    Resolved           .     .      .        .        .        .     .       .      .       .      .    .     .       .       g       u        u      u       u      .
    Undone             .     .      .        .        .        .     .       .      .       .      .    .     .       .       .       u        u      u       u      .
    UndoFailed         .     .      .        .        .        .     .       .      .       .      .    .     .       .       .       u        u      u       u      .
";

/// Events about a scope inside, by where that scope stands, with the same letters.
const OF_A_SCOPE: &str = "
                    none  runs  runs-parked  undoes  undoes-parked  over
    ChildEnded        .    gs       gs         .          .          .
    ChildUndone       .    .        .          gsu        gsu        .
    waits-ChildParked .    gs       .          gsu        .          .
    ChildParked       .    .        gs         .          gsu        .
    waits-ChildListens .   g        g          .          .          .
    ChildListens      .    g        g          .          .          .
";

/// Events about the run, by its phase: `x` legal, maybe with a condition.
const OF_THE_RUN: &str = "
                          new  queued  going  stopping  undoing  on_failure  finally  clashing  taking  settled  ended
    RunStarted             x     .       .       .         .         .          .        .        .        .       .
    Admitted               .     x       .       .         .         .          .        .        .        .       .
    SignalReceived         .     x       x       .         .         .          .        .        .        .       .
    SignalPassed           .     .       x       .         .         .          .        .        .        .       .
    Paused                 .     x       x       .         .         .          .        .        .        .       .
    Resumed                .     x       x       .         x         .          x        .        .        .       .
    CancelRequested        .     x       x       .         .         .          .        .        .        .       .
    Killed                 .     x       x       x         x         x          x        .        .        .       .
    RunTimedOut            .     x       x       .         .         .          .        .        .        .       .
    GraceOver              .     .       x       .         .         .          .        .        .        .       .
    HookDone-on_failure    .     .       .       .         .         x          .        .        .        .       .
    HookFailed-on_failure  .     .       .       .         .         x          .        .        .        .       .
    HookDone-finally       .     .       .       .         .         .          x        .        .        .       .
    HookFailed-finally     .     .       .       .         .         .          x        .        .        .       .
    UndoRequested          .     .       .       .         .         .          .        .        .        .       x
    WordsIgnored           x     x       x       x         x         x          x        .        .        .       x
    Said                   x     x       x       x         x         x          x        .        .        .       x
    Clashed                .     .       .       .         .         .          .        x        .        .       .
    ChildEnded             .     .       .       .         .         .          .        .        x        .       .
    RunEnded               .     .       .       .         .         .          .        .        .        x       .";

/// Plans with scripts that together take every legal pair.
const TOURS: &[(&str, &str)] = &[
    // In line.
    ("a", "enqueue\nsignal s go\npause by x because y\nresume by x because y\nadmit\na done"),
    ("a", "enqueue\ncancel by x because y"),
    ("a", "enqueue\nkill by x because y"),
    ("flow timeout 5s; a", "enqueue\n@5s timer run.deadline"),
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
    // Branches and foreaches, read and folded, in a going run …
    (
        "b retry 1 branch { l { x } r { y } }; f retry 1 foreach 1 reduce { x }",
        "start\nb failed x\nb chosen l r\nb[l] waits\nb[l] goes_on\nb[l] waits\nb[l] ended 1\nb[r] ended 2\nf failed x\n\
         f items i then p\nf failed x\nf items\nf[0] ended 1\nf.reduce failed x\nf.reduce reduced 1 A",
    ),
    ("b branch { l { x } }", "start\nb failed x"),
    ("f foreach 1 { x }", "start\nf failed x"),
    ("f foreach 1 { x }", "start\nf items i then p\nf failed x\nf[0] ended 1"),
    ("f foreach 1 reduce { x }", "start\nf items\nf.reduce failed x"),
    ("b timeout 1s branch { l { x } }", "start\n@1s timer b.deadline"),
    (
        "b timeout 1s branch { l { x } }",
        "start\nb chosen l\n@1s timer b.deadline\nb[l] waits\nb[l] goes_on\nb[l] ended 1",
    ),
    ("f timeout 1s foreach 1 { x }", "start\n@1s timer f.deadline"),
    ("f timeout 1s foreach 1 { x }", "start\nf items then p\n@1s timer f.deadline"),
    ("f timeout 1s foreach 1 reduce { x }", "start\nf items\n@1s timer f.deadline"),
    ("s timeout 1s sleep 5s", "start\n@1s timer s.deadline"),
    ("s sleep 1s; g signal go", "start\n@1s timer s.wake\nsignal 1 go x"),
    ("g timeout 1s signal go", "start\n@1s timer g.deadline"),
    // … and, atomic ones, in one that stops.
    (
        "stop; b atomic retry 1 branch { l { x } }; f atomic retry 2 foreach 1 reduce { x }; s atomic sleep 1s",
        "start\nstop failed x\nb failed x\nb chosen l\nb[l] waits\nb[l] ended 1\nf failed x\nf items then p\nf failed x\n\
         f items\nf.reduce failed x\nf.reduce reduced 0 A\n@1s timer s.wake",
    ),
    (
        "stop; b atomic branch { l { x } }; f atomic foreach 1 { x }; e atomic foreach 1 { x }; r atomic foreach 1 reduce { x }",
        "start\ne items i then p\nr items\nstop failed x\nb failed x\nf failed x\ne failed x\nr.reduce failed x\ne[0] ended 1",
    ),
    (
        "stop; b timeout 1s atomic branch { l { x } }; c timeout 1s atomic branch { l { x } }; f timeout 1s atomic foreach 1 { x }; \
         e timeout 1s atomic foreach 1 { x }; r timeout 1s atomic foreach 1 reduce { x }; s timeout 1s atomic sleep 5s",
        "start\nc chosen l\ne items then p\nr items\nstop failed x\n@1s timer b.deadline\ntimer c.deadline\ntimer f.deadline\n\
         timer e.deadline\ntimer r.deadline\ntimer s.deadline\nc[l] ended 1",
    ),
    ("stop; b branch { l { x } }; f foreach 1 { x }", "start\nstop failed x\nnot_started b\nnot_started f"),
    // What nobody needs is dropped from each stage.
    (
        "w; a; b retry 1; r river 1@0; q river 2@0 retry 1; p river 2@0; c branch { l { x } }; f foreach 1 { x }; s rescue; \
         j < w, a, b, r, q, p, c, f, s join any",
        "start\nb failed x\nq retry x\np submitted\ns failed x\nw done\nnot_started a\nnot_started b\nnot_started r\n\
         not_started q\nnot_started p\nnot_started c\nnot_started f\nnot_started s\nj done",
    ),
    // Operators, from each stage, and what is taken back of nodes that ended in each way.
    (
        "a pause; b pause retry 1; r river 1@0 pause; q river 1@0 retry 1 pause; p river 1@0 pause; c pause branch { l { x } }; \
         f pause foreach 1 { x }",
        "start\na failed x\nresolve a skip\nb failed x\nb failed x\nresolve b done y\nr failed x\nresolve r skip\nq retry x\n\
         q failed x\nresolve q skip\np submitted\np failed x\nresolve p skip\nc failed x\nresolve c skip\nf failed x\nresolve f skip",
    ),
    (
        "a undo 1; f undo 1; d river 1@9s undo 1",
        "start\nd submitted\na done\nf timed_out x\nf.undo failed x\nf.undo failed x\nresolve f retry\nf.undo done\n\
         a.undo failed x\na.undo failed x\nresolve a retry\na.undo done\nd.undo failed x\nd.undo failed x\nresolve d retry\nd.undo done",
    ),
    (
        "w; a undo; j < w, a join any; finally",
        "start\nw done\nj done\n@10s timer grace\na.undo failed x\nresolve a retry\na.undo done\nfinally done",
    ),
    ("w; a undo; j < w, a join any; finally", "start\nw done\na done\nj done\nkill\nfinally done"),
    // Scopes are undone: in the end, or because nobody needed them.
    (
        "b basin { x undo }; c basin { y undo }; bad < b, c",
        "start\nb[] ended 1\nc[] ended 2\nbad failed x\nc[] waits\nc[] goes_on\nc[] waits\nc[] undone\nb[] undone",
    ),
    (
        "f foreach 9 needs any { x undo }",
        "start\nf items i j k\nf[0] ended 0\nf[1] waits\nf[1] ended 1\nf[1] waits\nf[1] goes_on\nf[1] waits\nf[1] undone\nf[2] ended 2\nf[2] undone",
    ),
    (
        "f foreach 9 needs any { x undo }; bad; slow",
        "start\nf items i j k\nf[0] ended 0\nf[1] ended 1\nf[2] ended 2\nbad failed x\nf[1] waits\nf[1] goes_on\nf[1] undone\n\
         f[2] waits\nf[2] undone\nslow done\nf[0] undone",
    ),
    ("b basin { x }; bad", "start\nbad failed x\nb[] waits\nb[] goes_on\nb[] waits\nb[] ended 1"),
    ("b basin { x }; c basin { x }", "start\nb[] ended 1 [k=1]\nc[] ended 1 [k=2]"),
    ("b basin { x }", "start\nb[] listens go\nb[] deaf go\nb[] waits\nb[] listens go\nb[] deaf go\nb[] ended 1"),
    // What a run before had.
    ("f foreach 1 { x }", "start keep f[0]:i=1\nf items i"),
    // Control.
    ("a; finally", "start\npause\nresume\npause\na done\nresume\nfinally done"),
    ("w; a undo; j < w, a join any", "start\nw done\na done\npause\nj done\nresume\na.undo done"),
    ("a; b", "start\nkill"),
    ("bad; a", "start\nbad failed x\nkill"),
    ("a undo; bad < a; on_failure; finally", "start\na done\nbad failed x\nkill\nkill\nkill"),
];

/// The same inside of basin `b`.
const TOURS_INSIDE: &[(&str, &str)] = &[
    ("b basin { x undo }", "parent begin i\nx done\nparent undo\nx.undo done"),
    ("b basin { x }", "parent begin i\nparent kill"),
    ("b basin { w signal go }", "parent begin i\nparent signal s1 go x"),
];

/// Where a foreach stands that reads and folds at once; the tours do one after the other.
const BOTH: &str = "reads and folds";

/// A table cell that a run went through: event, where the subject stood, the phase.
type Pair = (String, String, &'static str);

/// One state that a tour came by.
struct Place {
    plan: Plan,
    state: State,
    phase: &'static str,
    /// The scopes that were ever opened inside, and where they stand.
    scopes: BTreeMap<(NodeIx, Box<str>), &'static str>,
}

/// All states of all tours, and the pairs that were taken on the way.
fn travel() -> (Vec<Place>, BTreeSet<Pair>) {
    let (mut places, mut taken) = (Vec::new(), BTreeSet::new());
    let outside = TOURS.iter().map(|(plan, script)| dsl::check(plan, script));
    let inside = TOURS_INSIDE.iter().map(|(plan, script)| dsl::check_inside(plan, "b", "", script));
    for run in outside.chain(inside) {
        let last = run.journal.last().map(|recorded| event_text(&run.plan, &recorded.event));
        assert!(run.state.status().is_final(), "a tour does not end, but with {last:?}");
        walk(&run, |place, event| {
            taken.extend(event.map(|event| pair(&place, event)));
            taken.extend(not_listening(&place));
            places.push(place);
        });
    }
    (places, taken)
}

/// Goes through all states of a run, with the event that followed each.
fn walk(run: &Run, mut see: impl FnMut(Place, Option<&Event>)) {
    let (mut state, mut scopes) = (State::default(), BTreeMap::new());
    for recorded in &run.journal {
        see(Place::new(&run.plan, &state, &scopes), Some(&recorded.event));
        let mut changes = Changes::default();
        state.evolve(&run.plan, &recorded.event, recorded.at, &mut changes).unwrap();
        note_scopes(&mut scopes, &recorded.event, changes);
    }
    see(Place::new(&run.plan, &state, &scopes), None);
}

/// Words that nobody waits for, and what calls say, may come wherever a scope stands, and change nothing.
fn not_listening(place: &Place) -> Vec<Pair> {
    let idle = |event: Event| {
        let (mut state, mut changes) = (place.state.clone(), Changes::default());
        state.evolve(&place.plan, &event, Timestamp::ZERO, &mut changes).ok()?;
        assert_eq!(changes, Changes::default());
        assert_eq!(state.summary(&place.plan), place.state.summary(&place.plan));
        Some(pair(place, &event))
    };
    [Event::WordsIgnored, said()].into_iter().filter_map(idle).collect()
}

/// What a call says.
fn said() -> Event {
    Event::Said { task: Task::Attempt { node: NodeIx(0), attempt: 1 }, said: vastflow_core::Said::default() }
}

impl Place {
    fn new(plan: &Plan, state: &State, scopes: &BTreeMap<(NodeIx, Box<str>), &'static str>) -> Self {
        Place { plan: plan.clone(), state: state.clone(), phase: phase(state), scopes: scopes.clone() }
    }

    fn outstanding(&self) -> Vec<Task> {
        let mut outstanding = Changes::default();
        self.state.outstanding(&self.plan, &mut outstanding);
        outstanding.queue.into_iter().map(|(task, _)| task).collect()
    }

    /// Whether an undo action of the node is due, or waits for an operator.
    fn undoes(&self, node: NodeIx) -> bool {
        let due = self.outstanding().iter().any(|task| matches!(task, Task::Undo { node: of, .. } if *of == node));
        due || self.state.needs_attention() && self.is_last_to_undo(node)
    }

    fn is_last_to_undo(&self, node: NodeIx) -> bool {
        let text = format!("{:?}", self.state);
        let list = text.split("to_undo: [").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or("");
        text.contains("Stuck") && list.trim_end().ends_with(&format!("NodeIx({})", node.0))
    }
}

fn note_scopes(scopes: &mut BTreeMap<(NodeIx, Box<str>), &'static str>, event: &Event, changes: Changes) {
    match event {
        Event::ChildEnded { node, key, .. } | Event::ChildUndone { node, key } => {
            scopes.insert((*node, key.clone()), "over");
        }
        Event::ChildParked { node, key, waits } => {
            let standing = scopes.get_mut(&(*node, key.clone())).unwrap();
            *standing = match (standing.trim_end_matches("-parked"), waits) {
                ("runs", true) => "runs-parked",
                ("runs", false) => "runs",
                (_, true) => "undoes-parked",
                (_, false) => "undoes",
            };
        }
        _ => {}
    }
    // Nobody hears any more of scopes that were killed with the run, whatever else they were told.
    let is_kill = matches!(event, Event::Killed { .. });
    let is_killed = |to: &Peer| changes.words.iter().any(|(of, word)| of == to && matches!(word, Word::Kill { .. }));
    if is_kill {
        scopes.values_mut().for_each(|standing| *standing = "over");
    }
    for (to, word) in changes.words.iter().filter(|(to, _)| !is_kill || !is_killed(to)) {
        let Peer::Child { node, key } = to else { continue };
        match word {
            Word::Begin(_) => scopes.insert((*node, key.clone()), "runs"),
            Word::Undo => scopes.insert((*node, key.clone()), "undoes"),
            _ => None,
        };
    }
}

fn pair(place: &Place, event: &Event) -> Pair {
    let at = match event {
        Event::ChildEnded { .. } if place.phase == "taking" => place.phase.to_owned(),
        Event::ChildEnded { node, key, .. }
        | Event::ChildUndone { node, key }
        | Event::ChildParked { node, key, .. }
        | Event::ChildListens { node, key, .. } => {
            place.scopes.get(&(*node, key.clone())).copied().unwrap_or("none").to_owned()
        }
        Event::Clashed { .. } => place.phase.to_owned(),
        _ => event.node().map_or_else(|| place.phase.to_owned(), |node| standing(place, node).to_owned()),
    };
    (row(event), at, place.phase)
}

/// The table row of an event.
fn row(event: &Event) -> String {
    match event {
        Event::NodeFailed { call: Call { number: 0, .. }, .. } => "timed-NodeFailed".into(),
        Event::ChildParked { waits: true, .. } => "waits-ChildParked".into(),
        Event::ChildListens { waits: true, .. } => "waits-ChildListens".into(),
        Event::HookDone { hook, .. } | Event::HookFailed { hook, .. } => {
            format!("{}-{}", event.name(), if *hook == Hook::Finally { "finally" } else { "on_failure" })
        }
        _ => event.name().into(),
    }
}

/// The phase, as the state itself names it.
fn phase(state: &State) -> &'static str {
    let text = format!("{state:?}");
    let named = text.split("phase: ").nth(1).unwrap();
    match state.settle() {
        Some(Event::Clashed { .. }) => "clashing",
        Some(Event::ChildEnded { .. }) => "taking",
        Some(_) => "settled",
        None if named.starts_with("Hook { hook: OnFailure") => "on_failure",
        None => match named.split([' ', ',']).next().unwrap() {
            "New" => "new",
            "Queued" => "queued",
            "Going" => "going",
            "Stopping" => "stopping",
            "Undoing" => "undoing",
            "Hook" => "finally",
            "Ended" => "ended",
            other => panic!("a new phase, {other}"),
        },
    }
}

/// The table column of a node; none of one that is not there.
fn standing(place: &Place, node: NodeIx) -> &'static str {
    let river = place.plan.node(node).is_some_and(|node| node.is_river());
    let kind = place.plan.node(node).map(|node| &node.kind);
    let tasks = place.outstanding();
    let reads = tasks.iter().any(|task| matches!(task, Task::Attempt { node: of, .. } if *of == node));
    let folds = tasks.iter().any(|task| matches!(task, Task::Reduce { node: of, .. } if *of == node));
    match (place.state.node_status(node), kind) {
        (None, _) => "unknown",
        (Some(NodeStatus::Running | NodeStatus::Retrying), Some(NodeKind::Branch(_))) => "chooser",
        (Some(NodeStatus::Running | NodeStatus::Retrying), Some(NodeKind::ForEach(_))) => "reader",
        (Some(NodeStatus::Running), _) if river => "river",
        (Some(NodeStatus::Running), _) => "task",
        (Some(NodeStatus::Retrying), _) if river => "river-again",
        (Some(NodeStatus::Retrying), _) => "task-again",
        (Some(NodeStatus::Polling), _) => "poll",
        (Some(NodeStatus::Rescuing), _) => "rescue",
        (Some(NodeStatus::Open), _) if reads && folds => BOTH,
        (Some(NodeStatus::Open), _) if reads => "reads",
        (Some(NodeStatus::Open), _) if folds => "folds",
        (Some(status), _) => status.as_str(),
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
    for ((event, at), cell) in cells(OF_A_NODE).into_iter().chain(cells(OF_A_SCOPE)) {
        let phases = [("going", 'g'), ("stopping", 's'), ("undoing", 'u')];
        for (phase, _) in phases.into_iter().filter(|(_, letter)| cell.contains(*letter)) {
            legal.insert((event.to_owned(), at.to_owned(), phase));
        }
    }
    for ((event, phase), _) in cells(OF_THE_RUN).into_iter().filter(|(_, cell)| *cell != ".") {
        legal.insert((event.to_owned(), phase.to_owned(), phase));
    }
    legal
}

/// Whether the tables allow `event` here, conditions on the plan and on what was asked for before included.
fn allowed(place: &Place, event: &Event, legal: &BTreeSet<Pair>) -> bool {
    let (plan, state) = (&place.plan, &place.state);
    let unwanted = |node| {
        let mut tasks = place.outstanding().into_iter();
        tasks.any(|task| task.node() == Some(node) && !task.is_timer() && !state.may_start(plan, task))
    };
    let condition = match event {
        Event::NodeFailed { node, call: Call { number: 0, .. }, .. } => {
            place.outstanding().contains(&Task::NodeDeadline { node: *node })
        }
        Event::NodeDropped { node } => unwanted(*node),
        Event::NodeParked { node, .. } => !unwanted(*node),
        Event::Undone { node, .. } | Event::UndoFailed { node, .. } => {
            place.outstanding().iter().any(|task| matches!(task, Task::Undo { node: of, .. } if of == node))
        }
        Event::Resolved { node, .. } => {
            state.parked_for(*node).is_some() || place.undoes(*node) && state.needs_attention()
        }
        Event::RunTimedOut => place.outstanding().contains(&Task::RunDeadline),
        Event::GraceOver => place.outstanding().contains(&Task::Grace),
        Event::Paused { .. } => !state.is_paused(),
        Event::Resumed { .. } => state.is_paused(),
        Event::ChildEnded { .. } if place.phase == "taking" => state.settle().as_ref() == Some(event),
        Event::ChildListens { node, key, name, waits, .. } => {
            let known = format!("Scope {{ node: {node:?}, key: {key:?}, name: {name:?} }}");
            state.node_status(*node) == Some(NodeStatus::Open) && format!("{state:?}").contains(&known) != *waits
        }
        Event::SignalPassed { .. } => plan.is_body(),
        Event::UndoRequested => plan.is_body() && state.status() == RunStatus::Succeeded,
        _ => true,
    };
    condition && legal.contains(&pair(place, event))
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
fn random_runs_take_legal_transitions_only_and_most_of_them() {
    let (legal, mut taken) = (legal(), BTreeSet::new());
    for seed in 0..120 {
        each_run(&mut Choices::endless(seed), |run| {
            walk(run, |place, event| taken.extend(event.map(|event| pair(&place, event))));
        });
    }
    let is_legal = |(event, at, phase): &Pair| {
        let as_one = |at: &str| legal.contains(&(event.clone(), at.to_owned(), *phase));
        as_one(at) || at == BOTH && (as_one("reads") || as_one("folds"))
    };
    let too_much: Vec<_> = taken.iter().filter(|pair| !is_legal(pair)).collect();
    assert!(too_much.is_empty(), "taken, but not in the tables: {too_much:#?}");
    let (taken, all) = (taken.intersection(&legal).count(), legal.len());
    assert!(taken * 2 > all, "only {taken} of {all} legal transitions are taken");
}

#[test]
fn every_state_accepts_the_legal_events_and_refuses_all_others_by_name() {
    let (places, _) = travel();
    let legal = legal();
    for place in &places {
        let after_the_last = place.plan.len();
        let nodes = (0..=after_the_last).map(|at| NodeIx(u32::try_from(at).unwrap()));
        let events = nodes.flat_map(|node| events_of(place, node)).chain(events_of_the_run(place));
        let events = events.chain(events_of_scopes(place));
        events.for_each(|event| try_it(place, &event, allowed(place, &event, &legal)));
    }
}

fn try_it(place: &Place, event: &Event, allowed: bool) {
    let (mut state, mut changes) = (place.state.clone(), Changes::default());
    let at = Timestamp::ZERO.plus(Duration::from_secs(100));
    let outcome = state.evolve(&place.plan, event, at, &mut changes);
    let what = || format!("{} in {:?}", event_text(&place.plan, event), pair(place, event));
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
    let tasks = place.outstanding();
    let of = |wanted: fn(Task) -> Option<u32>| {
        call(tasks.iter().filter(|task| task.node() == Some(node)).find_map(|task| wanted(*task)).unwrap_or(1))
    };
    let call = of(|task| match task {
        Task::Attempt { attempt: number, .. } | Task::Poll { tick: number, .. } => Some(number),
        _ => None,
    });
    let fold = of(|task| if let Task::Reduce { attempt, .. } = task { Some(attempt) } else { None });
    let undo = of(|task| if let Task::Undo { attempt, .. } = task { Some(attempt) } else { None });
    let folds = tasks.iter().any(|task| matches!(task, Task::Reduce { node: of, .. } if *of == node));
    let (failure, later) = (failure(), Timestamp::from_millis(u64::MAX));
    let (by, why) = ("ops".into(), "why".into());
    let failed_call = if folds { fold.clone() } else { call.clone() };
    let ready = place.state.to_reduce(&place.plan, node).map_or(0, |(_, items)| items.len());
    let count = u32::try_from(ready).unwrap();
    vec![
        Event::NodeSucceeded { node, output: Payload::null(), call: call.clone() },
        Event::AttemptFailed { node, failure: failure.clone(), retry_at: later, call: call.clone() },
        Event::NodeFailed { node, failure: failure.clone(), call: failed_call },
        Event::NodeFailed { node, failure: failure.clone(), call: Call::default() },
        Event::RescueFailed { node, failure: failure.clone(), call: call.clone() },
        Event::Submitted { node, next_at: later, call: call.clone() },
        Event::Polled { node, cause: "x".into(), next_at: later, call: call.clone() },
        Event::NodeDropped { node },
        Event::BranchChosen { node, keys: Vec::new(), input: None, call: call.clone() },
        Event::ItemsAdded { node, items: Vec::new(), cursor: None, call: call.clone() },
        Event::Reduced { node, count, acc: Payload::null(), call: fold.clone() },
        Event::ReduceFailed { node, failure: failure.clone(), retry_at: later, call: fold },
        Event::Woke { node },
        Event::NodeParked { node, failure: failure.clone(), call },
        Event::Resolved { node, choice: Choice::Skip, by, why },
        Event::Undone { node, call: undo.clone() },
        Event::UndoFailed { node, failure, retry_at: None, call: undo },
    ]
}

/// Every event about each scope inside, and about one that never was.
fn events_of_scopes(place: &Place) -> Vec<Event> {
    let scopes = place.scopes.keys().cloned().chain([(NodeIx(0), "never".into())]);
    let of = |(node, key): (NodeIx, Box<str>)| {
        let end = ScopeEnd { result: Ok(Payload::null()), writes: Vec::new() };
        [
            Event::ChildEnded { node, key: key.clone(), end },
            Event::ChildUndone { node, key: key.clone() },
            Event::ChildParked { node, key: key.clone(), waits: true },
            Event::ChildParked { node, key: key.clone(), waits: false },
            Event::ChildListens { node, key: key.clone(), name: dsl::name("go"), waits: true, turn: u32::MAX },
            Event::ChildListens { node, key, name: dsl::name("go"), waits: false, turn: u32::MAX },
        ]
    };
    scopes.flat_map(of).collect()
}

fn events_of_the_run(place: &Place) -> Vec<Event> {
    let number = |task: &Task| if let Task::Hook { attempt, .. } = task { Some(*attempt) } else { None };
    let call = call(place.outstanding().iter().find_map(number).unwrap_or(1));
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
        info: vastflow_core::Travels::default(),
        origin: None,
        queued: false,
    };
    let (by, why) = (|| "a".into(), || "b".into());
    let others = [
        Event::RunStarted(started.into()),
        Event::CancelRequested { by: by(), why: why() },
        Event::Paused { by: by(), why: why() },
        Event::Resumed { by: by(), why: why() },
        Event::Killed { by: by(), why: why() },
        Event::SignalReceived { id: "new".into(), name: dsl::name("new"), payload: Payload::null() },
        Event::SignalPassed { id: "new".into(), name: dsl::name("new"), payload: Payload::null() },
        Event::RunTimedOut,
        Event::GraceOver,
        Event::UndoRequested,
        Event::WordsIgnored,
        said(),
        Event::Admitted,
    ];
    let fact = place.state.settle();
    let ended = Event::RunEnded { outcome: RunOutcome::Succeeded };
    let clashed = Event::Clashed { node: NodeIx(0), keys: vec!["k".into()] };
    let facts = match fact {
        Some(fact @ Event::Clashed { .. }) => [fact, ended],
        Some(fact) => [fact, clashed],
        None => [ended, clashed],
    };
    others.into_iter().chain(hooks).chain(facts).collect()
}

#[test]
fn the_tables_name_every_event_that_there_is() {
    let rows: BTreeSet<_> = [OF_A_NODE, OF_A_SCOPE, OF_THE_RUN]
        .into_iter()
        .flat_map(|table| cells(table).into_keys())
        .map(|(row, _)| row)
        .collect();
    let known: BTreeSet<_> = crate::codec::samples().iter().map(|event| event.name()).collect();
    let named: BTreeSet<_> = rows
        .iter()
        .map(|row| row.trim_start_matches("timed-").trim_start_matches("waits-").split('-').next().unwrap())
        .collect();
    assert_eq!(named, known);
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
