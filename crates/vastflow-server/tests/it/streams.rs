//! Server-sent events.

use crate::support::*;
use serde_json::json;
use std::time::Duration;
use vastflow_server::Service;

#[tokio::test]
async fn a_runs_events_come_as_they_are_recorded_and_end_with_it() {
    let at = open(engine().flow(waits("waits"))).await;
    at.post("/flow/waits", "x").header("X-Request-Id", "r").header("X-Async", "true").send().await.is(202);
    let mut stream = at.get("/api/v1/runs/r/stream").listen().await;
    assert!(stream.headers.contains(&("content-type".to_owned(), "text/event-stream".to_owned())));
    let mut all = vec![stream.next().await.unwrap(), stream.next().await.unwrap()];
    assert_eq!((all[0].id.as_str(), all[0].data["kind"].as_str()), ("0", Some("RunStarted")));
    at.post("/api/v1/runs/r/signals/go", "canary").send().await.is(204);
    while let Some(heard) = stream.next().await {
        assert!(!heard.data.to_string().contains("canary"));
        all.push(heard);
    }
    let end = all.last().unwrap();
    assert_eq!((end.name.as_str(), &end.data["status"]), ("end", &json!("succeeded")));
    for seen in 0..all.len() - 1 {
        let rest = at.get("/api/v1/runs/r/stream").header("Last-Event-ID", &all[seen].id).listen().await.all().await;
        assert_eq!(rest, all[seen + 1..], "after {}", all[seen].id);
    }
    let nothing = at.get("/api/v1/runs/r/stream").header("Last-Event-ID", "end").listen().await.all().await;
    assert_eq!(nothing.len(), 1, "the end, once more");
}

#[tokio::test]
async fn a_silent_stream_says_that_it_lives() {
    let limits = limits(|limits| limits.keep_alive = Duration::from_millis(50));
    let at = Running::of(Service::new(engine().flow(waits("waits"))).limits(limits)).await;
    let mut stream = at.get("/api/v1/stream").listen().await;
    assert_eq!(stream.next().await.unwrap().name, "alive");
}

/// The next that is told of a run when it stands so. All runs are looked at a few times a second: who looks in between sees
/// how it came there.
async fn told(stream: &mut Events, run: &str, status: &str) -> Heard {
    loop {
        let heard = stream.next().await.unwrap();
        assert_eq!((heard.name.as_str(), &heard.data["run"]["id"]), ("run", &json!(run)), "of no other run");
        if heard.data["run"]["status"] == status {
            return heard;
        }
    }
}

#[tokio::test]
async fn the_stream_of_all_runs_tells_of_every_run_and_goes_on_where_one_was() {
    let at = open(engine().flow(chain("f", &["a"])).flow(waits("waits"))).await;
    at.post("/flow/f", "x").header("X-Request-Id", "before").send().await.is(200);
    let mut stream = at.get("/api/v1/stream").listen().await;
    let mut other = at.get("/api/v1/stream?flow=waits").listen().await;
    at.post("/flow/f", "x").header("X-Request-Id", "f").send().await.is(200);
    // Not of those before.
    told(&mut stream, "f", "succeeded").await;
    at.post("/flow/waits", "x").header("X-Request-Id", "w").header("X-Async", "true").send().await.is(202);
    let begun = told(&mut stream, "w", "running").await;
    assert_eq!(other.next().await.unwrap(), begun, "the first of its flow");
    at.post("/api/v1/runs/w/pause", "{}").send().await.is(200);
    let paused = told(&mut stream, "w", "paused").await;
    drop(stream);
    at.post("/api/v1/runs/w/kill", "{}").send().await.is(200);
    let mut again = at.get("/api/v1/stream").header("Last-Event-ID", &begun.id).listen().await;
    assert_eq!(told(&mut again, "w", "paused").await, paused);
    told(&mut again, "w", "stopped").await;
    let mut lost = at.get("/api/v1/stream").header("Last-Event-ID", "elsewhere-7").listen().await;
    assert_eq!(lost.next().await.unwrap().name, "reset");
}

#[tokio::test]
async fn the_stream_of_all_runs_tells_of_the_very_first_run() {
    let at = open(engine().flow(chain("f", &["a"]))).await;
    let mut stream = at.get("/api/v1/stream").listen().await;
    at.post("/flow/f", "x").header("X-Request-Id", "first").send().await.is(200);
    at.post("/flow/f", "x").header("X-Request-Id", "second").send().await.is(200);
    for id in ["first", "second"] {
        told(&mut stream, id, "succeeded").await;
    }
}

#[tokio::test]
async fn nobody_has_more_streams_than_their_share() {
    let limits = limits(|limits| limits.streams_each = 2);
    let service = Service::new(engine().flow(waits("waits"))).tokens(tokens()).limits(limits);
    let at = Running::of(service).await;
    let open = async |token| at.get("/api/v1/stream").token(token).listen().await;
    let (first, second) = (open(VIEWER).await, open(VIEWER).await);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(open(VIEWER).await.status, 503);
    assert_eq!(open(ADMIN).await.status, 200);
    drop(first);
    while open(VIEWER).await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_lasts_so_long_and_no_longer_whoever_comes_back_goes_on() {
    let limits = limits(|limits| limits.stream_time = Duration::from_millis(50));
    let at = Running::of(Service::new(engine().flow(waits("waits"))).limits(limits)).await;
    at.post("/flow/waits", "x").header("X-Request-Id", "r").header("X-Async", "true").send().await.is(202);
    let heard = at.get("/api/v1/runs/r/stream").listen().await.all().await;
    assert!(heard.iter().all(|heard| heard.name == "event"), "no end was told: {heard:?}");
    assert_eq!(at.get("/api/v1/stream").listen().await.all().await, [], "nor of all runs");
}
