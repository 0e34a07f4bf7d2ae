//! Scripts: lines of inputs, and what must come of each.

use super::Run;
use super::plan::{name, node_names, time};
use super::print::{changes_text, due_text, event_text, payload_text, rejection_text, task_text};
use core::fmt::Write as _;
use core::time::Duration;
use vastflow_core::context::Writes;
use vastflow_core::event::{Choice, Item, KeptScope, Origin, ScopeEnd};
use vastflow_core::plan::NodeKind;
use vastflow_core::run::{Begin, Peer, Start, TaskOutcome, Word};
use vastflow_core::{
    Codec, Failure, FailureKind, Hook, Input, NodeIx, Payload, Plan, Reply, RunFailure, RunId, State, Task, Timestamp,
};

/// Plays `script`; gives it as it should be, and with what really happened in the place of what was expected.
pub(super) fn play(run: &mut Run, script: &str) -> (String, String) {
    let (mut expected, mut actual) = (String::new(), String::new());
    let lines: Vec<&str> = script.lines().filter(|line| !line.trim().is_empty()).collect();
    let margin = lines.iter().map(|line| indent(line)).min().unwrap_or(0);
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        let mut wanted = Vec::new();
        while let Some(line) = lines.next_if(|line| indent(line) > margin) {
            wanted.push(line.trim());
        }
        let happened = act(run, line.trim());
        let rejected = happened.first().is_some_and(|line| line.starts_with("rejected"));
        writeln!(expected, "{}", line.trim()).unwrap();
        writeln!(actual, "{}", line.trim()).unwrap();
        wanted.iter().for_each(|line| writeln!(expected, "  {line}").unwrap());
        if !wanted.is_empty() || rejected {
            happened.iter().for_each(|line| writeln!(actual, "  {line}").unwrap());
        }
    }
    (expected, actual)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// One line of a script: a question or an input, maybe after some time.
