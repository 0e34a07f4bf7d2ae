//! How a service ends, and what its log has.

use crate::support::*;
use vastflow_server::Service;

#[tokio::test]
async fn who_waits_is_told_where_to_ask_when_the_service_ends() {
    let at = open(engine().flow(waits("waits"))).await;
    let mut asked = at.post("/flow/waits", "x").header("X-Request-Id", "r").open().await;
    while at.engine.handle("r").await.is_err() {
        tokio::task::yield_now().await;
    }
    let mut stream = at.get("/api/v1/runs/r/stream").listen().await;
    stream.next().await.unwrap();
    at.end();
    let (status, _) = head(&mut asked).await;
    assert_eq!(status, 202, "it goes on, and can be asked for elsewhere");
    while stream.next().await.is_some() {}
}

#[tokio::test]
async fn the_engine_is_shut_down_with_the_service() {
    let mut at = open(engine().flow(chain("f", &["a"]))).await;
    at.post("/flow/f", "x").send().await.is(200);
    at.end();
    let ended = std::mem::replace(&mut at.ended, tokio::spawn(async { Ok(()) }));
    ended.await.unwrap().unwrap();
    assert!(at.engine.run("f", 1).await.is_err(), "it takes nothing any more");
    let refused = tokio::net::TcpStream::connect(at.address).await;
    assert!(refused.is_err(), "and nobody listens");
}

#[tokio::test]
async fn who_hangs_up_is_in_the_audit_log_all_the_same() {
    let at = guarded(engine().flow(waits("waits"))).await;
    let asked = at.post("/flow/waits", "x").token(ALL).header("X-Request-Id", "r").open().await;
    while at.engine.handle("r").await.is_err() {
        tokio::task::yield_now().await;
    }
    drop(asked);
    let noted = async {
        loop {
            let log = at.get("/api/v1/audit?operation=call_flow").token(ADMIN).send().await.is(200).json();
            if let Some(row) = log["items"].as_array().unwrap().first() {
                break row.clone();
            }
        }
    };
    let row = tokio::time::timeout(WAIT, noted).await.expect("it is noted");
    assert_eq!((&row["who"], &row["request_id"], &row["status"]), (&"all".into(), &"r".into(), &202.into()));
}

/// All that is logged by all tests is heard, down to the least of it.
#[tokio::test]
async fn no_token_and_no_payload_is_in_any_log_line() {
    let at = Running::of(Service::new(engine().flow(chain("f", &["a"])).flow(waits("waits"))).tokens(tokens())).await;
    at.post("/flow/f?canary-query", "canary-input").token(ALL).header("X-Secret", "canary-header").send().await.is(200);
    at.post("/flow/waits", "canary-input")
        .token(ALL)
        .header("X-Request-Id", "r")
        .header("X-Async", "true")
        .send()
        .await
        .is(202);
    at.post("/api/v1/runs/r/signals/go", "canary-signal").token(ALL).send().await.is(204);
    at.post("/api/v1/runs", "{canary-json}").token(ALL).send().await.is(400);
    at.post("/api/v1/runs", r#"{"flow":["canary-value"]}"#).token(ALL).send().await.is(400);
    at.get("/api/v1/me").token("canary-token").send().await.is(401);
    at.get("/api/v1/runs/r/stream").token(VIEWER).listen().await.next().await.unwrap();
    let log = heard();
    assert!(log.contains("audit") && log.contains("call_flow"), "it was heard: {log}");
    for secret in ["canary", ALL, VIEWER, OPERATOR, ADMIN, READER, OTHER] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} stands in the log: {line:?}");
    }
}
