//! From what a service says back to what is drawn.

use crate::complaint::{Complaint, Exit};
use crate::convert::status_asked;
use std::time::Duration;
use vastflow_api::view as api;
use vastflow_core::run::NodeStatus;
use vastflow_core::view::{CallKind, CallView, Inner, NodeView, Phase, RunView};
use vastflow_core::{Failure, FailureKind, Name, RunFailure, RunId, RunOutcome, Timestamp};

/// The states of nodes, which a service names by their words.
const STATES: [NodeStatus; 17] = [
    NodeStatus::Waiting,
    NodeStatus::Running,
    NodeStatus::Retrying,
    NodeStatus::Polling,
    NodeStatus::Rescuing,
    NodeStatus::Open,
    NodeStatus::Sleeping,
    NodeStatus::Listening,
    NodeStatus::Parked,
    NodeStatus::Succeeded,
    NodeStatus::Failed,
    NodeStatus::Skipped,
    NodeStatus::Dropped,
    NodeStatus::Undone,
    NodeStatus::Ready,
    NodeStatus::Held,
    NodeStatus::NoCode,
];

pub(super) fn id(id: &str) -> Result<RunId, Complaint> {
    RunId::new(id).map_err(|_| strange("id", id))
}

pub(super) fn view(of: &api::RunView) -> Result<RunView, Complaint> {
    Ok(RunView {
        run: id(&of.id)?,
        flow: name(&of.flow)?,
        status: status_asked(of.status),
        outcome: of.outcome.as_deref().map(outcome),
        started_at: Timestamp::from_millis(of.started_at_ms),
        took: Duration::from_millis(of.took_ms),
        nodes: of.nodes.iter().map(node).collect::<Result<_, _>>()?,
        hooks: of.hooks.iter().map(node).collect::<Result<_, _>>()?,
        missing: of.missing.clone(),
    })
}

/// An outcome from its words; printed, it is the same words.
fn outcome(text: &str) -> RunOutcome {
    if let Some((by, why)) = text.strip_prefix("stopped by ").and_then(|rest| rest.split_once(": ")) {
        return RunOutcome::Stopped { by: by.into(), why: why.into() };
    }
    match text.strip_prefix("failed: ") {
        Some(why) => RunOutcome::Failed(RunFailure { node: None, failure: Failure::new(FailureKind::Error, why) }),
        None => RunOutcome::Succeeded,
    }
}

fn node(of: &api::NodeView) -> Result<NodeView, Complaint> {
    let calls = of.attempts.iter().filter(|call| call.kind != "undo");
    // More exact than milliseconds, where all calls are told of.
    let busy = match calls.clone().count() == of.calls as usize {
        true => Duration::from_micros(calls.map(|call| call.took_us).sum()),
        false => Duration::from_millis(of.busy_ms),
    };
    Ok(NodeView {
        name: name(&of.name)?,
        status: state(&of.status)?,
        began_at: of.began_at_ms.map(Timestamp::from_millis),
        calls: of.calls,
        busy,
        ended_at: of.ended_at_ms.map(Timestamp::from_millis),
        said: of.said.clone(),
        attempts: of.attempts.iter().map(call).collect(),
        phases: of.phases.iter().map(phase).collect::<Result<_, _>>()?,
        inner: of.inner.as_ref().map(|inner| Inner {
            scopes: inner.scopes,
            ended: inner.ended,
            failed: inner.failed,
            keys: inner.keys.clone(),
            parked: inner.parked.clone(),
        }),
        waits_for: of.waits_for.clone(),
        worker: of.worker.as_deref().and_then(|id| u64::from_str_radix(id, 16).ok()),
    })
}

fn call(of: &api::CallView) -> CallView {
    CallView {
        kind: match of.kind.as_str() {
            "poll" => CallKind::Poll,
            "rescue" => CallKind::Rescue,
            "fold" => CallKind::Fold,
            "undo" => CallKind::Undo,
            "hook" => CallKind::Hook,
            _ => CallKind::Attempt,
        },
        number: of.number,
        ended_at: Timestamp::from_millis(of.ended_at_ms),
        took: Duration::from_micros(of.took_us),
        failed: of.failed,
        why: of.why.clone(),
    }
}

fn phase(of: &api::Phase) -> Result<Phase, Complaint> {
    let (since, until) = (Timestamp::from_millis(of.since_ms), of.until_ms.map(Timestamp::from_millis));
    Ok(Phase { status: state(&of.status)?, since, until })
}

fn state(word: &str) -> Result<NodeStatus, Complaint> {
    STATES.into_iter().find(|status| status.as_str() == word).ok_or_else(|| strange("state", word))
}

fn name(text: &str) -> Result<Name, Complaint> {
    Name::new(text).map_err(|_| strange("name", text))
}

fn strange(what: &str, text: &str) -> Complaint {
    Complaint::new(Exit::Failed, "strange-answer", format!("the service says {what} {text:?}, which is not known here"))
        .next("use the version of `vastflow` that the service has")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_the_same_words_again() {
        for text in ["succeeded", "failed: charge: no money, cause: bank", "stopped by ann: lunch: again"] {
            assert_eq!(outcome(text).to_string(), text);
        }
    }

    #[test]
    fn every_state_has_its_word() {
        for status in STATES {
            assert_eq!(state(status.as_str()).unwrap(), status);
        }
        assert_eq!(state("odd").unwrap_err().code, "strange-answer");
    }
}
