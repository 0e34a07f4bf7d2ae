//! What happened, as text.

use vastflow_core::context::Writes;
use vastflow_core::event::{Choice, ScopeEnd};
use vastflow_core::run::{Changes, Peer, Rejection, Word};
use vastflow_core::{Event, Hook, NodeIx, Payload, Plan, Task, Timestamp};

pub(crate) fn payload_text(payload: &Payload) -> String {
    String::from_utf8_lossy(payload.bytes()).into_owned()
}

pub(super) fn task_text(plan: &Plan, task: Task) -> String {
    match task {
        Task::Attempt { node, attempt } => format!("{}#{attempt}", node_text(plan, node)),
        Task::Poll { node, tick } => format!("{}.poll#{tick}", node_text(plan, node)),
        Task::Rescue { node } => format!("{}.rescue", node_text(plan, node)),
        Task::Hook { hook, attempt } => format!("{}#{attempt}", hook_text(hook)),
        Task::NodeDeadline { node } => format!("{}.deadline", node_text(plan, node)),
        Task::RunDeadline => "run.deadline".into(),
        Task::Deliver => "deliver".into(),
        Task::Reduce { node, attempt } => format!("{}.reduce#{attempt}", node_text(plan, node)),
        Task::Undo { node, attempt } => format!("{}.undo#{attempt}", node_text(plan, node)),
        Task::Wake { node } => format!("{}.wake", node_text(plan, node)),
        Task::Grace => "grace".into(),
        Task::Admit => "admit".into(),
    }
}

fn node_text(plan: &Plan, node: NodeIx) -> &str {
    plan.node(node).map_or("?", |node| &node.name)
}

pub(super) const fn hook_text(hook: Hook) -> &'static str {
    match hook {
        Hook::OnFailure => "on_failure",
        Hook::Finally => "finally",
    }
}

