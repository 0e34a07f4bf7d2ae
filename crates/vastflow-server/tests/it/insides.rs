//! What the dashboard looks at: what flowed in and out of nodes, contexts, items, figures, grids, what waits.

use crate::support::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use vastflow_core::Timestamp;
use vastflow_sdk::{Ctx, Dag, Flow, Node, NodeError, Result, TimesExt as _};
use vastflow_worker::Engine;

/// Items below zero fail; the sum is kept in the context.
fn order(name: &str) -> Flow<Vec<i64>, String> {
    Flow::dag(name, |dag: &Dag, items: Node<'_, Vec<i64>>| {
        let kept = dag.node("keep", keep, items);
        let paid = dag.for_each("each", kept, |dag, item| dag.node("charge", charge, item));
        dag.node("ship", ship, (kept, paid))
    })
    .unwrap()
}

async fn keep(ctx: Ctx, items: Vec<i64>) -> Result<Vec<i64>> {
    ctx.put("sum", items.iter().sum::<i64>());
    Ok(items)
}

async fn charge(item: i64) -> Result<i64, NodeError> {
    if item < 0 { Err(NodeError::fatal(format!("card declined for {item}"))) } else { Ok(item * 2) }
}

async fn ship((kept, paid): (Vec<i64>, Vec<i64>)) -> Result<String> {
    Ok(format!("{} of {} shipped", paid.len(), kept.len()))
}

async fn start(at: &Running, flow: &str, id: &str, input: Value) {
    let body = json!({"flow": flow, "id": id, "input": input}).to_string();
    at.post("/api/v1/runs", body).token(ALL).send().await.is(201);
}

async fn ended(at: &Running, id: &str) {
    at.engine.handle(id).await.unwrap().wait().await.unwrap();
}

#[tokio::test]
async fn what_flowed_in_and_out_of_a_node_is_for_those_who_may_read_payloads() {
    let at = guarded(engine().flow(order("f"))).await;
    start(&at, "f", "r", json!([3, 4])).await;
    ended(&at, "r").await;
    let read = async |path: &str| at.get(&format!("/api/v1/runs/r/{path}")).token(READER).send().await.is(200);
    let input = read("nodes/input?at=keep").await;
    assert_eq!((input.text().as_str(), input.header("content-type")), ("[3,4]", Some("application/json")));
    assert_eq!(read("nodes/output?at=each").await.text(), "[6,8]");
    assert_eq!(read("nodes/input?at=ship").await.text(), "[[3,4],[6,8]]", "two values are what its code takes");
    assert_eq!(read("nodes/input?at=each%5B1%5D/charge").await.text(), "4");
    assert_eq!(read("nodes/output?at=each%5B1%5D/charge").await.text(), "8");
    let context = read("context").await.json();
    assert_eq!(context["items"], json!([{"key": "sum", "bytes": 1, "text": "7", "cut": false}]));
    for path in ["nodes/input?at=keep", "nodes/output?at=keep", "context"] {
        at.get(&format!("/api/v1/runs/r/{path}")).token(ADMIN).send().await.problem(403, "payload-not-allowed");
    }
    for (path, status, code) in [
        ("nodes/output?at=nobody", 404, "unknown-place"),
        ("nodes/output?at=each%5B7%5D/charge", 404, "unknown-place"),
        ("nodes/output", 400, "bad-request"),
        ("context?scope=nowhere", 404, "unknown-place"),
    ] {
        at.get(&format!("/api/v1/runs/r/{path}")).token(READER).send().await.problem(status, code);
    }
}

#[tokio::test]
async fn items_and_their_events_are_shown_a_page_at_a_time() {
    let at = guarded(engine().flow(order("f"))).await;
    start(&at, "f", "r", json!([1, 2, -3])).await;
    ended(&at, "r").await;
    at.get("/api/v1/runs/r/nodes/output?at=ship").token(READER).send().await.problem(409, "no-output");
    let scopes = async |query: &str| {
        at.get(&format!("/api/v1/runs/r/scopes?at=each{query}")).token(VIEWER).send().await.is(200).json()
    };
    let keys = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect()
    };
    let failed = scopes("&status=failed").await;
    assert_eq!(keys(&failed), ["2"]);
    assert!(failed["items"][0]["said"].as_str().unwrap().contains("card declined for -3"));
    let first = scopes("&limit=2").await;
    assert_eq!((keys(&first), &first["next"]), (vec!["0".to_owned(), "1".to_owned()], &json!("2")));
    let rest = scopes("&limit=2&after=2").await;
    assert_eq!((keys(&rest), &rest["next"]), (vec!["2".to_owned()], &Value::Null));
    at.get("/api/v1/runs/r/scopes?at=each&status=odd").token(VIEWER).send().await.problem(400, "bad-request");
    let events = at.get("/api/v1/runs/r/events?scope=each%5B2%5D&limit=2").token(VIEWER).send().await.is(200).json();
    assert_eq!((&events["items"][1]["node"], &events["next"]), (&json!("charge"), &json!("2")));
}

