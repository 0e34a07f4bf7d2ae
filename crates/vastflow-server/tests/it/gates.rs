//! What is refused before anybody asks for anything: names, pages of other sites, sizes, and those who take too long.

use crate::support::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vastflow_server::Service;

#[tokio::test]
async fn only_names_that_it_answers_to() {
    let at = Running::of(Service::new(engine()).host("flows.example")).await;
    let port = at.address.port();
    for (host, status) in [
        ("localhost".to_owned(), 200),
        (format!("127.0.0.1:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        ("flows.example".to_owned(), 200),
        ("evil.example".to_owned(), 421),
        (format!("127.0.0.1.evil.example:{port}"), 421),
        ("10.1.2.3".to_owned(), 421),
        (String::new(), 421),
    ] {
        for path in ["/health", "/api/v1/runs", "/nowhere"] {
            let expected = if status == 200 && path == "/nowhere" { 404 } else { status };
            at.get(path).header("Host", &host).send().await.is(expected);
        }
    }
    at.get("/health").header("Host", "evil.example").send().await.problem(421, "host-not-allowed");
}

#[tokio::test]
async fn pages_of_other_sites_may_read_nothing_and_change_nothing() {
    let at = open(engine().flow(chain("f", &["a"]))).await;
    let own = format!("http://{}", at.address);
    let none = String::new();
    for (site, origin, kind, status) in [
        ("same-origin", &own, "application/json", 200),
        ("none", &none, "text/plain", 200),
        ("", &none, "text/plain", 200),
        ("", &own, "text/plain", 200),
        ("cross-site", &none, "text/plain", 403),
        ("cross-site", &own, "application/json", 403),
        ("same-site", &own, "text/plain", 403),
        ("", &"https://evil.example".to_owned(), "text/plain", 403),
        ("", &"null".to_owned(), "application/x-www-form-urlencoded", 403),
    ] {
        let mut ask = at.post("/flow/f", "x").header("Content-Type", kind);
        for (name, value) in [("Sec-Fetch-Site", site), ("Origin", origin)] {
            ask = if value.is_empty() { ask } else { ask.header(name, value) };
        }
        let reply = ask.send().await.is(status);
        assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control")), "no page may read it");
        if status == 403 {
            reply.problem(403, "cross-site");
        }
    }
    let preflight = at.ask("OPTIONS", "/flow/f").header("Origin", "https://evil.example").send().await;
    assert!(preflight.status >= 400 && preflight.header("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_in_check() {
    let at = guarded(engine()).await;
    for path in ["/health", "/api/v1/me", "/nowhere", "/api/v1/docs"] {
        let reply = at.get(path).send().await;
        for (name, part) in [
            ("content-security-policy", "default-src 'none'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=()"),
            ("cache-control", "no-store"),
            ("x-request-id", ""),
        ] {
            assert!(reply.header(name).is_some_and(|value| value.contains(part)), "{path} {name}: {:?}", reply.headers);
        }
        assert!(reply.header("strict-transport-security").is_none(), "without TLS there is nothing to insist on");
    }
    let reply = at.get("/nowhere").header("X-Request-Id", "mine").send().await.problem(404, "not-found");
    assert_eq!((reply.header("x-request-id"), &reply.json()["request_id"]), (Some("mine"), &"mine".into()));
    at.get("/api/v1/runs/%ff").token(VIEWER).send().await.problem(400, "bad-request");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let at = open(engine().flow(chain("f", &["a"]))).await;
    let most = vastflow_core::limits::MAX_PAYLOAD_BYTES;
    at.post("/flow/f", vec![b'x'; most + 1]).send().await.problem(413, "body-too-large");
    at.post("/flow/f", vec![b'x'; most - 3]).send().await.is(200);
    let cancel = at.post("/api/v1/runs/r/stop", vec![b' '; (2 << 20) + 1]);
    cancel.send().await.problem(413, "body-too-large");
    let packed = at.post("/flow/f", "x").header("Content-Encoding", "gzip");
    packed.send().await.problem(400, "bad-request");
    let reply = at.get("/health").header("X-Long", "x".repeat(40 << 10)).send().await;
    reply.problem(431, "headers-too-large");
    let reply = at.get("/health").header("X-Long", "x".repeat(200 << 10)).send().await;
    assert_eq!(reply.status, 431, "much more is not even read");
    assert_eq!(at.engine.store().counts().await.unwrap().succeeded, 1);
}

/// A body without a length is counted as it comes.
#[tokio::test]
async fn a_body_that_does_not_say_its_size_is_refused_too() {
    let limits = limits(|limits| limits.payload_bytes = 1_000);
    let at = Running::of(Service::new(engine().flow(chain("f", &["a"]))).limits(limits)).await;
    let mut stream = TcpStream::connect(at.address).await.unwrap();
    let head = format!(
        "POST /flow/f HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        at.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("258\r\n{}\r\n", "x".repeat(600));
    for _ in 0..2 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    let mut reply = String::new();
    let _ = stream.read_to_string(&mut reply).await;
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
}

#[tokio::test]
async fn who_is_too_slow_is_sent_away() {
    let limits = limits(|limits| {
        limits.header_time = Duration::from_millis(100);
        limits.request_time = Duration::from_millis(100);
    });
    let at = Running::of(Service::new(engine().flow(chain("f", &["a"]))).limits(limits)).await;
    let mut stream = TcpStream::connect(at.address).await.unwrap();
    stream.write_all(b"POST /flow/f HTTP/1.1\r\nHost: loc").await.unwrap();
    let mut reply = Vec::new();
    tokio::time::timeout(WAIT, stream.read_to_end(&mut reply)).await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&reply).contains(" 200 "), "the rest of its head never came");
    let mut stream = TcpStream::connect(at.address).await.unwrap();
    let head = format!("POST /flow/f HTTP/1.1\r\nHost: {}\r\nContent-Length: 9\r\n\r\nabc", at.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = String::new();
    tokio::time::timeout(WAIT, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
    assert!(reply.starts_with("HTTP/1.1 408") && reply.contains("request-timeout"), "{reply}");
}

#[tokio::test]
async fn more_than_it_takes_at_once_is_told_to_come_back() {
    let limits = limits(|limits| limits.requests = 1);
    let at = Running::of(Service::new(engine().flow(chain("f", &["a"]))).limits(limits)).await;
    let mut unfinished = TcpStream::connect(at.address).await.unwrap();
    let head = format!("POST /flow/f HTTP/1.1\r\nHost: {}\r\nContent-Length: 9\r\n\r\nabc", at.address);
    unfinished.write_all(head.as_bytes()).await.unwrap();
    let told = loop {
        let told = at.get("/api/v1/me").send().await;
        if told.status != 200 {
            break told.problem(503, "busy");
        }
    };
    assert_eq!(told.header("retry-after"), Some("1"));
    // Who looks after processes needs no place: what is full is not dead.
    at.get("/health").send().await.is(200);
    at.get("/ready").send().await.is(200);
    drop(unfinished);
    while at.get("/api/v1/me").send().await.status != 200 {
        tokio::task::yield_now().await;
    }
}

/// A small body that would be a large one is not unpacked.
#[tokio::test]
async fn packed_bodies_are_not_unpacked() {
    let at = open(engine().flow(chain("f", &["a"]))).await;
    // Ten bytes that would be a megabyte each, as gzip has it: ID, method, and a run of noughts.
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xed; 1_000]].concat();
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        for path in ["/flow/f", "/api/v1/runs", "/api/v1/runs/bulk"] {
            let ask = at.post(path, &bomb).header("Content-Encoding", encoding);
            ask.send().await.problem(400, "bad-request");
        }
    }
    let taken = at.post("/flow/f", b"x").header("Content-Encoding", "identity").send().await.is(200);
    assert_eq!(taken.text(), "a(x)");
    // Without the header they are bytes like any others, and go through as they are.
    at.post("/flow/f", &bomb).header("X-Request-Id", "r").send().await.is(200);
    assert_eq!(at.get("/api/v1/runs/r/input").send().await.is(200).body, bomb);
}

/// Connections on which a head comes letter by letter are closed in time, and hold up nobody.
#[tokio::test]
async fn many_who_are_slow_hold_up_nobody() {
    let limits = limits(|limits| limits.header_time = Duration::from_millis(300));
    let at = Running::of(Service::new(engine().flow(chain("f", &["a"]))).limits(limits)).await;
    let mut slow = Vec::new();
    for _ in 0..500 {
        let mut stream = TcpStream::connect(at.address).await.unwrap();
        stream.write_all(b"POST /flow/f HTTP/1.1\r\nHost: local").await.unwrap();
        slow.push(stream);
    }
    let began = std::time::Instant::now();
    at.post("/flow/f", "x").send().await.is(200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for mut stream in slow {
        // They are told, or just closed; either way the connection ends.
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(WAIT, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "it is still open");
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
}
