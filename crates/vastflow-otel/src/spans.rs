//! What is told of runs and calls, as spans.

use crate::Traces;
use crate::ids::with_ids;
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use std::time::{Duration, SystemTime};
use vastflow_core::{Reply, RunOutcome, Task, Timestamp, TraceContext};
use vastflow_worker::{CallSeen, Observer, RunSeen};

/// The longest span of a run: what stays open for longer is no use to whoever looks, and is cut off by those who keep it.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Times are recorded in whole milliseconds, rounded down: an end is at the end of its own.
const TICK: Duration = Duration::from_millis(1);

/// A span about to be sent.
struct Told {
    name: String,
    ids: TraceContext,
    parent: Option<TraceContext>,
    kind: SpanKind,
    from: SystemTime,
    to: SystemTime,
    about: Vec<KeyValue>,
    links: Vec<TraceContext>,
    status: Status,
}

impl Traces {
    fn tell(&self, told: Told) {
        let Told { name, ids, parent, kind, from, to, about, links, status } = told;
        let around = match parent {
            Some(parent) => Context::new().with_remote_span_context(context(parent)),
            None => Context::new(),
        };
        let links = links.into_iter().map(|to| Link::new(context(to), Vec::new(), 0)).collect();
        let builder = self.tracer.span_builder(name);
        let builder = builder.with_kind(kind).with_start_time(from).with_attributes(about).with_links(links);
        let mut span = with_ids(ids, || builder.start_with_context(&self.tracer, &around));
        span.set_status(status);
        span.end_with_timestamp(to);
    }

    /// A moment of a run, in the run's trace.
    fn moment(&self, word: &str, run: &RunSeen<'_>, at: SystemTime) {
        let (own, started) = (run.trace(), &run.summary().started);
        let ids = own.of_call(&vastflow_core::ScopeId::root(run.id().clone()), Task::Admit, (0, stamp(at)));
        self.tell(Told {
            name: format!("{word} {}", started.flow),
            ids,
            parent: Some(own),
            kind: SpanKind::Internal,
            from: at,
            to: at,
            about: about(run),
            links: vec![own],
            status: Status::Unset,
        });
    }
}

impl Observer for Traces {
    fn began(&self, run: &RunSeen<'_>) {
        self.moment("start", run, time(run.summary().started_at));
    }

    fn called(&self, call: &CallSeen<'_>) {
        let ctx = call.ctx();
        let (word, attempt) = kind(ctx.task());
        let from = time(ctx.now());
        let mut about = vec![
            KeyValue::new("workflow.name", ctx.flow().to_string()),
            KeyValue::new("workflow.run.id", ctx.run_id().to_string()),
            KeyValue::new("workflow.node", ctx.node().to_owned()),
            KeyValue::new("workflow.call", word),
            KeyValue::new("workflow.attempt", i64::from(attempt)),
        ];
        if !ctx.scope().is_root() {
            about.push(KeyValue::new("workflow.scope", ctx.scope().path().to_owned()));
        }
        let (outcome, status) = answered(call.reply());
        about.push(KeyValue::new("workflow.outcome", outcome));
        if let Reply::Failed { failure, .. } = call.reply() {
            about.push(KeyValue::new("error.type", format!("{:?}", failure.kind).to_lowercase()));
        }
        self.tell(Told {
            name: ctx.node().to_owned(),
            ids: ctx.trace(),
            parent: Some(TraceContext::of_run(ctx.run_id(), ctx.info().trace.as_deref())),
            kind: SpanKind::Consumer,
            from,
            to: from + call.took(),
            about,
            links: Vec::new(),
            status,
        });
    }

    fn ended(&self, run: &RunSeen<'_>) {
        let (summary, own) = (run.summary(), run.trace());
        let started = &summary.started;
        let from = time(summary.started_at);
        let end = time(summary.ended_at.unwrap_or(summary.started_at)) + TICK;
        let mut told = about(run);
        told.push(KeyValue::new("workflow.outcome", summary.status.as_str()));
        if end > from + LONGEST {
            told.push(KeyValue::new("workflow.ended_later", true));
            self.moment("end", run, end);
        }
        let before =
            started.origin.as_ref().map(|origin| TraceContext::of_run(&origin.run, started.info.trace.as_deref()));
        self.tell(Told {
            name: format!("run {}", started.flow),
            ids: own,
            parent: started.info.trace.as_deref().and_then(TraceContext::parse),
            kind: SpanKind::Server,
            from,
            to: end.min(from + LONGEST),
            about: told,
            links: before.into_iter().collect(),
            status: match &summary.outcome {
                Some(RunOutcome::Failed(failure)) => {
                    Status::error(format!("{:?}", failure.failure.kind).to_lowercase())
                }
                _ => Status::Unset,
            },
        });
    }
}

fn about(run: &RunSeen<'_>) -> Vec<KeyValue> {
    let started = &run.summary().started;
    vec![
        KeyValue::new("workflow.name", started.flow.to_string()),
        KeyValue::new("workflow.run.id", run.id().to_string()),
        KeyValue::new("workflow.plan", started.plan.to_string()),
    ]
}

/// What kind of call a task is, and which one.
const fn kind(task: Task) -> (&'static str, u32) {
    match task {
        Task::Attempt { attempt, .. } => ("attempt", attempt),
        Task::Poll { tick, .. } => ("poll", tick),
        Task::Rescue { .. } => ("rescue", 1),
        Task::Hook { attempt, .. } => ("hook", attempt),
        Task::Reduce { attempt, .. } => ("reduce", attempt),
        Task::Undo { attempt, .. } => ("undo", attempt),
        _ => ("other", 1),
    }
}

/// What came of a call, in a word. What it gave and what its error says stay with the run.
fn answered(reply: &Reply) -> (&'static str, Status) {
    match reply {
        Reply::Failed { failure, .. } => ("failed", Status::error(format!("{:?}", failure.kind).to_lowercase())),
        Reply::Retry { .. } => ("retry", Status::error("retry")),
        Reply::Continue { .. } => ("continue", Status::Unset),
        _ => ("done", Status::Unset),
    }
}

fn time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.millis())
}

fn stamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(0))
}

fn context(of: TraceContext) -> SpanContext {
    SpanContext::new(
        TraceId::from(of.trace_id),
        SpanId::from(of.span_id),
        TraceFlags::new(of.flags),
        true,
        TraceState::default(),
    )
}
