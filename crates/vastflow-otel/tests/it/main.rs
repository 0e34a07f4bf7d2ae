//! A collector of our own, and what it is sent.
#![allow(elided_lifetimes_in_paths, reason = "users write `Node<u32>`, and so do tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests panics are how they fail")]

use axum::Router;
use axum::body::Bytes as Body;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vastflow_core::{RunId, TraceContext};
use vastflow_otel::Traces;
use vastflow_sdk::{BoxError, Ctx, Flow, Node, Result, Retry};
use vastflow_store::{MemoryStore, Store};
use vastflow_worker::{Engine, EngineBuilder};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CANARY: &str = "canary-5ecret";

/// All that a collector was sent.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<Vec<u8>>>>);

impl Sent {
    /// A collector, and its address.
    async fn collect() -> (Self, String) {
        let sent = Sent::default();
        let keep = sent.clone();
        let take = move |body: Body| async move {
            keep.0.lock().unwrap().push(body.to_vec());
            ExportTraceServiceResponse::default().encode_to_vec()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, Router::new().route("/v1/traces", post(take))).await });
        (sent, address)
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.0.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap());
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|spans| spans.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    fn named(&self, name: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }

    #[track_caller]
    fn only(&self, name: &str) -> Span {
        let mut all = self.named(name);
        assert_eq!(all.len(), 1, "{name}: {:?}", self.spans().iter().map(|span| &span.name).collect::<Vec<_>>());
        all.remove(0)
    }
}

async fn flushed(traces: &Traces) {
    let traces = traces.clone();
    assert!(tokio::task::spawn_blocking(move || traces.flush()).await.unwrap());
}

fn text(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|own| own.key == key);
    match found.and_then(|own| own.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{key}: {other:?}"),
    }
}

/// Four nodes one after the other; the third fails at first.
fn four() -> Flow<u32, u32> {
    async fn add(n: u32) -> Result<u32> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(n + 1)
    }
    async fn shaky(ctx: Ctx, n: u32) -> Result<u32> {
        if ctx.attempt() < 3 { Err(format!("no: {CANARY}").into()) } else { Ok(n + 1) }
    }
    Flow::dag("four", |dag, n: Node<'_, u32>| {
        let a = dag.node("a", add, n);
        let b = dag.node("b", add, a);
        let c = dag.node("c", shaky, b).retry(Retry::times(2).every(Duration::from_millis(5)));
        dag.node("d", add, c)
    })
    .unwrap()
}

fn engine(store: &Arc<dyn Store>, traces: &Traces) -> EngineBuilder {
    Engine::on(Arc::clone(store)).observer(traces.clone())
}

#[tokio::test]
async fn a_run_over_two_workers_is_one_trace() {
    let (sent, address) = Sent::collect().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    // Each worker sends for itself, and neither knows of the other. The first stands in a lane of its own, so that the second
    // goes on with the run.
    let (first, second) = (Traces::to(&address).unwrap(), Traces::to(&address).unwrap());
    let starts = engine(&store, &first).flow(four()).concurrency(0).start().await.unwrap();
    let run = starts.run("four", 1_u32).id("r").trace(CALLER).header("X-Secret", CANARY).await.unwrap();
    let works = engine(&store, &second).flow(four()).concurrency(1).start().await.unwrap();
    run.wait().await.unwrap();
    works.shutdown().await.unwrap();
    flushed(&first).await;
    flushed(&second).await;

    let spans = sent.spans();
    let caller = TraceContext::parse(CALLER).unwrap();
    let traces: BTreeSet<Vec<u8>> = spans.iter().map(|span| span.trace_id.clone()).collect();
    assert_eq!(traces, BTreeSet::from([caller.trace_id.to_be_bytes().to_vec()]), "one trace");
    let whole = sent.only("run four");
    assert_eq!(whole.parent_span_id, caller.span_id.to_be_bytes(), "it is its caller's");
    assert_eq!(text(&whole, "workflow.outcome"), "succeeded");
    assert_eq!(sent.only("start four").parent_span_id, whole.span_id);
    for name in ["a", "b", "c", "d"] {
        for span in sent.named(name) {
            assert_eq!(span.parent_span_id, whole.span_id, "{name}");
            assert!(whole.start_time_unix_nano <= span.start_time_unix_nano, "{name}");
            assert!(span.end_time_unix_nano <= whole.end_time_unix_nano, "{name}: it is covered");
            assert_eq!(text(&span, "workflow.run.id"), "r");
        }
    }
    let mut tries = sent.named("c");
    tries.sort_by_key(|span| text(span, "workflow.attempt"));
    let seen: Vec<(String, String, bool)> = tries
        .iter()
        .map(|span| {
            let failed = span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32);
            (text(span, "workflow.attempt"), text(span, "workflow.outcome"), failed)
        })
        .collect();
    let row = |attempt: &str, outcome: &str, failed| (attempt.to_owned(), outcome.to_owned(), failed);
    assert_eq!(seen, [row("1", "failed", true), row("2", "failed", true), row("3", "done", false)]);
    assert_eq!(spans.len(), 4 + 2 + 2, "four nodes, two calls more, the run and its start");
    let bytes: Vec<u8> = sent.0.lock().unwrap().concat();
    assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "no payload, header or error text");
}

