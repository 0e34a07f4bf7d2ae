//! Callbacks as they are asked for over HTTP.

use crate::support::*;
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vastflow_server::Service;
use vastflow_server::callback::Callbacks;

/// A receiver, and what it is sent.
async fn receiver() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (say, got) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut all = String::new();
            let mut some = [0; 4_096];
            while !(all.contains("\r\n\r\n") && all.ends_with(')')) {
                let read = stream.read(&mut some).await.unwrap();
                all.push_str(std::str::from_utf8(&some[..read]).unwrap());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            say.send(all).unwrap();
        }
    });
    (address, got)
}

fn service(at: SocketAddr) -> Service {
    let callbacks = Callbacks::signed([7; 32]).unwrap().allow(&format!("http://{at}")).unwrap();
    Service::new(engine().flow(chain("f", &["a", "b", "c"]))).tokens(tokens()).callbacks(callbacks)
}

#[tokio::test]
async fn who_is_allowed_is_told_how_a_run_ended() {
    let (to, mut got) = receiver().await;
    let at = Running::of(service(to)).await;
    // goflow's name of the header, and ours.
    for (id, header) in [("one", "X-Faas-Flow-Callback-Url"), ("two", "X-Callback-Url")] {
        let ask = || {
            let ask = at.post("/flow/f", "x").token(ALL).header("X-Request-Id", id).header("X-Async", "true");
            ask.header(header, format!("http://{to}/told"))
        };
        ask().send().await.is(202);
        // Asked again, it is the same run and the same callback.
        ask().send().await.is(202);
        let told = tokio::time::timeout(WAIT, got.recv()).await.unwrap().unwrap();
        assert!(told.starts_with("POST /told HTTP/1.1\r\n"), "{told}");
        assert!(told.ends_with("\r\n\r\nc(b(a(x)))"), "{told}");
        assert!(told.contains(&format!("x-faas-flow-reqid: {id}\r\n")), "{told}");
        assert!(told.contains("webhook-signature: v1,"), "{told}");
        let row = at.get(&format!("/api/v1/runs/{id}.callback")).token(VIEWER).send().await.is(200).json();
        assert_eq!(row["flow"], "vastflow.callback", "{row}");
    }
    let other = at.post("/flow/f", "x").token(ALL).header("X-Request-Id", "one");
    let other = other.header("X-Callback-Url", format!("http://{to}/elsewhere")).send().await;
    other.problem(409, "already-exists");
}

#[tokio::test]
async fn nobody_else_is_called_back() {
    let (to, mut got) = receiver().await;
    let at = Running::of(service(to)).await;
    let ask =
        |url: &str, token| at.post("/flow/f", "x").token(token).header("X-Async", "true").header("X-Callback-Url", url);
    let port = to.port();
    for url in [
        "http://127.0.0.1/".to_owned(),
        format!("http://2130706433:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://user@127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        ask(&url, ALL).send().await.problem(403, "callback-not-allowed");
    }
    ask(&format!("http://{to}/"), OPERATOR).send().await.problem(403, "payload-not-allowed");
    assert!(got.try_recv().is_err());
    let counts = at.engine.store().counts().await.unwrap();
    assert_eq!((counts.unfinished(), counts.succeeded), (0, 0), "nothing was begun");
}

/// Who may start runs must not have any run's output sent anywhere by writing a callback's input.
#[tokio::test]
async fn nobody_writes_a_callback_s_input() {
    let (to, mut got) = receiver().await;
    let at = Running::of(service(to)).await;
    at.post("/flow/f", "x").token(ALL).header("X-Request-Id", "secret").send().await.is(200);
    let input = json!({"run": "secret", "url": format!("http://{to}/mine")});
    let start = json!({"flow": "vastflow.callback", "id": "mine", "input": input});
    at.post("/api/v1/runs", start.to_string()).token(ALL).send().await.problem(403, "forbidden");
    let call = at.post("/flow/vastflow.callback", input.to_string()).token(ALL).header("X-Async", "true");
    call.send().await.problem(403, "forbidden");
    let told = at.post("/flow/f", "x").token(ALL).header("X-Request-Id", "told").header("X-Async", "true");
    told.header("X-Callback-Url", format!("http://{to}/told")).send().await.is(202);
    let heard = tokio::time::timeout(WAIT, got.recv()).await.unwrap().unwrap();
    assert!(heard.starts_with("POST /told "), "{heard}");
    let fork = json!({"node": "deliver", "input": input, "id": "forked"});
    at.post("/api/v1/runs/told.callback/fork", fork.to_string()).token(ALL).send().await.problem(403, "forbidden");
    assert!(got.try_recv().is_err(), "nothing else was sent");
}