/// `5s`, `1500ms`.
pub(super) fn time_text(time: Timestamp) -> String {
    match time.millis() {
        ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

pub(super) fn due_text(plan: &Plan, task: Task, due: Timestamp) -> String {
    let task = task_text(plan, task);
    if due == Timestamp::ZERO { task } else { format!("{task} @{}", time_text(due)) }
}

pub(crate) fn event_text(plan: &Plan, event: &Event) -> String {
    let subject = event.node().map(|node| format!(" {}", node_text(plan, node))).unwrap_or_default();
    let until = |at: &Option<Timestamp>| at.map(|at| format!(" until {}", time_text(at))).unwrap_or_default();
    let rest = match event {
        Event::NodeSucceeded { output, .. } => format!(" = {}", payload_text(output)),
        Event::AttemptFailed { failure, retry_at, .. } | Event::ReduceFailed { failure, retry_at, .. } => {
            format!(" until {}: {failure}", time_text(*retry_at))
        }
        Event::NodeFailed { failure, .. } | Event::RescueFailed { failure, .. } | Event::NodeParked { failure, .. } => {
            format!(": {failure}")
        }
        Event::Submitted { next_at, .. } => format!(" until {}", time_text(*next_at)),
        Event::Polled { cause, next_at, .. } => format!(" until {}: {cause}", time_text(*next_at)),
        Event::CancelRequested { by, why }
        | Event::Paused { by, why }
        | Event::Resumed { by, why }
        | Event::Killed { by, why } => format!(" by {by}: {why}"),
        Event::HookDone { hook, .. } => format!(" {}", hook_text(*hook)),
        Event::HookFailed { hook, failure, retry_at, .. } => {
            format!(" {}{}: {failure}", hook_text(*hook), until(retry_at))
        }
        Event::UndoFailed { failure, retry_at, .. } => format!("{}: {failure}", until(retry_at)),
        Event::RunEnded { outcome } => format!(" {outcome}"),
        Event::BranchChosen { keys, input, .. } => {
            let with = input.as_ref().map(|input| format!(" with {}", payload_text(input))).unwrap_or_default();
            format!(": {}{with}", if keys.is_empty() { "none".into() } else { keys.join(", ") })
        }
        Event::ItemsAdded { items, cursor, .. } => {
            let then = cursor.as_ref().map(|cursor| format!(" then {}", payload_text(cursor))).unwrap_or_default();
            format!(": {}{then}", items.len())
        }
        Event::ChildEnded { key, end, .. } => format!("[{key}]{}", end_text(end)),
        Event::ChildUndone { key, .. } => format!("[{key}]"),
        Event::ChildParked { key, waits, .. } => format!("[{key}] {}", if *waits { "waits" } else { "goes on" }),
        Event::Reduced { count, acc, .. } => format!(" {count} = {}", payload_text(acc)),
        Event::ChildListens { key, name, waits, .. } => {
            format!("[{key}] {} {name}", if *waits { "listens" } else { "deaf" })
        }
        Event::SignalReceived { id, name, payload } | Event::SignalPassed { id, name, payload } => {
            format!(" {id} {name} = {}", payload_text(payload))
        }
        Event::Resolved { choice, by, .. } => format!(" {} by {by}", choice_text(choice)),
        Event::Clashed { keys, .. } => format!(": {}", keys.join(", ")),
        Event::RunStarted(_)
        | Event::NodeDropped { .. }
        | Event::RunTimedOut
        | Event::Woke { .. }
        | Event::GraceOver
        | Event::Undone { .. }
        | Event::UndoRequested
        | Event::WordsIgnored
        | Event::Said { .. }
        | Event::Admitted => String::new(),
        other => panic!("a new event, {}: say here how cases write it", other.name()),
    };
    format!("{}{subject}{rest}{}", event.name(), event.call().map(|call| writes_text(&call.writes)).unwrap_or_default())
}

fn choice_text(choice: &Choice) -> String {
    match choice {
        Choice::Retry => "retry".into(),
        Choice::Skip => "skip".into(),
        Choice::MarkDone(output) => format!("done {}", payload_text(output)),
    }
}

fn end_text(end: &ScopeEnd) -> String {
    let result = match &end.result {
        Ok(output) => format!(" = {}", payload_text(output)),
        Err(failure) => format!(": {failure}"),
    };
    format!("{result}{}", writes_text(&end.writes))
}

fn word_text(plan: &Plan, (to, word): &(Peer, Word)) -> String {
    let to = match to {
        Peer::Parent => "parent".into(),
        Peer::Child { node, key } => format!("{}[{key}]", node_text(plan, *node)),
    };
    let word = match word {
        Word::Begin(begin) => format!("begin {}{}", payload_text(&begin.input), writes_text(&begin.context)),
        Word::Cancel { .. } => "cancel".into(),
        Word::Kill { .. } => "kill".into(),
        Word::Undo => "undo".into(),
        Word::Ended(end) => format!("ended{}", end_text(end)),
        Word::Undone => "undone".into(),
        Word::Parked { waits, .. } => (if *waits { "waits" } else { "goes on" }).into(),
        Word::Listens { name, waits, .. } => format!("{} {name}", if *waits { "listens" } else { "deaf" }),
        Word::Signal { id, name, payload, .. } => format!("signal {id} {name} = {}", payload_text(payload)),
    };
    format!("{to} {word}")
}

fn writes_text(writes: &Writes) -> String {
    if writes.is_empty() {
        return String::new();
    }
    let one = |(key, value): &(Box<str>, Option<Payload>)| match value {
        Some(value) => format!("{key}={}", payload_text(value)),
        None => format!("-{key}"),
    };
    format!(" [{}]", writes.iter().map(one).collect::<Vec<_>>().join(" "))
}

/// `queue b#1, c#1; drop d#2; cancel e#1; send f[u1] begin x`; none when nothing changed.
pub(super) fn changes_text(plan: &Plan, changes: &Changes) -> Option<String> {
    let queue = changes.queue.iter().map(|(task, due)| due_text(plan, *task, *due)).collect::<Vec<_>>();
    let names = |tasks: &[Task]| tasks.iter().map(|task| task_text(plan, *task)).collect::<Vec<_>>();
    let words = changes.words.iter().map(|word| word_text(plan, word)).collect();
    let parts =
        [("queue", queue), ("drop", names(&changes.obsolete)), ("cancel", names(&changes.cancel)), ("send", words)];
    let said: Vec<_> = parts
        .into_iter()
        .filter(|(_, tasks)| !tasks.is_empty())
        .map(|(what, tasks)| format!("{what} {}", tasks.join(", ")))
        .collect();
    (!said.is_empty()).then(|| said.join("; "))
}

pub(super) fn rejection_text(plan: &Plan, why: &Rejection) -> String {
    match why {
        Rejection::Stale(task) => format!("rejected: stale {}", task_text(plan, *task)),
        Rejection::Misfit { task, reply } => format!("rejected: {reply} is no answer to {}", task_text(plan, *task)),
        other => format!("rejected: {other}"),
    }
}