#[tokio::test]
async fn a_grid_shows_where_runs_break_and_figures_how_many() {
    let at = guarded(engine().flow(order("f")).flow(chain("other", &["a"]))).await;
    for (id, input) in [("good", json!([1])), ("bad", json!([-1]))] {
        start(&at, "f", id, input).await;
        ended(&at, id).await;
    }
    let grid = at.get("/api/v1/flows/f/grid").token(VIEWER).send().await.is(200).json();
    assert_eq!(grid["nodes"], json!(["keep", "each", "ship"]));
    let row = |at: usize| (grid["runs"][at]["run"]["id"].clone(), grid["runs"][at]["states"].clone());
    assert_eq!(row(1), (json!("good"), json!(["succeeded", "succeeded", "succeeded"])));
    let (id, states) = row(0);
    assert_eq!((id, &states[0], &states[1]), (json!("bad"), &json!("succeeded"), &json!("failed")));
    let stats = at.get("/api/v1/flows/f/stats").token(VIEWER).send().await.is(200).json();
    assert_eq!((&stats["nodes"][0]["name"], &stats["nodes"][0]["runs"]), (&json!("keep"), &json!(2)));
    assert!(stats["nodes"][0]["p95_ms"].is_u64());
    let figures = at.get("/api/v1/figures?minutes=5&buckets=5&flow=f").token(VIEWER).send().await.is(200).json();
    let sum = |key: &str| figures[key].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("started"), sum("succeeded"), sum("failed"), sum("stopped")), (2, 1, 1, 0));
    assert_eq!((&figures["step_ms"], &figures["is_partial"]), (&json!(60_000), &json!(false)));
    assert_eq!(figures["p95_ms"].as_array().unwrap().len(), 5);
    let theirs = at.get("/api/v1/figures").token(OTHER).send().await.is(200).json();
    assert_eq!(theirs["looked_at"], 0, "figures are of what one may see");
    at.get("/api/v1/flows/nothing/grid").token(VIEWER).send().await.problem(404, "unknown-flow");
}

