//! Callbacks to a receiver that fails, hangs, sends elsewhere and comes back; and the many ways into a private network.
#![allow(elided_lifetimes_in_paths, reason = "users write `Node<u32>`, and so do tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests panics are how they fail")]

use base64::Engine as _;
use hmac::Mac as _;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use vastflow_callback::{Callbacks, FLOW, Resolve};
use vastflow_core::RunStatus;
use vastflow_sdk::{BoxError, BoxFuture, Bytes, Flow, Node, Retry};
use vastflow_store::{MemoryStore, RunQuery, Store};
use vastflow_worker::{Engine, Run};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A request that a receiver got.
#[derive(Clone, Debug)]
struct Got {
    line: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// What a receiver does with a request.
#[derive(Clone, Debug)]
enum Does {
    Answer(&'static str),
    Redirect(String),
    Hang,
    CutOff,
}

/// A receiver that does these things one after the other, and the last for ever.
struct Receiver {
    address: SocketAddr,
    got: mpsc::UnboundedReceiver<Got>,
}

impl Receiver {
    async fn that(does: Vec<Does>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (say, got) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for at in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (what, say) = (does[at.min(does.len() - 1)].clone(), say.clone());
                tokio::spawn(async move { receive(stream, what, say).await });
            }
        });
        Receiver { address, got }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn next(&mut self) -> Got {
        tokio::time::timeout(Duration::from_secs(60), self.got.recv()).await.unwrap().unwrap()
    }
}