/// The first call of b hangs, and its worker is given up.
fn moves(hangs: bool, said: tokio::sync::mpsc::UnboundedSender<String>) -> Flow<u32, u32> {
    let b = move |ctx: Ctx, n: u32| {
        let said = said.clone();
        async move {
            said.send(ctx.traceparent()).unwrap();
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok::<u32, BoxError>(n)
        }
    };
    Flow::dag("moves", |dag, n: Node<'_, u32>| dag.node("b", b, n)).unwrap()
}

#[tokio::test]
async fn a_worker_that_takes_over_goes_on_with_the_trace() {
    let (sent, address) = Sent::collect().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
    let (first, second) = (Traces::to(&address).unwrap(), Traces::to(&address).unwrap());
    let lost = engine(&store, &first).flow(moves(true, say.clone())).start().await.unwrap();
    lost.run("moves", 1_u32).id("r").await.unwrap();
    let before = said.recv().await.unwrap();
    drop(lost);
    store.sweep(vastflow_core::Timestamp::from_millis(u64::MAX / 2), 16).await.unwrap();
    let takes_over = engine(&store, &second).flow(moves(false, say)).start().await.unwrap();
    takes_over.handle("r").await.unwrap().wait().await.unwrap();
    flushed(&first).await;
    flushed(&second).await;

    let (whole, call) = (sent.only("run moves"), sent.only("b"));
    let own = TraceContext::of_run(&RunId::new("r").unwrap(), None);
    assert_eq!(whole.trace_id, own.trace_id.to_be_bytes());
    assert_eq!(whole.span_id, own.span_id.to_be_bytes());
    assert_eq!(call.trace_id, whole.trace_id);
    assert_eq!(sent.only("start moves").trace_id, whole.trace_id, "the first worker's");
    // What the calls sent along belongs to the same trace, and each is a call of its own.
    let (before, after) = (TraceContext::parse(&before).unwrap(), said.recv().await.unwrap());
    let after = TraceContext::parse(&after).unwrap();
    assert_eq!((before.trace_id, after.trace_id), (own.trace_id, own.trace_id));
    assert_eq!(after.span_id.to_be_bytes().to_vec(), call.span_id);
    assert_ne!(before.span_id, after.span_id);
}

#[tokio::test]
async fn runs_that_go_on_and_runs_that_runs_start_are_linked() {
    let (sent, address) = Sent::collect().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let traces = Traces::to(&address).unwrap();
    let fails = |n: u32| async move { Err::<u32, BoxError>(format!("{n}").into()) };
    let inner = Flow::dag("inner", |dag, n: Node<'_, u32>| dag.node("bad", fails, n)).unwrap();
    let outer = Flow::dag("outer", |dag, n: Node<'_, u32>| {
        dag.child_run("inner-run", &inner, n).look_every(Duration::from_millis(5))
    });
    let engine = engine(&store, &traces).flow(inner).flow(outer.unwrap()).start().await.unwrap();
    let run = engine.run("outer", 1_u32).id("o").await.unwrap();
    run.wait().await.unwrap();
    let child = engine.handle("o.inner-run").await.unwrap();
    child.retry("ann", "again").await.unwrap().wait().await.unwrap();
    flushed(&traces).await;
    let whole = sent.only("run outer");
    let inner = sent.named("run inner");
    assert_eq!(inner.len(), 2);
    let of = |id: &str| inner.iter().find(|span| text(span, "workflow.run.id") == id).unwrap();
    let (child, again) = (of("o.inner-run"), of("o.inner-run.retry1"));
    assert_eq!((&child.trace_id, &child.parent_span_id), (&whole.trace_id, &whole.span_id));
    assert_eq!(child.status.as_ref().unwrap().code, StatusCode::Error as i32);
    assert_eq!(again.links.len(), 1);
    assert_eq!(again.links[0].span_id, child.span_id);
}

#[tokio::test]
async fn a_run_of_a_month_is_no_span_of_a_month() {
    use std::sync::Mutex as Lock;
    use vastflow_core::run::RunSummary;
    use vastflow_worker::{Observer, RunSeen};

    /// Makes of a run that has ended one that began a month before.
    struct Old(Traces, Arc<Lock<Option<RunSummary>>>);
    impl Observer for Old {
        fn ended(&self, run: &RunSeen<'_>) {
            *self.1.lock().unwrap() = Some(run.summary().clone());
            let mut old = run.summary().clone();
            let month = 30 * 24 * 3_600_000;
            old.started_at = vastflow_core::Timestamp::from_millis(old.started_at.millis() - month);
            self.0.ended(&RunSeen::of(run.id(), &old));
        }
    }
    let (sent, address) = Sent::collect().await;
    let (traces, seen) = (Traces::to(&address).unwrap(), Arc::default());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let engine = Engine::on(store).observer(Old(traces.clone(), Arc::clone(&seen))).flow(four()).start().await.unwrap();
    engine.run("four", 1_u32).await.unwrap().wait().await.unwrap();
    flushed(&traces).await;
    let (whole, end) = (sent.only("run four"), sent.only("end four"));
    assert_eq!(whole.end_time_unix_nano - whole.start_time_unix_nano, 3_600_000_000_000);
    assert_eq!(end.links[0].span_id, whole.span_id);
    assert_eq!(end.start_time_unix_nano, end.end_time_unix_nano);
    assert!(seen.lock().unwrap().is_some());
}

#[tokio::test]
async fn what_the_caller_does_not_sample_is_not_sent() {
    let (sent, address) = Sent::collect().await;
    let traces = Traces::to(&address).unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let engine = engine(&store, &traces).flow(four()).start().await.unwrap();
    let unsampled = CALLER.replace("-01", "-00");
    engine.run("four", 1_u32).trace(&unsampled).await.unwrap().wait().await.unwrap();
    flushed(&traces).await;
    assert!(sent.spans().is_empty());
}
