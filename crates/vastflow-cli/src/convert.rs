//! From what a store says to what programs read: the types of the HTTP service.

use vastflow_api::event::EventRow;
use vastflow_api::fleet;
use vastflow_api::run::{self, Failure, Origin, Status};
use vastflow_api::view;
use vastflow_core::view as core;
use vastflow_core::{RunFailure, RunOutcome, RunStatus, ScopeId, Timestamp};
use vastflow_store::{Fleet, QueueRow, RunRow, WorkerRow};
use vastflow_worker::RunEvent;

pub(crate) fn status(status: RunStatus) -> Status {
    Status::parse(status.as_str()).unwrap_or(Status::Running)
}

pub(crate) fn status_asked(status: Status) -> RunStatus {
    RunStatus::parse(status.as_str()).unwrap_or(RunStatus::Running)
}

/// A failure in words, with the node that it began in.
pub(crate) fn failure_text(failure: &Failure) -> String {
    match &failure.node {
        Some(node) => format!("{node}: {}", failure.text),
        None => failure.text.clone(),
    }
}

pub(crate) fn run(row: &RunRow) -> run::RunRow {
    let (summary, started) = (&row.summary, &row.summary.started);
    let (failure, stopped) = match &summary.outcome {
        Some(RunOutcome::Failed(why)) => (Some(failure(why)), None),
        Some(RunOutcome::Stopped { by, why }) => (None, Some(run::Asked { by: by.to_string(), why: why.to_string() })),
        _ => (None, None),
    };
    let origin = started.origin.as_deref().map(|origin| Origin {
        run: origin.run.to_string(),
        verb: origin.verb.to_string(),
        by: origin.by.to_string(),
        why: origin.why.to_string(),
    });
    let info = &started.info;
    run::RunRow {
        id: row.id.to_string(),
        flow: started.flow.to_string(),
        status: status(summary.status),
        started_at_ms: summary.started_at.millis(),
        ended_at_ms: summary.ended_at.map(Timestamp::millis),
        plan: started.plan.to_string(),
        labels: info.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        key: info.key.as_ref().map(ToString::to_string),
        lane: info.lane.as_ref().map(ToString::to_string),
        priority: info.priority,
        deadline_ms: info.deadline.map(Timestamp::millis),
        trace: info.trace.as_ref().map(ToString::to_string),
        origin,
        failure,
        stopped,
        input_bytes: started.input.len() as u64,
        output_bytes: summary.output.as_ref().map(|output| output.len() as u64),
    }
}

fn failure(why: &RunFailure) -> Failure {
    Failure {
        node: why.node.as_ref().map(ToString::to_string),
        kind: format!("{:?}", why.failure.kind).to_lowercase(),
        text: why.failure.to_string(),
    }
}

pub(crate) fn view(seen: &core::RunView, scope: &ScopeId) -> view::RunView {
    view::RunView {
        id: seen.run.to_string(),
        flow: seen.flow.to_string(),
        scope: scope.path().to_owned(),
        status: status(seen.status),
        started_at_ms: seen.started_at.millis(),
        took_ms: millis(seen.took),
        outcome: seen.outcome.as_ref().map(ToString::to_string),
        trace: None,
        nodes: seen.nodes.iter().map(node).collect(),
        hooks: seen.hooks.iter().map(node).collect(),
        missing: seen.missing.clone(),
    }
}

fn node(node: &core::NodeView) -> view::NodeView {
    let inner = node.inner.as_ref().map(|inner| view::Inner {
        scopes: inner.scopes,
        ended: inner.ended,
        failed: inner.failed,
        keys: inner.keys.clone(),
        parked: inner.parked.clone(),
    });
    view::NodeView {
        name: node.name.to_string(),
        status: node.status.as_str().to_owned(),
        is_final: node.status.is_final(),
        began_at_ms: node.began_at.map(Timestamp::millis),
        ended_at_ms: node.ended_at.map(Timestamp::millis),
        calls: node.calls,
        busy_ms: millis(node.busy),
        said: node.said.clone(),
        waits_for: node.waits_for.clone(),
        worker: node.worker.map(|id| format!("{id:016x}")),
        attempts: node.attempts.iter().map(call).collect(),
        phases: node.phases.iter().map(phase).collect(),
        inner,
    }
}

fn call(call: &core::CallView) -> view::CallView {
    view::CallView {
        kind: format!("{:?}", call.kind).to_lowercase(),
        number: call.number,
        ended_at_ms: call.ended_at.millis(),
        took_us: u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX),
        failed: call.failed,
        why: call.why.clone(),
    }
}

fn phase(phase: &core::Phase) -> view::Phase {
    view::Phase {
        status: phase.status.as_str().to_owned(),
        since_ms: phase.since.millis(),
        until_ms: phase.until.map(Timestamp::millis),
    }
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn event(event: &RunEvent) -> EventRow {
    let recorded = &event.recorded;
    let took = recorded.event.call().map(|call| std::time::Duration::from(call.took));
    EventRow {
        seq: recorded.seq.0,
        at_ms: recorded.at.millis(),
        kind: recorded.event.name().to_owned(),
        node: event.node.as_ref().map(ToString::to_string),
        text: event.to_string(),
        took_us: took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
    }
}

pub(crate) fn workers(fleet: &Fleet) -> fleet::Workers {
    fleet::Workers {
        workers: fleet.workers.iter().map(|row| worker(row, fleet.now)).collect(),
        taken_over: fleet.taken_over,
        fenced: fleet.fenced,
    }
}

fn worker(row: &WorkerRow, now: Timestamp) -> fleet::WorkerRow {
    let about = &row.about;
    let lack = |(plan, first): &(vastflow_core::PlanHash, Box<str>)| fleet::Lack {
        plan: plan.to_string(),
        first: first.to_string(),
    };
    fleet::WorkerRow {
        id: format!("{:016x}", row.id.0),
        name: about.name.as_ref().map(ToString::to_string),
        host: about.host.to_string(),
        pid: about.pid,
        version: about.version.to_string(),
        is_alive: row.until > now,
        until_ms: row.until.millis(),
        slots: about.slots as u64,
        in_hand: row.in_hand as u64,
        lanes: about.lanes.iter().map(ToString::to_string).collect(),
        serves: about.serves.iter().map(ToString::to_string).collect(),
        lacks: about.lacks.iter().map(lack).collect(),
    }
}

pub(crate) fn queue(row: &QueueRow, flow: &str) -> fleet::QueueRow {
    fleet::QueueRow {
        flow: flow.to_owned(),
        plan: row.plan.to_string(),
        lane: row.lane.as_ref().map(ToString::to_string),
        ready: row.ready as u64,
        // What was there when the store was opened has been ready since nobody knows when.
        oldest_ready_ms: row.since.filter(|since| *since > Timestamp::ZERO).map(Timestamp::millis),
        later: row.later as u64,
        in_hand: row.in_hand as u64,
        held: row.held as u64,
    }
}
