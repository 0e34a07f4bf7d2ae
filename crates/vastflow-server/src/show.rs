//! What the store and the core know, in the words of the API.

use std::collections::BTreeMap;
use std::time::Duration;
use vastflow_api as api;
use vastflow_api::run::{Asked, Failure, Origin, RunRow, Status};
use vastflow_core::plan::Schema;
use vastflow_core::run::{NodeStatus, RunSummary};
use vastflow_core::view::{CallKind, NodeView, RunView};
use vastflow_core::{FailureKind, RunId, RunOutcome, RunStatus};
use vastflow_worker::RunEvent;

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn status(status: RunStatus) -> Status {
    Status::parse(status.as_str()).unwrap_or(Status::Running)
}

pub(crate) fn status_asked(status: Status) -> RunStatus {
    RunStatus::parse(status.as_str()).unwrap_or(RunStatus::Running)
}

const fn failure_kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Panic => "panic",
        FailureKind::Timeout => "timeout",
        FailureKind::Hook => "hook",
        FailureKind::Engine => "engine",
        FailureKind::Unknown => "unknown",
        FailureKind::Quarantined => "quarantined",
        _ => "error",
    }
}

/// A run in short.
pub(crate) fn row(id: &RunId, summary: &RunSummary) -> RunRow {
    let (started, info) = (&summary.started, &summary.started.info);
    let (failure, stopped) = match &summary.outcome {
        Some(RunOutcome::Failed(failed)) => {
            let (node, kind) = (failed.node.as_ref().map(ToString::to_string), failure_kind(failed.failure.kind));
            (Some(Failure { node, kind: kind.to_owned(), text: failed.failure.to_string() }), None)
        }
        Some(RunOutcome::Stopped { by, why }) => (None, Some(Asked { by: by.to_string(), why: why.to_string() })),
        _ => (None, None),
    };
    let origin = started.origin.as_deref().map(|origin| Origin {
        run: origin.run.to_string(),
        verb: origin.verb.to_string(),
        by: origin.by.to_string(),
        why: origin.why.to_string(),
    });
    RunRow {
        id: id.to_string(),
        flow: started.flow.to_string(),
        status: status(summary.status),
        started_at_ms: summary.started_at.millis(),
        ended_at_ms: summary.ended_at.map(|at| at.millis()),
        plan: started.plan.to_string(),
        labels: info.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        key: info.key.as_ref().map(ToString::to_string),
        lane: info.lane.as_ref().map(ToString::to_string),
        priority: info.priority,
        deadline_ms: info.deadline.map(|at| at.millis()),
        trace: info.trace.as_deref().map(str::to_owned),
        origin,
        failure,
        stopped,
        input_bytes: started.input.len() as u64,
        output_bytes: summary.output.as_ref().map(|output| output.len() as u64),
    }
}

/// A run to look at. `is_served`: some worker that is alive has its code, so that nothing waits for it.
pub(crate) fn view(view: RunView, scope: &str, trace: Option<&str>, is_served: bool) -> api::view::RunView {
    api::view::RunView {
        id: view.run.to_string(),
        flow: view.flow.to_string(),
        scope: scope.to_owned(),
        status: status(view.status),
        started_at_ms: view.started_at.millis(),
        took_ms: millis(view.took),
        outcome: view.outcome.as_ref().map(ToString::to_string),
        trace: trace.map(str::to_owned),
        nodes: view.nodes.into_iter().map(|of| node(of, is_served)).collect(),
        hooks: view.hooks.into_iter().map(|of| node(of, is_served)).collect(),
        missing: if is_served { Vec::new() } else { view.missing },
    }
}

