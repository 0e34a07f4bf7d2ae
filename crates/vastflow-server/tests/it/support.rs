//! A service to ask, and a plain client: what goes over the wire is what stands in the test.

use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tracing_subscriber::fmt::MakeWriter;
use vastflow_api::access::Scope;
use vastflow_sdk::{Bytes, Flow, Graph, Node, Result};
use vastflow_server::{Ender, Limits, Principal, Service, Tokens};
use vastflow_store::{MemoryStore, Store};
use vastflow_worker::{Engine, EngineBuilder};

pub(crate) const WAIT: Duration = Duration::from_secs(30);

/// A service that answers, until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    ender: Ender,
    pub(crate) ended: tokio::task::JoinHandle<Result<(), vastflow_server::ServiceError>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ender.end();
    }
}

/// All that was logged by all tests so far.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

pub(crate) fn heard() -> String {
    String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap()
}

impl Running {
    pub(crate) async fn of(service: Service) -> Self {
        LazyLock::force(&LOG);
        let listening = service.bind("127.0.0.1:0").await.unwrap();
        let (address, ender, engine) = (listening.address(), listening.ender(), listening.engine().clone());
        Running { address, engine, ender, ended: tokio::spawn(listening.run()) }
    }

    pub(crate) fn end(&self) {
        self.ender.end();
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::of(self.address, method, path)
    }

    pub(crate) fn get(&self, path: &str) -> Ask {
        self.ask("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Ask {
        self.ask("POST", path).body(body)
    }
}

/// A request about to be sent.
pub(crate) struct Ask {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn of(address: SocketAddr, method: &str, path: &str) -> Self {
        let headers = vec![("Host".to_owned(), address.to_string())];
        Ask { address, method: method.to_owned(), path: path.to_owned(), headers, body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        if token.is_empty() { self } else { self.header("Authorization", format!("Bearer {token}")) }
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        self.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        if !self.body.is_empty() || self.method == "POST" {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head + "Connection: close\r\n\r\n"
    }

    pub(crate) async fn open(self) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(self.head().as_bytes()).await.unwrap();
        // Who is refused before the body was read closes the connection.
        let _ = stream.write_all(&self.body).await;
        BufReader::new(stream)
    }

    pub(crate) async fn send(self) -> Reply {
        tokio::time::timeout(WAIT, async {
            let mut stream = self.open().await;
            let (status, headers) = head(&mut stream).await;
            let mut body = Vec::new();
            let _ = stream.read_to_end(&mut body).await;
            Reply { status, headers, body }
        })
        .await
        .unwrap()
    }

    /// Reads a stream of events, one at a time.
    pub(crate) async fn listen(self) -> Events {
        let mut stream = self.open().await;
        let (status, headers) = head(&mut stream).await;
        Events { status, headers, stream }
    }
}

pub(crate) async fn head(stream: &mut BufReader<TcpStream>) -> (u16, Vec<(String, String)>) {
    let status = line(stream).await.unwrap_or_default();
    let status = status.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let mut headers = Vec::new();
    while let Some(line) = line(stream).await.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    (status, headers)
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = tokio::time::timeout(WAIT, stream.read_line(&mut line)).await.unwrap().unwrap_or(0);
    (read > 0).then(|| line.trim_end().to_owned())
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The answer is what it should be; else it is shown.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Self {
        let reply = self.is(status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.json()["code"], code, "{}", reply.text());
        reply
    }
}

/// Server-sent events.
pub(crate) struct Events {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    stream: BufReader<TcpStream>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Events {
    /// The next event, or comment; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        let mut heard = Heard::default();
        loop {
            let line = line(&mut self.stream).await?;
            if let Some(id) = line.strip_prefix("id: ") {
                id.clone_into(&mut heard.id);
            } else if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut heard.name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                heard.data = serde_json::from_str(data).unwrap();
            } else if line == ":" {
                heard.name = "alive".to_owned();
            } else if line.is_empty() && !heard.name.is_empty() {
                return Some(heard);
            } else if line == "0" {
                return None;
            }
        }
    }

    pub(crate) async fn all(mut self) -> Vec<Heard> {
        let mut all = Vec::new();
        while let Some(heard) = self.next().await {
            all.push(heard);
        }
        all
    }
}

pub(crate) fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

pub(crate) fn engine() -> EngineBuilder {
    Engine::on(store())
}

/// What it gets, in brackets.
pub(crate) fn says(node: &str) -> impl Fn(Bytes) -> std::future::Ready<Result<Bytes>> + Clone + Send + Sync + 'static {
    let node = node.to_owned();
    move |input: Bytes| std::future::ready(Ok(format!("{node}({})", input.to_text()).into()))
}

/// Nodes one after the other.
pub(crate) fn chain(name: &str, nodes: &[&str]) -> Flow<Bytes, Bytes> {
    let mut graph = Graph::new(name);
    for (at, node) in nodes.iter().enumerate() {
        graph.node(node, says(node));
        match at.checked_sub(1) {
            Some(before) => graph.edge(nodes[before], node),
            None => graph.input_to(node),
        };
    }
    graph.build().unwrap()
}

/// A node that waits for the signal `go`, between two others.
pub(crate) fn waits(name: &str) -> Flow<Bytes, Bytes> {
    let mut graph = Graph::new(name);
    graph.node("before", says("before")).input_to("before");
    graph.wait_signal("go").edge("before", "go");
    graph.node("after", says("after")).edge("go", "after");
    graph.build().unwrap()
}

pub(crate) fn fails(name: &str) -> Flow<u64, u64> {
    let boom = |_: u64| async move { Err::<u64, _>(vastflow_sdk::NodeError::fatal("boom")) };
    Flow::dag(name, |dag, n: Node<u64>| dag.node("charge", boom, n)).unwrap()
}

pub(crate) async fn open(engine: EngineBuilder) -> Running {
    Running::of(Service::new(engine)).await
}

pub(crate) const VIEWER: &str = "vastflow_live_viewer";
pub(crate) const OPERATOR: &str = "vastflow_live_operator";
pub(crate) const ADMIN: &str = "vastflow_live_admin";
pub(crate) const READER: &str = "vastflow_live_reader";
pub(crate) const ALL: &str = "vastflow_live_all";
pub(crate) const OTHER: &str = "vastflow_live_other";

pub(crate) fn tokens() -> Tokens {
    let who = |name: &str, scopes: &[Scope], flow: &str| Principal::new(name, scopes.iter().copied(), [flow]);
    Tokens::fixed()
        .with(VIEWER, &who("viewer", &[Scope::Viewer], "*"))
        .with(OPERATOR, &who("operator", &[Scope::Operator], "*"))
        .with(ADMIN, &who("admin", &[Scope::Admin], "*"))
        .with(READER, &who("reader", &[Scope::Viewer, Scope::PayloadRead], "*"))
        .with(ALL, &who("all", &[Scope::Admin, Scope::PayloadRead], "*"))
        .with(OTHER, &who("other", &[Scope::Admin, Scope::PayloadRead], "other"))
}

pub(crate) async fn guarded(engine: EngineBuilder) -> Running {
    Running::of(Service::new(engine).tokens(tokens())).await
}

pub(crate) fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}
