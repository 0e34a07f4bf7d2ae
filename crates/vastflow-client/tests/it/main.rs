//! The client against a server that answers what a test says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "panics are how tests fail")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use vastflow_api::run::StartRun;
use vastflow_client::{Client, Runs};

/// What a request was.
#[derive(Debug)]
struct Asked {
    line: String,
    headers: Vec<String>,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        let find = |line: &'_ String| line.to_lowercase().starts_with(&format!("{name}:"));
        self.headers.iter().find(|line| find(line)).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }
}

/// Answers one connection after another with these bytes, and gives what was asked. An empty answer hangs up.
fn server(answers: Vec<String>) -> (Client, JoinHandle<Vec<Asked>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_owned());
            }
            let mut one = Asked { line: lines.remove(0), headers: lines, body: String::new() };
            let length = one.header("content-length").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            one.body = String::from_utf8(body).unwrap();
            asked.push(one);
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (Client::new(&url).unwrap(), serving)
}

fn answer(status: &str, body: &Value) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn row(id: &str, status: &str) -> Value {
    json!({ "id": id, "flow": "f", "status": status, "started_at_ms": 1, "plan": "p", "input_bytes": 0 })
}

fn problem(status: u16, code: &str) -> Value {
    json!({ "type": "t", "title": "t", "status": status, "code": code, "detail": "it is so" })
}

#[tokio::test]
async fn a_start_that_is_asked_again_is_the_same_run() {
    let links = json!({ "run": "/r", "view": "/v", "output": "/o", "stream": "/s" });
    let accepted = json!({ "id": "r", "status": "running", "links": links });
    let busy = answer("503 Busy", &problem(503, "busy"));
    let (client, serving) = server(vec![String::new(), busy, answer("201 Created", &accepted)]);
    let start = StartRun { flow: "f".into(), input: json!(7), ..StartRun::default() };
    assert_eq!(client.token("secret").start(start).await.unwrap().id, "r");
    let asked = serving.join().unwrap();
    let ids: Vec<Value> =
        asked.iter().map(|one| serde_json::from_str::<Value>(&one.body).unwrap()["id"].clone()).collect();
    assert!(ids[0].as_str().is_some_and(|id| id.len() == 36), "an id that was chosen here: {ids:?}");
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(asked.iter().all(|one| one.line == "POST /api/v1/runs HTTP/1.1"), "{asked:?}");
    assert_eq!(asked[0].header("authorization"), Some("Bearer secret"));
}

#[tokio::test]
async fn what_the_service_says_is_told_and_not_asked_again() {
    let (client, serving) = server(vec![answer("404 Not Found", &problem(404, "unknown-run"))]);
    let error = client.pause("r/1", "why").await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("unknown-run", "it is so"));
    let asked = serving.join().unwrap();
    assert_eq!(
        (asked[0].line.as_str(), asked[0].body.as_str()),
        ("POST /api/v1/runs/r%2F1/pause HTTP/1.1", r#"{"why":"why"}"#)
    );
    let (client, serving) = server(vec!["HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nhi".into()]);
    assert_eq!(client.run("r").await.unwrap_err().code(), "strange-answer");
    serving.join().unwrap();
}

#[tokio::test]
async fn what_must_not_be_done_twice_is_asked_once() {
    let (client, serving) = server(vec![answer("503 Busy", &problem(503, "busy"))]);
    let bulk = serde_json::from_value(json!({ "action": "retry", "ids": ["r"], "dry_run": false })).unwrap();
    assert_eq!(client.bulk(&bulk).await.unwrap_err().code(), "busy");
    assert_eq!(serving.join().unwrap().len(), 1);
}

#[tokio::test]
async fn lists_say_what_is_asked_for() {
    let page = json!({ "items": [row("a", "failed")], "next": "7" });
    let (client, serving) = server(vec![answer("200 OK", &page)]);
    let runs = Runs { flow: Some("f".into()), labels: vec![("a".into(), "b c".into())], limit: 1, ..Runs::default() };
    let page = client.runs(&runs).await.unwrap();
    assert_eq!((page.items[0].id.as_str(), page.next.as_deref()), ("a", Some("7")));
    assert_eq!(serving.join().unwrap()[0].line, "GET /api/v1/runs?flow=f&label=a:b%20c&limit=1 HTTP/1.1");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_read_on_behind_what_was_seen() {
    let event = |seq: u64| {
        let row = json!({ "seq": seq, "at_ms": 1, "kind": "NodeSucceeded", "text": "✓ a" });
        format!("id: {seq}\nevent: event\ndata: {row}\n\n")
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let first = format!("{head}{}{}id: 2\nevent: ev", event(0), event(1));
    let second = format!("{head}{}event: end\ndata: {}\n\n", event(2), row("r", "succeeded"));
    let (client, serving) = server(vec![first, second]);
    let mut stream = client.stream("r");
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await.unwrap() {
        seen.push(event.seq);
    }
    assert_eq!(seen, [0, 1, 2]);
    assert_eq!(stream.end().unwrap().id, "r");
    let asked = serving.join().unwrap();
    assert_eq!((asked[0].header("last-event-id"), asked[1].header("last-event-id")), (None, Some("1")));
}

#[tokio::test]
async fn a_run_is_waited_for_until_it_is_over() {
    let answers = ["running", "stopping", "failed"].map(|status| answer("200 OK", &row("r", status)));
    let (client, serving) = server(answers.into());
    assert_eq!(client.wait("r").await.unwrap().status.as_str(), "failed");
    assert_eq!(serving.join().unwrap().len(), 3);
}

#[tokio::test]
async fn who_is_out_of_reach_is_named_and_the_token_never() {
    // Whom the system gives a port by chance does not get this one.
    let url = "http://127.0.0.1:1";
    let client = Client::new(url).unwrap().token("secret");
    let error = client.run("r").await.unwrap_err();
    assert_eq!(error.code(), "unreachable");
    assert!(error.to_string().contains(url), "{error}");
    let shown = format!("{client:?} {error:?} {error} {:?}", client.stream("r"));
    assert!(!shown.contains("secret"), "{shown}");
}
