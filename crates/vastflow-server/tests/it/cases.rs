//! Acceptance cases by their numbers; 25 to 30 are in the tests of `examples/service`.

use crate::support::*;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;
use vastflow_core::{Failure, RunOutcome};
use vastflow_sdk::{Bytes, Ctx, Dag, DurationExt, Flow, Graph, Node, NodeError, TimesExt};
use vastflow_server::{Principal, Service, sign};
use vastflow_worker::Engine;

/// Counts calls.
#[derive(Clone, Default)]
struct Calls(Arc<[AtomicU32; 4]>);

impl Calls {
    fn note(&self, at: usize) -> u32 {
        self.0[at].fetch_add(1, Ordering::SeqCst) + 1
    }

    fn all(&self) -> [u32; 4] {
        [0, 1, 2, 3].map(|at| self.0[at].load(Ordering::SeqCst))
    }

    fn node<'d>(&self, dag: &'d Dag, at: usize, input: Node<'d, u64>) -> Node<'d, u64> {
        let calls = self.clone();
        let call = move |n: u64| {
            calls.note(at);
            async move { Ok::<_, NodeError>(n + 1) }
        };
        dag.node(&format!("n{at}"), call, input)
    }
}

#[tokio::test]
async fn case_42_a_node_that_fails_is_rescued_or_fails_its_run() {
    let calls = Calls::default();
    let flow = |name: &str, is_rescued: bool| {
        let (failed, finally) = (calls.clone(), calls.clone());
        let boom = |_: u64| async { Err::<u64, _>(NodeError::fatal("boom")) };
        Flow::dag(name, |dag, n: Node<u64>| {
            let node = dag.node("charge", boom, n);
            dag.on_failure(move |_: RunOutcome| {
                failed.note(0);
                async { Ok::<_, NodeError>(()) }
            });
            dag.finally(move |_: RunOutcome| {
                finally.note(1);
                async { Ok::<_, NodeError>(()) }
            });
            if is_rescued { node.on_failure(|_: Failure| async { Ok::<_, NodeError>(7_u64) }) } else { node }
        })
        .unwrap()
    };
    let at = open(engine().flow(flow("rescued", true)).flow(flow("fails", false))).await;
    assert_eq!(at.post("/flow/rescued", "1").send().await.is(200).text(), "7");
    assert_eq!(calls.all(), [0, 1, 0, 0]);
    let failed = at.post("/flow/fails", "1").send().await.problem(500, "run-failed");
    let detail = failed.json()["detail"].to_string();
    assert!(detail.contains("charge") && detail.contains("boom"), "{detail}");
    assert_eq!(calls.all(), [1, 2, 0, 0], "on_failure, then finally, once");
}

#[tokio::test]
async fn case_43_only_the_node_that_failed_is_tried_again() {
    let calls = Calls::default();
    let flow = Flow::dag("tries", |dag, n: Node<u64>| {
        let first = calls.node(dag, 0, n);
        let own = calls.clone();
        let second = move |n: u64| {
            let number = own.note(1);
            async move { if number < 3 { Err(NodeError::new("not yet")) } else { Ok(n + 1) } }
        };
        let second = dag.node("n1", second, first).retry(3.times().every(1.ms()));
        calls.node(dag, 2, second)
    })
    .unwrap();
    let at = open(engine().flow(flow)).await;
    assert_eq!(at.post("/flow/tries", "1").send().await.is(200).text(), "4");
    assert_eq!(calls.all(), [1, 3, 1, 0]);
}

