//! What calls said, over HTTP.

use crate::support::*;
use vastflow_sdk::{Bytes, Ctx, Flow, Node, Result};

const CANARY: &str = "canary-of-a-handler";

#[tokio::test]
async fn what_calls_said_is_for_those_who_may_see_payloads() {
    async fn talks(ctx: Ctx, text: Bytes) -> Result<Bytes> {
        ctx.log(format!("{CANARY} {}", ctx.attempt()));
        Ok(text)
    }
    let flow = Flow::dag("f", |dag, text: Node<'_, Bytes>| {
        let text = dag.node("one", talks, text);
        dag.node("two", talks, text)
    });
    let at = guarded(engine().flow(flow.unwrap())).await;
    at.post("/flow/f", "x").token(ALL).header("X-Request-Id", "r").send().await.is(200);
    let logs = at.get("/api/v1/runs/r/logs").token(READER).send().await.is(200).json();
    let lines = logs["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2, "{logs}");
    assert_eq!((lines[0]["node"].as_str(), lines[1]["node"].as_str()), (Some("one"), Some("two")));
    assert_eq!(lines[0]["text"], format!("{CANARY} 1"));
    assert_eq!((logs["dropped"].as_u64(), logs["next"].as_str()), (Some(0), None));
    let two = at.get("/api/v1/runs/r/logs?node=two").token(READER).send().await.is(200).json();
    assert_eq!(two["lines"].as_array().unwrap().len(), 1);
    let first = at.get("/api/v1/runs/r/logs?limit=1").token(READER).send().await.is(200).json();
    let next = first["next"].as_str().unwrap();
    let rest = at.get(&format!("/api/v1/runs/r/logs?after={next}")).token(READER).send().await.is(200).json();
    assert_eq!(rest["lines"][0]["node"], "two", "{rest}");
    at.get("/api/v1/runs/r/logs?scope=nowhere[1]").token(READER).send().await.problem(404, "unknown-place");
    // Nobody else reads a word of it: not from the list of events, the view, the metrics, or the service's own lines.
    at.get("/api/v1/runs/r/logs").token(ADMIN).send().await.problem(403, "payload-not-allowed");
    for path in ["/api/v1/runs/r/events", "/api/v1/runs/r/view", "/api/v1/runs/r", "/metrics"] {
        let text = at.get(path).token(ADMIN).send().await.is(200).text();
        assert!(!text.contains(CANARY), "{path}: {text}");
    }
    assert!(at.get("/api/v1/runs/r/events").token(VIEWER).send().await.is(200).text().contains("said 1 line"));
    assert!(!heard().contains(CANARY));
}
