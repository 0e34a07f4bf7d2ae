//! What a history says of each node: when it was in which state, which calls were made, what came of its scopes.

use super::{CallKind, CallView, Inner, NodeView, Phase};
use crate::event::{Event, Recorded};
use crate::id::NodeIx;
use crate::plan::{NodeKind, Plan};
use crate::run::{NodeStatus, State, node_ix};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// Notes an event about a node; `before` is where the node stood.
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
    }
    view.ended_at = Some(recorded.at);
    note_inner(view, &recorded.event);
    view.said = said;
}

fn said(event: &Event) -> Option<String> {
    match event {
        Event::AttemptFailed { failure, .. }
        | Event::NodeFailed { failure, .. }
        | Event::NodeParked { failure, .. }
        | Event::ReduceFailed { failure, .. }
        | Event::RescueFailed { failure, .. } => Some(failure.to_string()),
        Event::UndoFailed { failure, .. } => Some(format!("undo: {failure}")),
        Event::Polled { cause, .. } => Some(cause.to_string()),
        _ => None,
    }
}

fn kind(event: &Event, before: Option<NodeStatus>) -> CallKind {
    match (event, before) {
        (Event::Undone { .. } | Event::UndoFailed { .. }, _) => CallKind::Undo,
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
            (None, Some(key)) => Some(format!("an operator, in [{key}]")),
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
