//! What is asked of runs, one at a time and many at once.

use crate::support::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vastflow_sdk::{Flow, Node, NodeError, OnExhausted};

async fn status(at: &Running, id: &str) -> Value {
    at.get(&format!("/api/v1/runs/{id}")).send().await.is(200).json()["status"].clone()
}

async fn begin(at: &Running, flow: &str, id: &str) {
    at.post(&format!("/flow/{flow}"), "1").header("X-Async", "true").header("X-Request-Id", id).send().await.is(202);
}

async fn ended(at: &Running, id: &str) {
    at.engine.handle(id).await.unwrap().wait().await.unwrap();
}

#[tokio::test]
async fn a_run_is_paused_resumed_and_killed_and_asking_again_changes_nothing() {
    let at = open(engine().flow(waits("waits"))).await;
    begin(&at, "waits", "r").await;
    for _ in 0..2 {
        let row = at.post("/api/v1/runs/r/pause", r#"{"why":"lunch"}"#).send().await.is(200).json();
        assert_eq!(row["status"], "paused");
    }
    at.post("/api/v1/runs/r/resume", "").send().await.is(200);
    assert_eq!(status(&at, "r").await, "running");
    at.post("/api/v1/runs/r/kill", "{}").send().await.is(200);
    ended(&at, "r").await;
    assert_eq!(status(&at, "r").await, "stopped");
    for verb in ["pause", "resume", "stop", "kill"] {
        at.post(&format!("/api/v1/runs/r/{verb}"), "{}").send().await.problem(409, "run-ended");
        at.post(&format!("/api/v1/runs/none/{verb}"), "{}").send().await.problem(404, "unknown-run");
    }
}

#[tokio::test]
async fn signals_are_for_nodes_that_wait_for_them() {
    let at = open(engine().flow(waits("waits"))).await;
    begin(&at, "waits", "r").await;
    at.post("/api/v1/runs/r/signals/stay", "1").send().await.problem(404, "unknown-signal");
    at.post("/api/v1/runs/r/pause", "").send().await.is(200);
    for _ in 0..2 {
        // Once more is the same signal.
        at.post("/api/v1/runs/r/signals/go", "\0\u{ff}").header("X-Request-Id", "s1").send().await.is(204);
    }
    at.post("/api/v1/runs/r/resume", "").send().await.is(200);
    ended(&at, "r").await;
    assert_eq!(at.get("/api/v1/runs/r/output").send().await.is(200).text(), "after(\0\u{ff})");
}

#[tokio::test]
async fn runs_go_on_from_others() {
    let at = open(engine().flow(fails("fails")).flow(chain("f", &["a", "b"]))).await;
    let failed = at.post("/flow/fails", "1").header("X-Request-Id", "bad").send().await;
    failed.problem(500, "run-failed");
    let again = at.post("/api/v1/runs/bad/retry", r#"{"why":"it may work"}"#).send().await.is(201).json();
    assert_eq!((&again["id"], &again["origin"]["why"]), (&json!("bad.retry1"), &json!("it may work")));
    let same = at.post("/api/v1/runs/bad/retry", "{}").send().await.is(201).json();
    assert_eq!(same["id"], "bad.retry1", "asking again gives the same run");
    at.post("/flow/f", "x").header("X-Request-Id", "good").send().await.is(200);
    at.post("/api/v1/runs/good/retry", "{}").send().await.problem(409, "run-ended");
    assert_eq!(at.post("/api/v1/runs/good/rerun", "{}").send().await.is(201).json()["id"], "good.rerun1");
    let fork = |body: Value| at.post("/api/v1/runs/good/fork", body.to_string());
    assert_eq!(fork(json!({"node": "b", "input": "new", "id": "forked"})).send().await.is(201).json()["id"], "forked");
    ended(&at, "forked").await;
    assert_eq!(at.get("/api/v1/runs/forked/output").send().await.is(200).text(), "b(\"new\")");
    fork(json!({"node": "a", "output": 7, "id": "given"})).send().await.is(201);
    ended(&at, "given").await;
    assert_eq!(at.get("/api/v1/runs/given/output").send().await.is(200).text(), "b(7)");
    fork(json!({"node": "none"})).send().await.problem(404, "unknown-place");
    fork(json!({"node": "a", "input": 1, "output": 1})).send().await.problem(400, "bad-request");
}

/// A run whose first node waits for an operator until `works` is set.
fn parks(name: &str, works: &Arc<AtomicBool>) -> Flow<u64, u64> {
    Flow::dag(name, |dag, n: Node<u64>| {
        let works = Arc::clone(works);
        let charge = move |n: u64| {
            let works = works.load(Ordering::SeqCst);
            async move { if works { Ok(n) } else { Err(NodeError::fatal("no money")) } }
        };
        dag.node("charge", charge, n).on_exhausted(OnExhausted::Pause)
    })
    .unwrap()
}

async fn parked(at: &Running, id: &str) {
    begin(at, "parks", id).await;
    let run = at.engine.handle(id).await.unwrap();
    let mut events = run.events();
    while let Some(event) = events.next().await.unwrap() {
        if event.recorded.event.name() == "NodeParked" {
            return;
        }
    }
}

#[tokio::test]
async fn an_operator_says_how_it_goes_on() {
    let works = Arc::new(AtomicBool::new(false));
    let at = open(engine().flow(parks("parks", &works))).await;
    let resolve = |id: &str, body: Value| at.post(&format!("/api/v1/runs/{id}/resolve"), body.to_string());
    for (id, body, output) in [
        ("skip", json!({"at": "charge", "choice": "skip"}), "null"),
        ("done", json!({"at": "charge", "choice": "done", "output": 9, "why": "by hand"}), "9"),
        ("retry", json!({"at": "charge", "choice": "retry"}), "1"),
    ] {
        parked(&at, id).await;
        assert_eq!(status(&at, id).await, "needs-attention");
        let own = at.get(&format!("/api/v1/runs/{id}/attention")).send().await.is(200).json();
        assert_eq!(own["items"][0]["at"], "charge");
        let all = at.get("/api/v1/attention").send().await.is(200).json();
        assert_eq!((&all["items"][0]["kind"], &all["items"][0]["run"]), (&json!("operator"), &json!(id)));
        resolve(id, json!({"at": "none", "choice": "skip"})).send().await.problem(404, "unknown-place");
        works.store(id == "retry", Ordering::SeqCst);
        resolve(id, body).send().await.is(200);
        ended(&at, id).await;
        assert_eq!(at.get(&format!("/api/v1/runs/{id}/output")).send().await.is(200).text(), output);
    }
}

#[tokio::test]
async fn a_run_that_is_over_is_deleted_and_its_id_is_free() {
    let at = open(engine().flow(chain("f", &["a"])).flow(waits("waits"))).await;
    at.post("/flow/f", "x").header("X-Request-Id", "r").send().await.is(200);
    at.ask("DELETE", "/api/v1/runs/r").send().await.is(204);
    at.get("/api/v1/runs/r").send().await.problem(404, "unknown-run");
    at.post("/flow/f", "other").header("X-Request-Id", "r").send().await.is(200);
    begin(&at, "waits", "w").await;
    at.ask("DELETE", "/api/v1/runs/w").send().await.problem(409, "run-not-ended");
}

#[tokio::test]
async fn many_runs_are_counted_first_and_then_stopped() {
    let at = open(engine().flow(waits("waits")).flow(chain("f", &["a"]))).await;
    for id in ["a", "b", "c"] {
        begin(&at, "waits", id).await;
    }
    at.post("/flow/f", "x").send().await.is(200);
    let bulk = |body: Value| at.post("/api/v1/runs/bulk", body.to_string());
    let filter = json!({"flow": "waits", "status": "running"});
    let preview = bulk(json!({"action": "stop", "filter": filter})).send().await.is(200).json();
    assert_eq!((&preview["dry_run"], &preview["matched"], &preview["done"]), (&json!(true), &json!(3), &json!(0)));
    assert_eq!(preview["sample"].as_array().unwrap().len(), 3);
    assert_eq!(status(&at, "a").await, "running");
    let stop = |expected| bulk(json!({"action": "stop", "filter": filter, "dry_run": false, "expected": expected}));
    stop(2).send().await.problem(409, "bulk-changed");
    assert_eq!(status(&at, "a").await, "running");
    let done = stop(3).send().await.is(200).json();
    assert_eq!((&done["done"], &done["more"]), (&json!(3), &json!(false)));
    for id in ["a", "b", "c"] {
        ended(&at, id).await;
    }
    let named = bulk(json!({"action": "retry", "ids": ["a", "none"], "dry_run": false})).send().await.is(200).json();
    assert_eq!((&named["done"], &named["failed"][0]["code"]), (&json!(1), &json!("unknown-run")));
    let gone = bulk(json!({"action": "delete", "filter": {"flow": "waits", "status": "stopped"}, "dry_run": false}));
    assert_eq!(gone.send().await.is(200).json()["done"], 3);
    for body in [json!({"action": "stop"}), json!({"action": "stop", "ids": ["a"], "filter": {}})] {
        bulk(body).send().await.problem(400, "bad-request");
    }
}