fn node(of: NodeView, is_served: bool) -> api::view::NodeView {
    let status = if is_served && of.status == NodeStatus::NoCode { NodeStatus::Ready } else { of.status };
    let attempts = of.attempts.into_iter().map(|call| api::view::CallView {
        kind: call_kind(call.kind).to_owned(),
        number: call.number,
        ended_at_ms: call.ended_at.millis(),
        took_us: micros(call.took),
        failed: call.failed,
        why: call.why,
    });
    let phases = of.phases.into_iter().map(|phase| api::view::Phase {
        status: phase.status.to_string(),
        since_ms: phase.since.millis(),
        until_ms: phase.until.map(|at| at.millis()),
    });
    api::view::NodeView {
        name: of.name.to_string(),
        status: status.to_string(),
        is_final: status.is_final(),
        began_at_ms: of.began_at.map(|at| at.millis()),
        ended_at_ms: of.ended_at.map(|at| at.millis()),
        calls: of.calls,
        busy_ms: millis(of.busy),
        said: of.said,
        waits_for: of.waits_for,
        worker: of.worker.map(worker),
        attempts: attempts.collect(),
        phases: phases.collect(),
        inner: of.inner.map(|inner| api::view::Inner {
            scopes: inner.scopes,
            ended: inner.ended,
            failed: inner.failed,
            keys: inner.keys,
            parked: inner.parked,
        }),
    }
}

/// A worker's id, as lists of workers and nodes say it.
pub(crate) fn worker(id: u64) -> String {
    format!("{id:016x}")
}

const fn call_kind(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Poll => "poll",
        CallKind::Rescue => "rescue",
        CallKind::Fold => "fold",
        CallKind::Undo => "undo",
        CallKind::Hook => "hook",
        _ => "attempt",
    }
}

pub(crate) fn event(event: &RunEvent) -> api::event::EventRow {
    let recorded = &event.recorded;
    api::event::EventRow {
        seq: recorded.seq.0,
        at_ms: recorded.at.millis(),
        kind: recorded.event.name().to_owned(),
        node: event.node.as_ref().map(ToString::to_string),
        text: event.to_string(),
        took_us: recorded.event.call().map(|call| micros(call.took.into())),
    }
}

/// What values look like, as JSON Schema.
pub(crate) fn json_schema(of: &Schema) -> serde_json::Value {
    use serde_json::json;
    match of {
        Schema::Nothing => json!({"type": "null"}),
        Schema::Bool => json!({"type": "boolean"}),
        Schema::Int => json!({"type": "integer"}),
        Schema::Float => json!({"type": "number"}),
        Schema::Text => json!({"type": "string"}),
        Schema::List(item) => json!({"type": "array", "items": json_schema(item)}),
        Schema::Map(value) => json!({"type": "object", "additionalProperties": json_schema(value)}),
        Schema::Tuple(items) => {
            let prefix: Vec<_> = items.iter().map(json_schema).collect();
            json!({"type": "array", "prefixItems": prefix, "minItems": prefix.len(), "maxItems": prefix.len()})
        }
        Schema::Fields(fields) => {
            let properties: BTreeMap<&str, _> = fields.iter().map(|(name, of)| (&**name, json_schema(of))).collect();
            let must = fields.iter().filter(|(_, of)| !matches!(of, Schema::Maybe(_) | Schema::Any));
            let required: Vec<&str> = must.map(|(name, _)| &**name).collect();
            json!({"type": "object", "properties": properties, "required": required})
        }
        Schema::OneOf(variants) => json!({"description": "one of several variants", "x-variants": variants}),
        Schema::Maybe(of) => json!({"anyOf": [json_schema(of), {"type": "null"}]}),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_word_on_both_sides() {
        for of in RunStatus::ALL {
            assert_eq!(status(of).as_str(), of.as_str());
            assert_eq!(status_asked(status(of)), of);
        }
    }

    #[test]
    fn schemas_are_json_schemas() {
        let order = Schema::fields([("cents", Schema::Int), ("note", Schema::Text.or_none())]);
        let text = json_schema(&Schema::List(Box::new(order))).to_string();
        assert_eq!(
            text,
            r#"{"items":{"properties":{"cents":{"type":"integer"},"note":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["cents"],"type":"object"},"type":"array"}"#
        );
    }
}