#[tokio::test]
async fn runs_are_found_by_time_text_and_several_statuses() {
    let at = guarded(engine().flow(order("f")).flow(waits("waits"))).await;
    start(&at, "f", "order-1", json!([1])).await;
    start(&at, "f", "order-2", json!([-77])).await;
    for id in ["order-1", "order-2"] {
        ended(&at, id).await;
    }
    let labelled = json!({"flow": "waits", "id": "w", "labels": {"customer": "Ann Marie"}}).to_string();
    at.post("/api/v1/runs", labelled).token(ALL).send().await.is(201);
    let ids = async |query: &str| -> Vec<String> {
        let page = at.get(&format!("/api/v1/runs{query}")).token(VIEWER).send().await.is(200).json();
        page["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("?status=failed&status=succeeded").await, ["order-2", "order-1"]);
    assert_eq!(ids("?status=failed&status=running").await, ["w", "order-2"]);
    assert_eq!(ids("?q=ann%20m").await, ["w"]);
    assert_eq!(ids("?q=DECLINED").await, ["order-2"]);
    assert_eq!(ids("?id=order-&limit=1").await, ["order-2"]);
    let first = at.get("/api/v1/runs?id=order-&limit=1").token(VIEWER).send().await.json();
    let next = first["next"].as_str().unwrap();
    assert_eq!(ids(&format!("?id=order-&limit=1&before={next}")).await, ["order-1"]);
    let began = at.get("/api/v1/runs/order-1").token(VIEWER).send().await.json()["started_at_ms"].as_u64().unwrap();
    assert!(ids(&format!("?until_ms={began}")).await.is_empty());
    assert_eq!(ids(&format!("?since_ms={began}&until_ms={}", began + 60_000)).await.len(), 3);
    let bulk = json!({"action": "retry", "filter": {"q": "declined", "since_ms": began}}).to_string();
    assert_eq!(at.post("/api/v1/runs/bulk", bulk).token(ALL).send().await.is(200).json()["sample"], json!(["order-2"]));
    let bulk = json!({"action": "retry", "filter": {"until_ms": began}}).to_string();
    assert_eq!(at.post("/api/v1/runs/bulk", bulk).token(ALL).send().await.is(200).json()["matched"], 0);
}

#[tokio::test]
async fn who_waits_for_what_and_since_when() {
    let parks = Flow::dag("parks", |dag, n: Node<'_, i64>| {
        dag.node("charge", charge, n).retry(0.times()).on_exhausted(vastflow_sdk::OnExhausted::Pause)
    });
    let at = guarded(engine().flow(order("f")).flow(waits("waits")).flow(parks.unwrap())).await;
    start(&at, "f", "failed", json!([-1])).await;
    ended(&at, "failed").await;
    start(&at, "parks", "parked", json!(-1)).await;
    at.post("/flow/waits", "x").token(OPERATOR).header("X-Async", "true").header("X-Request-Id", "waits").send().await;
    let list = async |query: &str| {
        at.get(&format!("/api/v1/attention{query}")).token(VIEWER).send().await.is(200).json()["items"].clone()
    };
    let deadline = std::time::Instant::now() + WAIT;
    while list("?signal_after_ms=0").await.as_array().unwrap().len() < 3 {
        assert!(std::time::Instant::now() < deadline, "{}", list("?signal_after_ms=0").await);
    }
    let all = list("?signal_after_ms=0").await;
    let told: Vec<_> = all.as_array().unwrap().iter().map(|item| (&item["kind"], &item["run"], &item["at"])).collect();
    let (none, go) = (Value::Null, json!("go"));
    let expected = [
        (json!("operator"), json!("parked"), json!("charge")),
        (json!("signal"), json!("waits"), go.clone()),
        (json!("failed"), json!("failed"), none),
    ];
    assert_eq!(told, expected.iter().map(|(kind, run, at)| (kind, run, at)).collect::<Vec<_>>());
    assert!(all.as_array().unwrap().iter().all(|item| item["since_ms"].as_u64().unwrap() > 1_000_000));
    assert_eq!(all[1]["signal"], go);
    assert_eq!(list("").await.as_array().unwrap().len(), 2, "a signal may be waited for for an hour");
    assert_eq!(list("?kind=failed").await[0]["run"], "failed");
    assert_eq!(list("?flow=parks").await.as_array().unwrap().len(), 1);
    at.get("/api/v1/attention?kind=odd").token(VIEWER).send().await.problem(400, "bad-request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_runs_alone_is_told_as_a_suspect_and_asks_for_nothing() {
    let (store, calls) = (store(), Arc::new(AtomicU32::new(0)));
    let hangs = Flow::dag("hangs", |dag, n: Node<'_, u64>| {
        let calls = Arc::clone(&calls);
        let hang = move |n: u64| {
            calls.fetch_add(1, Ordering::SeqCst);
            async move {
                std::future::pending::<()>().await;
                Ok::<_, NodeError>(n)
            }
        };
        dag.node("n", hang, n)
    });
    let hangs = hangs.unwrap();
    let on = || Engine::on(Arc::clone(&store)).lease(Duration::from_secs(1)).flow(hangs.clone()).flow(fails("fails"));
    let called = async |times: u32| {
        let deadline = Instant::now() + WAIT;
        while calls.load(Ordering::SeqCst) < times {
            assert!(Instant::now() < deadline, "it is not called {times} times");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    for lives in 1..=2 {
        let engine = on().start().await.unwrap();
        let failed = engine.run("fails", 1_u64).id("failed").await.unwrap();
        failed.wait().await.unwrap();
        drop((failed, engine.run("hangs", 1_u64).id("r").await.unwrap()));
        called(lives).await;
        drop(engine);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        store.sweep(Timestamp::from_millis(u64::MAX / 2), 16).await.unwrap();
    }
    let at = guarded(on()).await;
    called(3).await;
    let list = async |token: &str, query: &str| {
        at.get(&format!("/api/v1/attention{query}")).token(token).send().await.is(200).json()["items"].clone()
    };
    let all = list(VIEWER, "").await;
    let told: Vec<_> = all.as_array().unwrap().iter().map(|item| (&item["kind"], &item["run"], &item["at"])).collect();
    let none = Value::Null;
    assert_eq!(told, [(&json!("suspect"), &json!("r"), &none), (&json!("failed"), &json!("failed"), &none)]);
    assert!(all[0]["why"].as_str().unwrap().contains(r#""n" was under way"#), "{all}");
    assert_eq!(list(VIEWER, "?kind=suspect").await.as_array().unwrap().len(), 1);
    assert_eq!(list(VIEWER, "?kind=quarantined").await, json!([]));
    assert_eq!(list(VIEWER, "?flow=fails&kind=suspect").await, json!([]));
    assert_eq!(list(OTHER, "").await, json!([]));
    let row = at.get("/api/v1/runs/r").token(VIEWER).send().await.is(200).json();
    assert_eq!(row["status"], "running", "it waits for nobody");
}

#[tokio::test]
async fn the_audit_log_tells_why_and_is_searched() {
    let at = guarded(engine().flow(waits("f"))).await;
    at.post("/flow/f", "x").token(ALL).header("X-Async", "true").header("X-Request-Id", "r").send().await.is(202);
    for why in ["lunch", "tea"] {
        let body = json!({ "why": why }).to_string();
        at.post("/api/v1/runs/r/pause", body).token(OPERATOR).send().await.is(200);
    }
    let audit = async |query: &str| at.get(&format!("/api/v1/audit{query}")).token(ADMIN).send().await.is(200).json();
    let of_run = audit("?run=r").await;
    assert_eq!(of_run["items"].as_array().unwrap().len(), 2, "what was about the run");
    assert_eq!((&of_run["items"][0]["why"], &of_run["items"][0]["run"]), (&json!("tea"), &json!("r")));
    at.ask("DELETE", "/api/v1/runs/r?why=too%20old").token(ADMIN).send().await.problem(409, "run-not-ended");
    assert_eq!(audit("?operation=delete_run").await["items"][0]["why"], "too old");
    assert_eq!(audit("?who=all").await["items"][0]["operation"], "call_flow");
    assert!(audit("?who=all").await["items"][0].get("why").is_none(), "what goes to a run is not looked into");
    let first = audit("?operation=pause_run&limit=1").await;
    let rest = audit(&format!("?operation=pause_run&limit=1&before={}", first["next"].as_str().unwrap())).await;
    assert_eq!((&rest["items"][0]["why"], &rest["next"]), (&json!("lunch"), &Value::Null));
}

#[tokio::test]
async fn the_audit_log_tells_of_how_many_runs_what_was_asked() {
    let at = guarded(engine().flow(waits("w"))).await;
    for id in ["a", "b"] {
        at.post("/flow/w", "x").token(ALL).header("X-Async", "true").header("X-Request-Id", id).send().await.is(202);
    }
    let bulk = |body: Value| at.post("/api/v1/runs/bulk", body.to_string()).token(ALL);
    bulk(json!({"action": "stop", "filter": {"flow": "w"}})).send().await.is(200);
    let ids = json!(["a", "none"]);
    bulk(json!({"action": "stop", "ids": ids, "dry_run": false, "why": "lunch"})).send().await.is(200);
    let rows = at.get("/api/v1/audit?operation=bulk").token(ADMIN).send().await.is(200).json()["items"].clone();
    let counted =
        json!({"action": "stop", "dry_run": true, "filter": {"flow": "w"}, "matched": 2, "done": 0, "failed": 0});
    let stopped =
        json!({"action": "stop", "dry_run": false, "ids": ids, "matched": 1, "done": 1, "failed": 1, "sample": ["a"]});
    assert_eq!((&rows[1]["bulk"], &rows[0]["bulk"], &rows[0]["why"]), (&counted, &stopped, &json!("lunch")));
}

#[tokio::test]
async fn a_call_under_way_is_said_to_be_in_the_hands_of_its_worker() {
    let (began, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes) = (Arc::clone(&began), Arc::clone(&go));
    let flow = Flow::dag("slow", |dag: &Dag, input: Node<'_, u32>| {
        let wait = move |input: u32| {
            let (begins, goes) = (Arc::clone(&begins), Arc::clone(&goes));
            async move {
                begins.notify_one();
                goes.notified().await;
                Ok::<_, NodeError>(input)
            }
        };
        dag.node("wait", wait, input)
    });
    let at = guarded(engine().flow(flow.unwrap())).await;
    start(&at, "slow", "r", json!(1)).await;
    began.notified().await;
    let read = async |path: &str| at.get(path).token(ADMIN).send().await.is(200).json();
    let worker = read("/api/v1/workers").await["workers"][0]["id"].clone();
    assert!(worker.is_string());
    assert_eq!(read("/api/v1/runs/r/view").await["nodes"][0]["worker"], worker);
    go.notify_one();
    ended(&at, "r").await;
    assert_eq!(read("/api/v1/runs/r/view").await["nodes"][0]["worker"], Value::Null);
}
