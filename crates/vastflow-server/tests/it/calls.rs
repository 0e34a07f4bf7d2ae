//! `POST /flow/{name}`, and starting by JSON.

use crate::support::*;
use serde_json::json;
use vastflow_sdk::{Bytes, Ctx, Flow, Node, NodeError};

#[tokio::test]
async fn any_bytes_go_in_and_come_out_as_they_are() {
    let flow = Flow::dag("echo", |dag, input: Node<Bytes>| {
        dag.node("echo", |input: Bytes| async move { Ok::<_, NodeError>(input) }, input)
    });
    let at = open(engine().flow(flow.unwrap())).await;
    let bytes: Vec<u8> = (0..=255).collect();
    for kind in ["application/octet-stream", "application/json", "text/plain", ""] {
        let reply = at.post("/flow/echo", &bytes).header("Content-Type", kind).send().await.is(200);
        assert_eq!(reply.body, bytes, "{kind}");
    }
    let reply = at.post("/flow/echo", "").send().await.is(200);
    assert!(reply.body.is_empty());
    let reply = at.post("/flow/echo", r#"{"a": 1 }"#).header("Content-Type", "application/json").send().await.is(200);
    assert_eq!(reply.text(), r#"{"a": 1 }"#, "JSON is not written anew");
    at.ask("GET", "/flow/echo").send().await.problem(405, "method-not-allowed");
    assert_eq!(at.ask("PUT", "/flow/echo").send().await.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_typed_flow_reads_json_whatever_the_content_type() {
    let flow = Flow::dag("double", |dag, n: Node<u64>| {
        dag.node("double", |n: u64| async move { Ok::<_, NodeError>(2 * n) }, n)
    });
    let at = open(engine().flow(flow.unwrap())).await;
    for kind in ["application/json", "application/x-www-form-urlencoded"] {
        let reply = at.post("/flow/double", "21").header("Content-Type", kind).send().await.is(200);
        assert_eq!((reply.text().as_str(), reply.header("content-type")), ("42", Some("application/json")));
    }
    at.post("/flow/double", "many").send().await.problem(422, "input-mismatch");
}

#[tokio::test]
async fn who_waits_too_long_is_told_where_to_ask() {
    let at = open(engine().flow(waits("waits"))).await;
    let asked = at.post("/flow/waits", "x").header("Prefer", "wait=0").header("X-Request-Id", "r").send().await.is(202);
    let (json, id) = (asked.json(), Some("r"));
    assert_eq!((asked.header("x-request-id"), asked.header("x-reqid")), (id, id));
    assert_eq!((&json["id"], &json["status"]), (&json!("r"), &json!("running")));
    at.get(json["links"]["output"].as_str().unwrap()).send().await.problem(409, "no-output");
    at.get(json["links"]["view"].as_str().unwrap()).send().await.is(200);
    at.post("/api/v1/runs/r/signals/go", "now").send().await.is(204);
    let same = at.post("/flow/waits", "x").header("X-Request-Id", "r").send().await.is(200);
    assert_eq!(same.text(), "after(now)", "the same id and body is the same run");
    assert_eq!(at.get(json["links"]["output"].as_str().unwrap()).send().await.is(200).text(), "after(now)");
    assert_eq!(at.get("/api/v1/runs/r/input").send().await.is(200).text(), "x");
    at.post("/flow/waits", "y").header("X-Request-Id", "r").send().await.problem(409, "already-exists");
    at.post("/flow/waits", "y").header("X-Request-Id", "a b").send().await.problem(400, "invalid-id");
    at.post("/flow/waits", "y").header("X-Request-Id", "bestellung-ä").send().await.problem(400, "invalid-id");
    for header in [("X-Async", "TRUE"), ("Prefer", "respond-async, wait=100")] {
        at.post("/flow/waits", "x").header(header.0, header.1).send().await.is(202);
    }
}

#[tokio::test]
async fn query_and_headers_are_kept_with_the_run_but_no_secrets() {
    let flow = Flow::dag("asks", |dag, input: Node<Bytes>| {
        let tell = |ctx: Ctx, _: Bytes| async move {
            let names: Vec<String> = ctx.info().headers.iter().map(|(name, _)| name.to_string()).collect();
            Ok::<_, NodeError>(Bytes::from(format!("{} {:?} {}", ctx.query(), ctx.header("x-tenant"), names.join(","))))
        };
        dag.node("tell", tell, input)
    });
    let at = guarded(engine().flow(flow.unwrap())).await;
    let ask = at.post("/flow/asks?a=1&b=%20", "").token(ALL).header("X-Tenant", "t1").header("Cookie", "secret=1");
    let text = ask.send().await.is(200).text();
    assert!(text.starts_with("a=1&b=%20 Some(\"t1\") "), "{text}");
    assert!(text.contains("x-tenant") && !text.contains("authorization") && !text.contains("cookie"), "{text}");
}

#[tokio::test]
async fn nobody_is_called_back() {
    let at = open(engine().flow(chain("f", &["a"]))).await;
    for header in ["X-Callback-Url", "X-Faas-Flow-Callback-Url"] {
        let ask = at.post("/flow/f", "x").header(header, "http://127.0.0.1:1/");
        ask.send().await.problem(403, "callback-not-allowed");
    }
    assert_eq!(at.engine.store().counts().await.unwrap().unfinished(), 0, "nothing was started");
}

#[tokio::test]
async fn runs_are_started_by_json_once_however_often() {
    let at = open(engine().flow(chain("f", &["a"]))).await;
    let body = json!({"flow": "f", "input": {"n": 1}, "id": "r", "labels": {"who": "ann"}, "priority": 3}).to_string();
    for _ in 0..2 {
        let reply = at.post("/api/v1/runs", &body).send().await.is(201);
        assert_eq!(reply.header("location"), Some("/api/v1/runs/r"));
    }
    at.engine.handle("r").await.unwrap().wait().await.unwrap();
    let row = at.get("/api/v1/runs/r").send().await.is(200).json();
    assert_eq!((&row["labels"]["who"], &row["priority"]), (&json!("ann"), &json!(3)));
    assert_eq!(at.get("/api/v1/runs/r/output").send().await.is(200).text(), r#"a({"n":1})"#);
    at.post("/api/v1/runs", r#"{"flow":"none"}"#).send().await.problem(404, "unknown-flow");
    let slip = at.post("/api/v1/runs", r#"{"flow":"f","lable":{}}"#).send().await.problem(400, "bad-request");
    assert!(slip.text().contains("lable"), "{}", slip.text());
    at.post("/api/v1/runs", "{").send().await.problem(400, "bad-request");
}
