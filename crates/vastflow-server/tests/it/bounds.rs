//! What one who asks can hold, and for how long: places, connections, and the work of looking.

use crate::support::*;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use vastflow_api::access::Scope;
use vastflow_server::{Limits, Principal, Service};
use vastflow_worker::Engine;

/// A request whose body is never there.
async fn unfinished(at: &Running, headers: &[(&str, &str)]) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(at.address).await.unwrap();
    let mut head = format!("POST /flow/f HTTP/1.1\r\nHost: {}\r\nContent-Length: 9\r\n", at.address);
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{head}\r\nabc").as_bytes()).await.unwrap();
    BufReader::new(stream)
}

async fn status(stream: &mut BufReader<TcpStream>) -> u16 {
    head(stream).await.0
}

fn signed_by_nobody() -> [(&'static str, String); 3] {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let looks_good = format!("v1,{}=", "A".repeat(43));
    [("X-Vastflow-Signature", looks_good), ("X-Vastflow-Id", "m1".into()), ("X-Vastflow-Timestamp", now.to_string())]
}

async fn signing(change: impl FnOnce(&mut Limits)) -> Running {
    let who = Principal::new("signer", Scope::ALL, ["*"]);
    let service = Service::new(engine().flow(chain("f", &["a"]))).tokens(tokens()).hmac("a secret of 20 bytes", &who);
    Running::of(service.limits(limits(change))).await
}

/// Waits until what is counted is so many.
async fn until(at: &Running, series: &str, count: usize) {
    let line = format!("{series} {count}\n");
    while !at.get("/metrics").token(VIEWER).send().await.text().contains(&line) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_is_not_known_yet_holds_few_places_and_not_for_long() {
    let at = signing(|limits| (limits.unknown, limits.unknown_time) = (2, Duration::from_millis(500))).await;
    let headers = signed_by_nobody();
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    // Two are being read when a third is refused; on a busy machine the time of the first may be over by then.
    for _ in 0..20 {
        let mut three =
            [unfinished(&at, &headers).await, unfinished(&at, &headers).await, unfinished(&at, &headers).await];
        at.post("/flow/f", "x").token(ALL).send().await.is(200);
        let mut told = Vec::new();
        for stream in &mut three {
            told.push(status(stream).await);
        }
        told.sort_unstable();
        if told == [408, 408, 503] {
            let mut again = unfinished(&at, &headers).await;
            assert_eq!(status(&mut again).await, 408, "there is room again");
            return;
        }
        assert_eq!(told, [408, 408, 408], "they are heard for half a second");
    }
    panic!("nobody found no room");
}

#[tokio::test]
async fn what_cannot_be_a_signature_is_told_so_before_its_body() {
    let at = signing(|_| ()).await;
    let good = signed_by_nobody();
    let with = |name: &str, value: &str| {
        good.clone().map(|(known, own)| if known == name { (known, value.to_owned()) } else { (known, own) })
    };
    for headers in [
        with("X-Vastflow-Signature", "v1,AAAA"),
        with("X-Vastflow-Signature", "nonsense"),
        with("X-Vastflow-Timestamp", "1000000"),
        with("X-Vastflow-Timestamp", ""),
    ] {
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(status(&mut unfinished(&at, &headers).await).await, 401, "{headers:?}");
    }
}

#[tokio::test]
async fn nobody_has_more_requests_than_their_share() {
    let flow = chain("f", &["a"]);
    let service = Service::new(engine().flow(flow)).tokens(tokens()).limits(limits(|limits| limits.requests_each = 1));
    let at = Running::of(service).await;
    let token = format!("Bearer {ALL}");
    let held = unfinished(&at, &[("Authorization", &token)]).await;
    until(&at, "vastflow_http_requests_in_flight", 2).await;
    at.get("/api/v1/runs").token(ALL).send().await.problem(503, "busy");
    at.get("/api/v1/runs").token(VIEWER).send().await.is(200);
    drop(held);
    while at.get("/api/v1/runs").token(ALL).send().await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_may_not_is_told_so_before_their_body() {
    let at = guarded(engine().flow(chain("f", &["a"]))).await;
    let token = format!("Bearer {VIEWER}");
    assert_eq!(status(&mut unfinished(&at, &[("Authorization", &token)]).await).await, 403);
}

#[tokio::test]
async fn who_waits_for_runs_holds_no_place_and_without_room_asks_later() {
    let limits = limits(|limits| (limits.requests, limits.requests_each, limits.waits_each) = (2, 2, 3));
    let at = Running::of(Service::new(engine().flow(waits("w"))).tokens(tokens()).limits(limits)).await;
    let mut waiting = Vec::new();
    for count in 1..=3 {
        waiting.push(at.post("/flow/w", "x").token(ALL).header("Prefer", "wait=600").open().await);
        until(&at, "vastflow_http_requests_waiting", count).await;
    }
    let later = at.post("/flow/w", "x").token(ALL).header("Prefer", "wait=600").header("X-Request-Id", "r");
    let told = later.send().await.is(202).json();
    assert_eq!(told["links"]["run"], "/api/v1/runs/r", "{told}");
    drop(waiting);
    until(&at, "vastflow_http_requests_waiting", 0).await;
    at.post("/api/v1/runs/r/signals/go", "1").token(ALL).send().await.is(204);
    let again = at.post("/flow/w", "x").token(ALL).header("X-Request-Id", "r").send().await.is(200);
    assert_eq!(again.text(), "after(1)");
}

#[tokio::test]
async fn a_connection_rests_for_longer_than_a_head_may_take_but_not_for_ever() {
    let times = |limits: &mut Limits| {
        limits.header_time = Duration::from_millis(100);
        limits.idle_time = Duration::from_secs(1);
    };
    let at = Running::of(Service::new(engine()).limits(limits(times))).await;
    let mut stream = TcpStream::connect(at.address).await.unwrap();
    let ask = format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", at.address);
    for rest in [300, 0] {
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut bytes = vec![0; 16 << 10];
        let read = tokio::time::timeout(WAIT, stream.read(&mut bytes)).await.unwrap().unwrap();
        assert!(bytes[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes[..read]));
        tokio::time::sleep(Duration::from_millis(rest)).await;
    }
    let began = std::time::Instant::now();
    let mut rest = Vec::new();
    tokio::time::timeout(WAIT, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.is_empty() && began.elapsed() > Duration::from_millis(500), "it rested for a second");
    // A second head may take no longer than a first, however long a connection may rest.
    let limits = limits(|limits| (limits.header_time, limits.idle_time) = (Duration::from_millis(100), 100 * WAIT));
    let at = Running::of(Service::new(engine()).limits(limits)).await;
    let mut stream = TcpStream::connect(at.address).await.unwrap();
    let ask = format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\nGET /hea", at.address);
    stream.write_all(ask.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let _ = stream.write_all(b"l").await;
    let _ = tokio::time::timeout(WAIT, stream.read_to_end(&mut rest)).await.expect("it is closed");
    assert!(rest.starts_with(b"HTTP/1.1 200"), "the first was answered");
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_search_looks_at_so_many_runs_for_a_page_and_says_so() {
    let service = Service::new(engine().flow(chain("f", &["a"]))).limits(limits(|limits| limits.looked_at = 3));
    let at = Running::of(service).await;
    for n in 0..8 {
        at.post("/flow/f", "x").header("X-Request-Id", format!("f{n}")).send().await.is(200);
    }
    let (mut pages, mut before) = (Vec::new(), String::new());
    loop {
        let page = at.get(&format!("/api/v1/runs?q=F1{before}")).send().await.is(200).json();
        pages.push(ids(&page).into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(page["partial"] == true, !page["next"].is_null(), "{page}");
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(pages, [vec![], vec![], vec!["f1".to_owned()]]);
    let bulk = |before: Option<&str>| {
        let body = json!({"action": "rerun", "filter": {"q": "f1"}, "before": before});
        at.post("/api/v1/runs/bulk", body.to_string())
    };
    let first = bulk(None).send().await.is(200).json();
    assert_eq!((&first["matched"], &first["more"]), (&json!(0), &json!(true)));
    let second = bulk(first["next"].as_str()).send().await.is(200).json();
    let third = bulk(second["next"].as_str()).send().await.is(200).json();
    assert_eq!((&third["sample"], &third["more"], &third["next"]), (&json!(["f1"]), &json!(false), &Value::Null));
    bulk(Some("odd")).send().await.problem(400, "bad-request");
}

/// What was counted is what is done, whoever looks faster the second time.
#[tokio::test]
async fn what_a_dry_run_looked_at_is_what_is_asked() {
    let store = store();
    let looks_at = async |runs: usize| {
        let engine = Engine::on(std::sync::Arc::clone(&store)).flow(chain("f", &["a"])).concurrency(0);
        Running::of(Service::new(engine).limits(limits(|limits| limits.looked_at = runs))).await
    };
    let (few, more) = (looks_at(3).await, looks_at(5).await);
    for n in 0..8 {
        few.engine.run("f", "x".to_owned()).id(&format!("f{n}")).await.unwrap();
    }
    let bulk = async |at: &Running, body: Value| {
        let mut all = json!({"action": "pause", "filter": {"flow": "f"}});
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        at.post("/api/v1/runs/bulk", all.to_string()).send().await
    };
    let counted = bulk(&few, json!({})).await.is(200).json();
    assert_eq!((&counted["matched"], &counted["more"]), (&json!(3), &json!(true)), "{counted}");
    let meant = json!({"dry_run": false, "expected": 3});
    bulk(&more, meant.clone()).await.problem(409, "bulk-changed");
    let until = |until: &Value| json!({"dry_run": false, "expected": 3, "until": until});
    let done = bulk(&more, until(&counted["next"])).await.is(200).json();
    assert_eq!((&done["sample"], &done["next"]), (&json!(["f7", "f6", "f5"]), &counted["next"]), "{done}");
    few.engine.run("f", "x".to_owned()).id("f8").await.unwrap();
    bulk(&more, until(&counted["next"])).await.problem(409, "bulk-changed");
    bulk(&more, json!({"until": "odd"})).await.problem(400, "bad-request");
}

#[tokio::test]
async fn more_runs_than_one_request_takes_are_taken_by_the_next() {
    let at = open(engine().flow(chain("f", &["a"])).concurrency(0)).await;
    for n in 0..1_002 {
        at.engine.run("f", "x".to_owned()).id(&format!("f{n}")).await.unwrap();
    }
    let bulk = async |before: &Value| {
        let body = json!({"action": "pause", "filter": {"flow": "f"}, "before": before});
        at.post("/api/v1/runs/bulk", body.to_string()).send().await.is(200).json()
    };
    let first = bulk(&Value::Null).await;
    assert_eq!((&first["matched"], &first["more"]), (&json!(1_000), &json!(true)));
    let second = bulk(&first["next"]).await;
    assert_eq!((&second["sample"], &second["more"]), (&json!(["f1", "f0"]), &json!(false)), "{second}");
}

#[tokio::test]
async fn connections_have_their_room_and_who_finds_none_is_told_of() {
    let at = Running::of(Service::new(engine()).limits(limits(|limits| limits.connections = 2))).await;
    let open = [TcpStream::connect(at.address).await.unwrap(), TcpStream::connect(at.address).await.unwrap()];
    let mut third = TcpStream::connect(at.address).await.unwrap();
    let read = tokio::time::timeout(WAIT, third.read(&mut [0])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "it is closed without an answer: {read:?}");
    assert!(heard().contains("a connection from 127.0.0.1 found no room: 2 of 2 are open"));
    drop(open);
    let told = loop {
        let told = at.get("/metrics").send().await;
        if told.status == 200 {
            break told.text();
        }
    };
    let line = told.lines().find(|line| line.starts_with("vastflow_http_connections_refused_total")).unwrap();
    assert_ne!(line.split(' ').nth(1), Some("0"), "{line}");
}

#[tokio::test]
async fn what_waits_for_a_person_says_when_it_is_not_all() {
    let at = Running::of(Service::new(engine().flow(fails("fails")))).await;
    for n in 0..3 {
        at.post("/flow/fails", "1").header("X-Request-Id", format!("r{n}")).send().await.is(500);
    }
    let attention = async |query: &str| at.get(&format!("/api/v1/attention{query}")).send().await.is(200).json();
    let all = attention("").await;
    assert_eq!((all["items"].as_array().unwrap().len(), &all["partial"]), (3, &Value::Null));
    let some = attention("?limit=2&kind=failed").await;
    assert_eq!((some["items"].as_array().unwrap().len(), &some["partial"]), (2, &json!(true)));
    let hasty = limits(|limits| limits.look_time = Duration::ZERO);
    let at = Running::of(Service::new(engine().flow(fails("fails"))).limits(hasty)).await;
    at.post("/flow/fails", "1").header("X-Request-Id", "r").send().await.is(500);
    let told = at.get("/api/v1/attention").send().await.is(200).json();
    assert_eq!((&told["partial"], &told["items"][0]["run"]), (&json!(true), &json!("r")), "what failed is asked first");
}