#[tokio::test]
async fn case_48_a_run_that_is_stopped_begins_nothing_and_leaves_nothing() {
    let (calls, begun, go) = (Calls::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let flow = Flow::dag("stops", |dag, n: Node<u64>| {
        let first = calls.node(dag, 0, n);
        let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
        let second = move |n: u64| {
            let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
            async move {
                begun.notify_one();
                go.notified().await;
                Ok::<_, NodeError>(n + 1)
            }
        };
        let second = dag.node("n1", second, first);
        let finally = calls.clone();
        dag.finally(move |_: RunOutcome| {
            finally.note(3);
            async { Ok::<_, NodeError>(()) }
        });
        calls.node(dag, 2, second)
    })
    .unwrap();
    let at = open(engine().flow(flow)).await;
    at.post("/flow/stops", "1").header("X-Async", "true").header("X-Request-Id", "r").send().await.is(202);
    begun.notified().await;
    let stopping = at.post("/api/v1/runs/r/stop", r#"{"why":"lunch"}"#).send().await.is(200).json();
    assert_eq!(stopping["status"], "stopping");
    go.notify_one();
    at.engine.handle("r").await.unwrap().wait().await.unwrap();
    let row = at.get("/api/v1/runs/r").send().await.is(200).json();
    assert_eq!((&row["status"], &row["stopped"]), (&json!("stopped"), &json!({"by": "local", "why": "lunch"})));
    assert_eq!(calls.all(), [1, 0, 0, 1], "the third never ran, finally did");
    let queues = at.get("/api/v1/queues").send().await.is(200).json();
    assert_eq!(queues["items"], json!([]), "no calls are left");
    let root = vastflow_core::ScopeId::root(vastflow_core::RunId::new("r").unwrap());
    assert!(at.engine.store().tasks(&root).await.unwrap().is_empty(), "nor timers");
    at.post("/api/v1/runs/r/stop", "").send().await.problem(409, "run-ended");
}

#[tokio::test]
async fn case_50_states_and_lists_of_known_finished_and_unknown_runs() {
    let at = open(engine().flow(chain("done", &["a"])).flow(waits("waits"))).await;
    at.post("/flow/done", "x").header("X-Request-Id", "d").send().await.is(200);
    at.post("/flow/waits", "x").header("X-Request-Id", "w").header("X-Async", "true").send().await.is(202);
    for (flow, id, status) in [("done", "d", "succeeded"), ("waits", "w", "running")] {
        assert_eq!(at.get(&format!("/api/v1/runs/{id}")).send().await.is(200).json()["status"], status);
        for path in [format!("/flow/{flow}/request/state/{id}"), format!("/flow/{flow}/request/state{id}")] {
            assert_eq!(at.get(&path).send().await.is(200).json()["status"], status, "{path}");
        }
        let list = at.get(&format!("/flow/{flow}/request/list")).send().await.is(200).json();
        assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["id"]), (1, &json!(id)));
    }
    for path in ["/api/v1/runs/none", "/flow/done/request/state/none", "/flow/done/request/state/w"] {
        at.get(path).send().await.problem(404, "unknown-run");
    }
    at.get("/flow/none/request/list").send().await.problem(404, "unknown-flow");
    let paused = at.post("/flow/waits/request/pause/w", "").send().await.is(200).text();
    assert_eq!(paused, "Pause request submitted");
    assert_eq!(at.get("/api/v1/runs/w").send().await.json()["status"], "paused");
    assert_eq!(at.post("/flow/waits/request/resumew", "").send().await.is(200).text(), "Resume request submitted");
    assert_eq!(at.post("/flow/waits/request/stop:w", "").send().await.is(200).text(), "Stop request submitted");
    at.post("/flow/waits/request/stop/none", "").send().await.problem(404, "unknown-run");
    at.post("/flow/waits/request/halt/w", "").send().await.problem(404, "not-found");
    at.post("/flow/none", "x").send().await.problem(404, "unknown-flow");
}

const SECRET: &[u8] = b"a secret of 16 bytes or more";

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn signed(at: &Running, path: &str, body: &str, id: &str) -> Ask {
    let signature = sign(SECRET, id, now(), ("POST", path), body.as_bytes());
    let ask = at.post(path, body).header("X-Vastflow-Id", id).header("X-Vastflow-Timestamp", now());
    ask.header("X-Vastflow-Signature", signature)
}

#[tokio::test]
async fn case_51_signed_requests_are_taken_and_all_others_refused_at_once() {
    let who = Principal::new("signer", vastflow_api::access::Scope::ALL, ["*"]);
    let service = Service::new(engine().flow(chain("f", &["a"])).flow(waits("w"))).hmac(SECRET, &who);
    let at = Running::of(service).await;
    assert_eq!(signed(&at, "/flow/f", "x", "m1").send().await.is(200).text(), "a(x)");
    signed(&at, "/flow/w", "x", "m2").header("X-Async", "true").header("X-Request-Id", "r").send().await.is(202);
    signed(&at, "/flow/f", "x", "m1").send().await.problem(401, "signature-replayed");
    at.post("/flow/f", "x").send().await.problem(401, "unauthenticated");
    for (path, body) in [("/flow/f", "x"), ("/api/v1/runs/r/stop", "{}")] {
        let wrong = signed(&at, path, body, "m3").body(format!("{body} "));
        wrong.send().await.problem(401, "signature-invalid");
        at.post(path, body).header("X-Async", "true").send().await.problem(401, "unauthenticated");
    }
    let of_another = signed(&at, "/api/v1/runs/r/pause", "{}", "m4");
    let elsewhere = sign(SECRET, "m4", now(), ("POST", "/api/v1/runs/r/stop"), b"{}");
    of_another.header("X-Vastflow-Signature", elsewhere).send().await.problem(401, "signature-invalid");
    assert_eq!(at.engine.store().counts().await.unwrap().running, 1, "nothing was started or stopped");
    signed(&at, "/api/v1/runs/r/stop", "{}", "m5").send().await.is(200);
    at.engine.handle("r").await.unwrap().wait().await.unwrap();
}