async fn receive(mut stream: TcpStream, does: Does, say: mpsc::UnboundedSender<Got>) {
    let mut bytes = Vec::new();
    let head = loop {
        let mut some = [0; 4_096];
        let read = stream.read(&mut some).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&some[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: HashMap<String, String> = lines.filter_map(header).collect();
    let mut body = bytes[head + 4..].to_vec();
    let len: usize = headers["content-length"].parse().unwrap();
    while body.len() < len {
        let mut some = [0; 4_096];
        let read = stream.read(&mut some).await.unwrap();
        body.extend_from_slice(&some[..read]);
    }
    say.send(Got { line, headers, body }).unwrap();
    let answer = match does {
        Does::Answer(status) => format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"),
        Does::Redirect(to) => format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"),
        Does::Hang => std::future::pending().await,
        Does::CutOff => return,
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Callbacks that are quick about it.
fn callbacks() -> Callbacks {
    let retry = Retry::times(6).every(Duration::from_millis(20));
    Callbacks::signed(SECRET)
        .unwrap()
        .retry(retry)
        .timeout(Duration::from_secs(2))
        .look_every(Duration::from_millis(50))
}

/// Three nodes; an input "bad" fails in the second.
fn three() -> Flow<Bytes, Bytes> {
    async fn first(text: Bytes) -> Result<Bytes, BoxError> {
        Ok(text)
    }
    async fn second(text: Bytes) -> Result<Bytes, BoxError> {
        if &*text.to_text() == "bad" { Err("boom".into()) } else { Ok(text) }
    }
    async fn third(text: Bytes) -> Result<Bytes, BoxError> {
        Ok(format!("said {}", text.to_text()).into())
    }
    Flow::dag("three", |dag, text: Node<Bytes>| {
        let text = dag.node("first", first, text);
        let text = dag.node("second", second, text);
        dag.node("third", third, text)
    })
    .unwrap()
}

async fn engine(callbacks: &Callbacks) -> Engine {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    callbacks.serve(Engine::on(store).flow(three())).unwrap().start().await.unwrap()
}

async fn start(engine: &Engine, id: &str, input: &str) -> Run {
    engine.run("three", Bytes::from(input.to_owned())).id(id).await.unwrap()
}

async fn ended(engine: &Engine, id: &str) -> RunStatus {
    let run = engine.handle(id).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), run.wait()).await.unwrap().unwrap().status
}

fn is_signed(got: &Got) -> bool {
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::Mac>::new_from_slice(SECRET).unwrap();
    mac.update(format!("{}.{}.", got.headers["webhook-id"], got.headers["webhook-timestamp"]).as_bytes());
    mac.update(&got.body);
    let expected = base64::prelude::BASE64_STANDARD.encode(mac.finalize().into_bytes());
    got.headers["webhook-signature"] == format!("v1,{expected}")
}

#[tokio::test]
async fn a_receiver_that_fails_hangs_sends_elsewhere_and_comes_back_is_told() {
    let private = Receiver::that(vec![Does::Answer("200 OK")]).await;
    let away = Does::Redirect(private.url("/private"));
    let all = vec![Does::Answer("500 Oh"), Does::Hang, away, Does::CutOff, Does::Answer("202 Accepted")];
    let mut receiver = Receiver::that(all).await;
    let callbacks = callbacks().allow(&receiver.url("")).unwrap();
    let engine = engine(&callbacks).await;
    let run = start(&engine, "r", "hallo").await;
    callbacks.ask(&engine, &run, &receiver.url("/done?x=1")).await.unwrap();
    // Asked again, it is the same callback.
    callbacks.ask(&engine, &run, &receiver.url("/done?x=1")).await.unwrap();
    assert_eq!(ended(&engine, "r.callback").await, RunStatus::Succeeded);

    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        let got = receiver.next().await;
        assert_eq!(got.line, "POST /done?x=1 HTTP/1.1");
        assert_eq!((got.headers["x-faas-flow-reqid"].as_str(), got.headers["x-request-id"].as_str()), ("r", "r"));
        assert_eq!(got.headers["x-vastflow-status"], "succeeded");
        assert_eq!(got.body, b"said hallo");
        assert!(is_signed(&got));
        ids.insert(got.headers["webhook-id"].clone());
    }
    assert_eq!(ids, BTreeSet::from(["r:succeeded".to_owned()]), "stable");
    assert!(receiver.got.try_recv().is_err(), "told once it was heard, and not again");
    let mut private = private;
    assert!(private.got.try_recv().is_err(), "redirects are not followed");
    let of = |flow: &str| RunQuery { flow: Some(vastflow_core::Name::new(flow).unwrap()), ..RunQuery::default() };
    assert_eq!(engine.store().runs(&of(FLOW)).await.unwrap().rows.len(), 1, "recorded once");
}

#[tokio::test]
async fn a_failure_is_told_and_can_be_told_again() {
    let mut receiver = Receiver::that(vec![Does::Answer("204 No Content")]).await;
    let callbacks = callbacks().allow(&receiver.url("")).unwrap();
    let engine = engine(&callbacks).await;
    let run = start(&engine, "r", "bad").await;
    callbacks.ask(&engine, &run, &receiver.url("/")).await.unwrap();
    assert_eq!(ended(&engine, "r.callback").await, RunStatus::Succeeded);
    let got = receiver.next().await;
    assert_eq!((got.headers["x-vastflow-status"].as_str(), got.headers["webhook-id"].as_str()), ("failed", "r:failed"));
    let told: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!((told["run"].as_str(), told["status"].as_str()), (Some("r"), Some("failed")));
    assert!(told["error"].as_str().unwrap().contains("boom"));
    assert!(is_signed(&got));

    let again = engine.handle("r.callback").await.unwrap().rerun("ann", "they lost it").await.unwrap();
    assert_eq!(ended(&engine, again.id().as_str()).await, RunStatus::Succeeded);
    assert_eq!(receiver.next().await.headers["webhook-id"], "r:failed", "the same one");
}

#[tokio::test]
async fn a_receiver_that_never_comes_back_is_seen_and_tried_again_by_hand() {
    let mut all = vec![Does::Answer("503 Later"); 7];
    all.push(Does::Answer("200 OK"));
    let receiver = Receiver::that(all).await;
    let callbacks = callbacks().allow(&receiver.url("")).unwrap();
    let engine = engine(&callbacks).await;
    let run = start(&engine, "r", "hallo").await;
    callbacks.ask(&engine, &run, &receiver.url("/")).await.unwrap();
    assert_eq!(ended(&engine, "r.callback").await, RunStatus::Failed);
    let failed = engine.handle("r.callback").await.unwrap();
    assert!(format!("{:?}", failed.summary().await.unwrap().outcome).contains("503"));
    let again = failed.retry("ann", "they are back").await.unwrap();
    assert_eq!(ended(&engine, again.id().as_str()).await, RunStatus::Succeeded);
}

#[tokio::test]
async fn who_is_gone_or_not_allowed_any_more_is_not_tried_again() {
    let mut gone = Receiver::that(vec![Does::Answer("410 Gone")]).await;
    let before = callbacks().allow(&gone.url("")).unwrap();
    let engine = engine(&before).await;
    let run = start(&engine, "g", "hallo").await;
    let told = before.ask(&engine, &run, &gone.url("/")).await.unwrap();
    assert_eq!(ended(&engine, "g.callback").await, RunStatus::Failed);
    assert!(format!("{:?}", told.summary().await.unwrap().outcome).contains("410"));
    gone.next().await;
    assert!(gone.got.try_recv().is_err(), "once");

    // Recorded when it was allowed; who delivers does not allow for it now.
    let mut receiver = Receiver::that(vec![Does::Answer("200 OK")]).await;
    let then = callbacks().allow(&receiver.url("")).unwrap();
    let run = start(&engine, "r", "hallo").await;
    let told = then.ask(&engine, &run, &receiver.url("/")).await.unwrap();
    assert_eq!(ended(&engine, "r.callback").await, RunStatus::Failed);
    assert!(format!("{:?}", told.summary().await.unwrap().outcome).contains("may be called back"));
    assert!(receiver.got.try_recv().is_err());
}

#[tokio::test]
async fn what_nobody_said_is_looked_for() {
    let mut receiver = Receiver::that(vec![Does::Answer("200 OK")]).await;
    let callbacks = callbacks().allow(&receiver.url("")).unwrap();
    let engine = engine(&callbacks).await;
    // Recorded by a service that dies at once: nobody is there to say that the run has ended.
    let asked = serde_json::json!({ "run": "r", "url": receiver.url("/") });
    start(&engine, "r", "hallo").await.wait().await.unwrap();
    engine.run(FLOW, asked).id("r.callback").await.unwrap();
    assert_eq!(receiver.next().await.body, b"said hallo");
    assert_eq!(ended(&engine, "r.callback").await, RunStatus::Succeeded);
}

/// Names as this test says they are, each time the next.
struct Says(Mutex<HashMap<&'static str, Vec<&'static str>>>);

impl Resolve for Says {
    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let mut all = self.0.lock().unwrap();
        let answers = all.get_mut(host).unwrap();
        let next = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
        let addresses = next.split(',').map(|one| SocketAddr::new(one.parse().unwrap(), port)).collect();
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

#[tokio::test]
async fn no_name_leads_into_a_private_network() {
    let mut receiver = Receiver::that(vec![Does::Answer("200 OK")]).await;
    let port = receiver.address.port();
    let names = [
        ("local.example", vec!["127.0.0.1"]),
        ("six.example", vec!["::1"]),
        ("mapped.example", vec!["::ffff:127.0.0.1"]),
        ("metadata.example", vec!["169.254.169.254"]),
        ("both.example", vec!["10.0.0.1,127.0.0.1"]),
        // First an address that may be reached (and where nobody is), and then this machine.
        ("rebinds.example", vec!["127.0.0.2", "127.0.0.1"]),
    ];
    let says = Says(Mutex::new(names.iter().cloned().collect()));
    let mut callbacks = callbacks().retry(Retry::times(2).every(Duration::from_millis(5))).resolver(says);
    for (name, _) in &names {
        callbacks = callbacks.allow(&format!("http://{name}:{port}")).unwrap();
    }
    callbacks = callbacks.allow_network("127.0.0.2/32").unwrap();
    let engine = engine(&callbacks).await;
    for (at, (name, _)) in names.iter().enumerate() {
        let run = start(&engine, &format!("r{at}"), "hallo").await;
        let told = callbacks.ask(&engine, &run, &format!("http://{name}:{port}/")).await.unwrap();
        assert_eq!(ended(&engine, told.id().as_str()).await, RunStatus::Failed, "{name}");
        let why = format!("{:?}", told.summary().await.unwrap().outcome);
        assert!(why.contains("no callback goes there"), "{name}: {why}");
    }
    assert!(receiver.got.try_recv().is_err(), "nothing came");
    // What nobody allowed for is refused at once, however it is written.
    let run = start(&engine, "literals", "hallo").await;
    for host in
        ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:7f00:1]", "[::]", "0"]
    {
        let url = format!("http://{host}:{port}/");
        let refused = callbacks.ask(&engine, &run, &url).await.unwrap_err();
        assert_eq!(refused.code(), "setting", "{url}: {refused}");
    }
    assert!(engine.handle("literals.callback").await.is_err(), "none of it was recorded");
    // Said in so many words, it is reached.
    let says = Says(Mutex::new(HashMap::from([("local.example", vec!["127.0.0.1"])])));
    let allowed = callbacks_to_local(says, port);
    let engine = self::engine(&allowed).await;
    let run = start(&engine, "r", "hallo").await;
    allowed.ask(&engine, &run, &format!("http://local.example:{port}/")).await.unwrap();
    assert_eq!(ended(&engine, "r.callback").await, RunStatus::Succeeded);
    assert_eq!(receiver.next().await.headers["host"], format!("local.example:{port}"));
}

fn callbacks_to_local(says: Says, port: u16) -> Callbacks {
    let callbacks = callbacks().resolver(says).allow_network("127.0.0.0/8").unwrap();
    callbacks.allow(&format!("http://local.example:{port}")).unwrap()
}