fn act(run: &mut Run, line: &str) -> Vec<String> {
    if let Some(question) = line.strip_prefix("? ") {
        return vec![answer(run, question)];
    }
    let line = match line.strip_prefix('@') {
        Some(rest) => {
            let (when, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            run.now = Timestamp::ZERO.plus(time(when));
            rest.trim()
        }
        None => line,
    };
    let input = input(run, line);
    match run.step(input) {
        Err(why) => vec![rejection_text(&run.plan, &why)],
        Ok((events, changes)) => {
            let events: Vec<_> = events.iter().map(|event| event_text(&run.plan, event)).collect();
            [events.join("; ")].into_iter().chain(changes_text(&run.plan, &changes)).collect()
        }
    }
}

fn answer(run: &Run, question: &str) -> String {
    let state = &run.state;
    let (what, of) = question.split_once(' ').unwrap_or((question, ""));
    let list = |items: Vec<String>| if items.is_empty() { "nothing".into() } else { items.join(", ") };
    match what {
        "queue" => list(run.queue.iter().map(|(task, due)| due_text(&run.plan, *task, *due)).collect()),
        "status" => state.status().to_string(),
        "outcome" => state.outcome().map_or("none".into(), |outcome| outcome.to_string()),
        "output" => state.output(&run.plan).map_or("none".into(), |output| payload_text(&output)),
        "reduce" => {
            let (acc, items) = state.to_reduce(&run.plan, run.plan.find(of).unwrap()).unwrap();
            let acc = acc.map_or("nothing".into(), |acc| payload_text(&acc));
            let items = items.into_iter().map(|(key, value)| format!("{key}={}", payload_text(value)));
            format!("{acc} and {}", list(items.collect()))
        }
        "undo" => state.to_undo(run.plan.find(of).unwrap()).map_or("unknown".into(), payload_text),
        "cursor" => state.cursor(run.plan.find(of).unwrap()).map_or("none".into(), payload_text),
        "inputs" => list(inputs(&run.plan, state, run.plan.find(of).unwrap())),
        "kept" => format!("{} payloads", payloads_kept(state)),
        "context" => {
            list(state.context().iter().map(|(key, value)| format!("{key}={}", payload_text(value))).collect())
        }
        "nodes" => list(node_names(&run.plan).iter().map(|name| status_text(run, name)).collect()),
        other => panic!("nobody knows an answer to {other:?}"),
    }
}

fn status_text(run: &Run, name: &str) -> String {
    format!("{name} {}", run.state.node_status(run.plan.find(name).unwrap()).unwrap())
}

/// How many node outputs a state holds on to.
pub(crate) fn payloads_kept(state: &State) -> usize {
    format!("{state:?}").matches("output: Some(").count()
}

fn inputs(plan: &Plan, state: &State, node: NodeIx) -> Vec<String> {
    state.inputs(plan, node).iter().map(|(_, value)| payload_text(value)).collect()
}

fn input(run: &Run, line: &str) -> Input {
    let (line, writes) = split_writes(line);
    let (subject, rest) = line.split_once(' ').unwrap_or((line, ""));
    match subject {
        "start" => start(run, rest, writes),
        "timer" => Input::Timer(task(run, rest)),
        "enqueue" => match start(run, rest, writes) {
            Input::Start(start) => Input::Start(Start { queued: true, ..start }),
            other => other,
        },
        "admit" => Input::Admit,
        "not_started" => Input::NotStarted(task(run, rest)),
        "cancel" | "pause" | "resume" | "kill" => control(subject, rest),
        "parent" => Input::Told { from: Peer::Parent, word: word(rest, writes, run.journal.len()) },
        "signal" => {
            let (id, name, payload) = signal(rest);
            Input::Signal { id, name, payload }
        }
        "resolve" => resolve(run, rest),
        "quarantine" => Input::Quarantine { task: task(run, rest), deaths: 3 },
        _ => match subject.strip_suffix(']').and_then(|subject| subject.split_once('[')) {
            Some((node, key)) => {
                let from = Peer::Child { node: run.plan.find(node).unwrap(), key: key.into() };
                Input::Told { from, word: word(rest, writes, run.journal.len()) }
            }
            None => {
                let task = task(run, subject);
                let (took, rest) = split_took(rest);
                Input::Outcome(TaskOutcome { task, reply: reply(run, task, rest), writes, took })
            }
        },
    }
}

/// `cancel by ops because why`, or just `cancel`, which means that.
fn control(what: &str, rest: &str) -> Input {
    let asked = rest.strip_prefix("by ").and_then(|rest| rest.split_once(" because "));
    let (by, why) = asked.map_or(("ops".into(), "why".into()), |(by, why)| (by.into(), why.into()));
    match what {
        "cancel" => Input::Cancel { by, why },
        "pause" => Input::Pause { by, why },
        "resume" => Input::Resume { by, why },
        _ => Input::Kill { by, why },
    }
}

/// `id name x`
fn signal(text: &str) -> (Box<str>, vastflow_core::Name, Payload) {
    let mut words = text.splitn(3, ' ');
    let (id, called) = (words.next().unwrap().into(), name(words.next().unwrap()));
    (id, called, bytes(words.next().unwrap_or("")))
}

/// What another scope says: `begin x [k=v]`, `cancel`, `kill`, `undo`; `ended out [k=v]`, `failed why`, `undone`,
/// `waits`, `goes_on`, `listens name`, `deaf name`; `signal id name x`.
fn word(text: &str, writes: Writes, so_far: usize) -> Word {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (by, why) = ("outside".into(), "why".into());
    let turn = u32::try_from(so_far).unwrap();
    match verb {
        "begin" => Word::Begin(Box::new(Begin { seed: 1, input: bytes(rest), context: writes })),
        "cancel" => Word::Cancel { by, why },
        "kill" => Word::Kill { by, why },
        "undo" => Word::Undo,
        "ended" => Word::Ended(Box::new(ScopeEnd { result: Ok(bytes(rest)), writes })),
        "failed" => {
            let failure = Failure::new(FailureKind::Error, rest);
            Word::Ended(Box::new(ScopeEnd { result: Err(RunFailure { node: None, failure }), writes }))
        }
        "undone" => Word::Undone,
        "waits" => Word::Parked { waits: true, turn: 1 },
        "goes_on" => Word::Parked { waits: false, turn: 2 },
        "listens" => Word::Listens { name: name(rest), waits: true, turn },
        "deaf" => Word::Listens { name: name(rest), waits: false, turn },
        "signal" => {
            let (id, name, payload) = signal(rest);
            Word::Signal { id, name, payload, turn }
        }
        other => panic!("no scope says {other:?}"),
    }
}

/// `resolve a retry`, `resolve a skip`, `resolve a done x`
fn resolve(run: &Run, rest: &str) -> Input {
    let (node, rest) = rest.split_once(' ').unwrap();
    let choice = match rest.split_once(' ').unwrap_or((rest, "")) {
        ("retry", _) => Choice::Retry,
        ("skip", _) => Choice::Skip,
        (_, output) => Choice::MarkDone(bytes(output)),
    };
    Input::Resolve { node: run.plan.find(node).unwrap(), choice, by: "ops".into(), why: "why".into() }
}

/// `start x keep a=1 b=2 f[0]:fed=3 edit c=3 until 5s [k=v]`
fn start(run: &Run, rest: &str, context: Writes) -> Input {
    let mut start = Start { context, ..Start::new(RunId::new("run").unwrap()) };
    let (rest, deadline) = rest.split_once("until ").unwrap_or((rest, ""));
    let (rest, edit) = rest.split_once("edit ").unwrap_or((rest, ""));
    let (value, keep) = rest.split_once("keep ").unwrap_or((rest, ""));
    if !value.trim().is_empty() {
        start.input = bytes(value.trim());
    }
    let result = |text: &str| {
        let (node, value) = text.split_once('=').unwrap();
        (run.plan.find(node).unwrap(), bytes(value))
    };
    if !keep.is_empty() || !edit.is_empty() {
        let (scopes, nodes): (Vec<&str>, Vec<&str>) = keep.split_whitespace().partition(|text| text.contains('['));
        let (kept, input) = (nodes.into_iter().map(result).collect(), edit.split_whitespace().map(result).next());
        let scopes = scopes.into_iter().map(|text| kept_scope(&run.plan, text)).collect();
        let verb = "fork".into();
        let run = RunId::new("before").unwrap();
        start.origin = Some(Box::new(Origin { run, verb, by: "ops".into(), why: "why".into(), kept, input, scopes }));
    }
    start.info.deadline = (!deadline.is_empty()).then(|| Timestamp::ZERO.plus(time(deadline)));
    Input::Start(start)
}

/// `f[key]:fed=output`, having written `of-key`
fn kept_scope(plan: &Plan, text: &str) -> KeptScope {
    let (scope, output) = text.split_once('=').unwrap();
    let (scope, fed) = scope.split_once("]:").unwrap();
    let (node, key) = scope.split_once('[').unwrap();
    let (node, fed) = (plan.find(node).unwrap(), bytes(fed).fingerprint());
    let writes = vec![(format!("of-{key}").into(), Some(bytes(output)))];
    KeptScope { node, key: key.into(), fed, output: bytes(output), writes }
}

/// `… [key=value -key]`
fn split_writes(line: &str) -> (&str, Writes) {
    let Some((line, writes)) = line.strip_suffix(']').and_then(|line| line.rsplit_once('[')) else {
        return (line, Writes::new());
    };
    let one = |word: &str| match word.split_once('=') {
        Some((key, value)) => (key.into(), Some(bytes(value))),
        None => (word.strip_prefix('-').unwrap().into(), None),
    };
    (line.trim(), writes.split_whitespace().map(one).collect())
}

/// `(5ms) …`
fn split_took(line: &str) -> (Duration, &str) {
    match line.strip_prefix('(').and_then(|line| line.split_once(')')) {
        Some((took, rest)) => (time(took), rest.trim()),
        None => (Duration::ZERO, line),
    }
}

fn reply(run: &Run, task: Task, text: &str) -> Reply {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let failed = |kind, retryable| Reply::Failed { failure: Failure::new(kind, rest), retryable };
    match verb {
        "done" if rest.is_empty() => Reply::Done(result(&run.plan, &run.state, task)),
        "done" => Reply::Done(bytes(rest)),
        "submitted" => Reply::Submitted,
        "chosen" => {
            let (keys, with) = rest.split_once("with ").unwrap_or((rest, ""));
            let keys = keys.split_whitespace().map(Into::into).collect();
            Reply::Chosen { keys, input: (!with.is_empty()).then(|| bytes(with)) }
        }
        "items" => {
            let (items, then) = rest.split_once("then ").unwrap_or((rest, ""));
            let item = |text: &str| match text.split_once('=') {
                Some((key, value)) => Item { key: key.into(), input: bytes(value) },
                None => Item { key: "".into(), input: bytes(text) },
            };
            let items = items.split_whitespace().map(item).collect();
            Reply::Items { items, cursor: (!then.is_empty()).then(|| bytes(then)) }
        }
        "reduced" => {
            let (count, acc) = rest.split_once(' ').unwrap();
            Reply::Reduced { count: count.parse().unwrap(), acc: bytes(acc) }
        }
        "continue" => Reply::Continue { cause: rest.into() },
        "retry" => Reply::Retry { cause: rest.into() },
        "failed" => failed(FailureKind::Error, true),
        "fatal" => failed(FailureKind::Error, false),
        "panicked" => failed(FailureKind::Panic, true),
        "timed_out" => failed(FailureKind::Timeout, true),
        "unknown" => failed(FailureKind::Unknown, true),
        other => panic!("no task answers {other:?}"),
    }
}

/// What the handlers of all cases give: a task `name(inputs)`, all else nothing.
pub(crate) fn result(plan: &Plan, state: &State, task: Task) -> Payload {
    match task {
        Task::Attempt { node, .. } | Task::Rescue { node } if plan.node(node).unwrap().kind == NodeKind::Task => {
            let name = &plan.node(node).unwrap().name;
            bytes(&format!("{name}({})", inputs(plan, state, node).join(",")))
        }
        _ => Payload::null(),
    }
}

fn bytes(text: &str) -> Payload {
    Payload::new(Codec::Bytes, text.to_owned())
}

fn task(run: &Run, text: &str) -> Task {
    let node = |name: &str| run.plan.find(name).unwrap_or_else(|| panic!("no node is named {name:?}"));
    if let Some((of, number)) = text.split_once('#') {
        let number = number.parse().unwrap();
        return match (of, of.split_once('.')) {
            ("on_failure", _) => Task::Hook { hook: Hook::OnFailure, attempt: number },
            ("finally", _) => Task::Hook { hook: Hook::Finally, attempt: number },
            (_, Some((of, "poll"))) => Task::Poll { node: node(of), tick: number },
            (_, Some((of, "undo"))) => Task::Undo { node: node(of), attempt: number },
            (_, Some((of, "reduce"))) => Task::Reduce { node: node(of), attempt: number },
            _ => Task::Attempt { node: node(of), attempt: number },
        };
    }
    let outstanding = |fits: &dyn Fn(&Task) -> bool| run.queue.keys().copied().find(fits);
    match text.split_once('.') {
        Some((of, "undo")) => {
            let fits = |task: &Task| matches!(task, Task::Undo { node: at, .. } if *at == node(of));
            outstanding(&fits).unwrap_or(Task::Undo { node: node(of), attempt: 1 })
        }
        Some((of, "reduce")) => {
            let fits = |task: &Task| matches!(task, Task::Reduce { node: at, .. } if *at == node(of));
            outstanding(&fits).unwrap_or(Task::Reduce { node: node(of), attempt: 1 })
        }
        Some((of, "wake")) => Task::Wake { node: node(of) },
        _ if text == "grace" => Task::Grace,
        Some(("run", "deadline")) => Task::RunDeadline,
        Some((of, "deadline")) => Task::NodeDeadline { node: node(of) },
        Some((of, "rescue")) => Task::Rescue { node: node(of) },
        _ if text == "deliver" => Task::Deliver,
        _ => run.task_of(text).unwrap_or_else(|| {
            let queue: Vec<_> = run.queue.keys().map(|task| task_text(&run.plan, *task)).collect();
            panic!("nothing waits for an answer of {text:?}; the queue is {queue:?}")
        }),
    }
}