#[tokio::test]
async fn case_51_goflows_signature_counts_only_where_it_was_asked_for() {
    // HMAC-SHA256 of "x" with the secret, and what goflow sent.
    let good = {
        let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::Mac>::new_from_slice(SECRET).unwrap();
        hmac::Mac::update(&mut mac, b"x");
        let bytes = hmac::Mac::finalize(mac).into_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let who = Principal::new("goflow", vastflow_api::access::Scope::ALL, ["*"]);
    let service = || Service::new(engine().flow(chain("f", &["a"]))).hmac(SECRET, &who);
    let (plain, compatible) = (Running::of(service()).await, Running::of(service().goflow_hmac()).await);
    let ask = |at: &Running, kind| at.post("/flow/f", "x").header("X-Hub-Signature", format!("{kind}={good}"));
    ask(&plain, "sha256").send().await.problem(401, "unauthenticated");
    ask(&compatible, "sha256").send().await.is(200);
    ask(&compatible, "sha1").send().await.problem(401, "signature-invalid");
}

#[tokio::test]
async fn case_58_flows_come_while_the_service_runs() {
    let at = open(engine().flow(chain("one", &["a"]))).await;
    at.post("/flow/two", "x").send().await.problem(404, "unknown-flow");
    at.engine.register(chain("two", &["b"])).await.unwrap();
    assert_eq!(at.post("/flow/two", "x").send().await.is(200).text(), "b(x)");
    assert_eq!(at.post("/flow/one", "x").send().await.is(200).text(), "a(x)", "each is its own");
    assert!(at.engine.register(chain("two", &["c"])).await.is_err());
    at.engine.replace(chain("two", &["c"])).await.unwrap();
    assert_eq!(at.post("/flow/two", "x").send().await.is(200).text(), "c(x)");
    let flows = at.get("/api/v1/flows").send().await.is(200).json();
    let names: Vec<_> = flows["items"].as_array().unwrap().iter().map(|flow| flow["name"].clone()).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(flows["items"][1]["plans"].as_array().unwrap().len(), 2, "the old plan is kept for its runs");
}

#[tokio::test]
async fn case_60_one_trace_and_every_node_can_be_asked_for_after_the_end() {
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut graph = Graph::new("traced");
    for (at, node) in ["a", "b", "c", "d"].iter().enumerate() {
        let seen = Arc::clone(&seen);
        graph.node(node, move |ctx: Ctx, input: Bytes| {
            seen.lock().unwrap().push(ctx.info().trace.as_deref().unwrap_or("").to_owned());
            async move { Ok::<_, NodeError>(input) }
        });
        match at {
            0 => graph.input_to("a"),
            _ => graph.edge(["a", "b", "c", "d"][at - 1], node),
        };
    }
    let at = open(Engine::on(store()).flow(graph.build().unwrap())).await;
    at.post("/flow/traced", "x").header("traceparent", given).header("X-Request-Id", "r").send().await.is(200);
    assert_eq!(*seen.lock().unwrap(), [given; 4], "every node belongs to the same trace");
    let view = at.get("/api/v1/runs/r/view").send().await.is(200).json();
    assert_eq!((&view["status"], &view["trace"]), (&json!("succeeded"), &json!(given)));
    let (start, took) = (view["started_at_ms"].as_u64().unwrap(), view["took_ms"].as_u64().unwrap());
    let nodes = view["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|node| node["name"].clone()).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    for node in nodes {
        let (began, ended) = (node["began_at_ms"].as_u64().unwrap(), node["ended_at_ms"].as_u64().unwrap());
        assert!(start <= began && began <= ended && ended <= start + took, "the run's time covers {node}");
        assert_eq!((&node["status"], &node["calls"]), (&json!("succeeded"), &json!(1)));
        assert_eq!(node["attempts"].as_array().unwrap().len(), 1);
    }
    at.post("/flow/traced", "x").header("X-Request-Id", "own").send().await.is(200);
    let own = at.get("/api/v1/runs/own").send().await.json()["trace"].as_str().unwrap().to_owned();
    assert_eq!(own.len(), given.len(), "without one it has its own: {own}");
}
