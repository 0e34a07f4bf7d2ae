//! What a history says of each node: when it was in which state, which calls were made, what came of its scopes.

use super::{CallKind, CallView, Inner, NodeView, Phase};
use crate::event::{Event, Recorded};
use crate::id::{Hook, Name, NodeIx, escape_key};
use crate::plan::{NodeKind, Plan};
use crate::run::{NodeStatus, State, node_ix};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// The most polls of a river that are told of one by one: the last so many. All are counted.
pub const SHOWN_POLLS: usize = 100;

/// Notes an event about a node or a hook; `before` is where the node stood.
pub(super) fn note(view: &mut NodeView, recorded: &Recorded, before: Option<NodeStatus>) {
    let said = said(&recorded.event);
    if let Some(call) = recorded.event.call().filter(|call| call.number > 0) {
        let took = Duration::from(call.took);
        let kind = kind(&recorded.event, before);
        // What takes back is told of, and is no call of the handler.
        if kind != CallKind::Undo {
            view.calls += 1;
            view.busy += took;
        }
        let failed = said.is_some() && !matches!(recorded.event, Event::Polled { .. });
        view.attempts.push(CallView {
            kind,
            number: call.number,
            ended_at: recorded.at,
            took,
            failed,
            why: said.clone(),
        });
        if kind == CallKind::Poll {
            forget_old_polls(&mut view.attempts);
        }
    }
    view.ended_at = Some(recorded.at);
    note_inner(view, &recorded.event);
    view.said = said;
}

fn forget_old_polls(calls: &mut Vec<CallView>) {
    let is_poll = |call: &CallView| call.kind == CallKind::Poll;
    if calls.iter().filter(|call| is_poll(call)).count() > SHOWN_POLLS
        && let Some(oldest) = calls.iter().position(is_poll)
    {
        calls.remove(oldest);
    }
}

fn said(event: &Event) -> Option<String> {
    match event {
        Event::AttemptFailed { failure, .. }
        | Event::NodeFailed { failure, .. }
        | Event::NodeParked { failure, .. }
        | Event::ReduceFailed { failure, .. }
        | Event::RescueFailed { failure, .. }
        | Event::HookFailed { failure, .. } => Some(failure.to_string()),
        Event::UndoFailed { failure, .. } => Some(format!("undo: {failure}")),
        Event::Polled { cause, .. } => Some(cause.to_string()),
        _ => None,
    }
}

fn kind(event: &Event, before: Option<NodeStatus>) -> CallKind {
    match (event, before) {
        (Event::Undone { .. } | Event::UndoFailed { .. }, _) => CallKind::Undo,
        (Event::HookDone { .. } | Event::HookFailed { .. }, _) => CallKind::Hook,
        (Event::Reduced { .. } | Event::ReduceFailed { .. }, _) => CallKind::Fold,
        (Event::RescueFailed { .. }, _) | (_, Some(NodeStatus::Rescuing)) => CallKind::Rescue,
        (_, Some(NodeStatus::Polling)) => CallKind::Poll,
        _ => CallKind::Attempt,
    }
}

fn note_inner(view: &mut NodeView, event: &Event) {
    match event {
        Event::BranchChosen { keys, .. } => {
            let inner = view.inner.get_or_insert_default();
            inner.scopes = keys.len() as u64;
            inner.keys = keys.iter().map(ToString::to_string).collect();
        }
        Event::ItemsAdded { items, .. } => view.inner.get_or_insert_default().scopes += items.len() as u64,
        Event::ChildEnded { end, .. } => {
            let inner = view.inner.get_or_insert_default();
            inner.ended += 1;
            inner.failed += u64::from(end.result.is_err());
            inner.scopes = inner.scopes.max(inner.ended);
        }
        Event::ChildParked { key, waits, .. } => {
            let parked = &mut view.inner.get_or_insert_default().parked;
            parked.retain(|known| **known != **key);
            parked.extend(waits.then(|| key.to_string()));
        }
        _ => {}
    }
}

/// Notes who changed its state by an event: the node that it is about, and those that follow from it.
pub(super) fn watch(views: &mut [NodeView], plan: &Plan, state: &State, recorded: &Recorded) {
    let mut changed: Vec<NodeIx> = match recorded.event.node() {
        Some(node) => [node].into(),
        None => (0..views.len()).map(node_ix).collect(),
    };
    while let Some(node) = changed.pop() {
        let Some(status) = state.node_status(node) else { continue };
        if views[node.index()].turn(status, recorded.at) {
            changed.extend(plan.links(node).children.iter().map(|(child, _)| *child));
        }
    }
}

/// Notes what an event says of the hooks, and which one is due after it.
pub(super) fn watch_hooks(hooks: &mut Vec<NodeView>, state: &State, recorded: &Recorded) {
    let (told, end) = match &recorded.event {
        Event::HookDone { hook, .. } => (Some(*hook), NodeStatus::Succeeded),
        Event::HookFailed { hook, .. } => (Some(*hook), NodeStatus::Failed),
        // Whoever does not wait for a hook lets go of it.
        _ => (None, NodeStatus::Dropped),
    };
    let is_of = |view: &NodeView, hook: Hook| *view.name == *hook.as_str();
    if let Some(view) = told.and_then(|hook| hooks.iter_mut().find(|view| is_of(view, hook))) {
        note(view, recorded, None);
    }
    let due = state.hook_under_way();
    for view in hooks.iter_mut().filter(|view| !view.status.is_final()) {
        if !due.is_some_and(|(hook, _)| is_of(view, hook)) {
            view.turn(end, recorded.at);
        }
    }
    let Some((hook, attempt)) = due else { return };
    let status = if attempt > 1 { NodeStatus::Retrying } else { NodeStatus::Running };
    if !hooks.iter().any(|view| is_of(view, hook)) {
        hooks.push(NodeView::new(Name::of_hook(hook)));
    }
    if let Some(view) = hooks.iter_mut().find(|view| is_of(view, hook)) {
        view.turn(status, recorded.at);
    }
}

impl NodeView {
    /// Notes a state; whether it is another than before.
    fn turn(&mut self, status: NodeStatus, at: Timestamp) -> bool {
        if status == self.status {
            return false;
        }
        if let Some(phase) = self.phases.last_mut() {
            phase.until.get_or_insert(at);
        }
        if !status.is_final() && status != NodeStatus::Waiting {
            self.began_at.get_or_insert(at);
            self.phases.push(Phase { status, since: at, until: None });
        }
        self.status = status;
        true
    }

    /// Says what it waits for, if it waits for somebody.
    pub(super) fn wait_for(&mut self, kind: &NodeKind) {
        let signal = match kind {
            NodeKind::Signal { name } if self.status == NodeStatus::Listening => Some(name),
            _ => None,
        };
        let parked = self.inner.as_ref().and_then(|inner| inner.parked.first());
        self.waits_for = match (signal, parked) {
            (Some(name), _) => Some(format!("signal {name}")),
            (None, Some(key)) => Some(format!("an operator, in [{}]", escape_key(key))),
            (None, None) => None,
        };
    }
}

impl Inner {
    /// The scopes in short: `× 1000 (3 failed)`, or for a branch the arms that were taken.
    pub(super) fn text(&self) -> String {
        let failed = if self.failed > 0 { format!(" ({} failed)", self.failed) } else { String::new() };
        match self.keys.as_slice() {
            [] => format!("× {}{failed}", self.scopes),
            keys => format!("→ {}{failed}", keys.join(", ")),
        }
    }
}
