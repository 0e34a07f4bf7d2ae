//! `/metrics` on an address of its own: for workers, which answer nothing else, and for scrapers without a token.

use crate::error::ServiceError;
use crate::handlers::metrics;
use crate::origin::Hosts;
use crate::state::App;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Semaphore;
use vastflow_worker::{Engine, MetricsPage};

/// Connections at once: a scraper has one.
const CONNECTIONS: usize = 64;
/// How long a request's head may take, and how long nothing is taken when there is no room.
const HEAD: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_millis(100);

/// Answers `GET /metrics`, and nothing else, on an address of its own, to anybody who reaches it: there are names of flows and
/// lanes in it, and numbers. It ends when it is dropped.
///
/// ```
/// # use std::sync::Arc;
/// use vastflow_server::Exporter;
/// # use vastflow_store::MemoryStore;
/// # use vastflow_worker::Engine;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::on(Arc::new(MemoryStore::new())).start().await?;
/// let exporter = Exporter::bind(&engine, "127.0.0.1:0").await?;
/// println!("curl http://{}/metrics", exporter.address());
/// # Ok(()) }
/// ```
#[must_use = "it ends when it is dropped"]
pub struct Exporter {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

/// What is told of.
#[derive(Clone)]
pub(crate) enum Source {
    Engine(Engine),
    Service(Arc<App>),
}

impl Source {
    async fn page(&self) -> MetricsPage {
        match self {
            Source::Engine(engine) => engine.metrics().await,
            Source::Service(app) => metrics::page(app).await,
        }
    }
}

impl Exporter {
    /// Takes an address, and answers there what an engine counts.
    ///
    /// # Errors
    /// [`ServiceError::Bind`].
    pub async fn bind(engine: &Engine, at: impl ToSocketAddrs + fmt::Debug) -> Result<Self, ServiceError> {
        Exporter::of(Source::Engine(engine.clone()), at).await
    }

    pub(crate) async fn of(source: Source, at: impl ToSocketAddrs + fmt::Debug) -> Result<Self, ServiceError> {
        let place = format!("{at:?}");
        let failed = |why| ServiceError::Bind { at: place.clone(), why };
        let listener = TcpListener::bind(&at).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Exporter { address, task: tokio::spawn(answer_all(listener, address, source)) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exporter({})", self.address)
    }
}

async fn answer_all(listener: TcpListener, address: SocketAddr, source: Source) {
    // A page that has its own name lead to this machine is not answered; elsewhere others may give it any name.
    let hosts = address.ip().is_loopback().then(|| Arc::new(Hosts::local()));
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without room the connection is closed.
                let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
                let (source, hosts) = (source.clone(), hosts.clone());
                tokio::spawn(async move {
                    answer(stream, source, hosts).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a connection for metrics cannot be taken: {error}");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, source: Source, hosts: Option<Arc<Hosts>>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (source, hosts) = (source.clone(), hosts.clone());
        async move { Ok::<_, Infallible>(reply(&request, &source, hosts.as_deref()).await) }
    });
    let mut http = http1::Builder::new();
    let http = http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("a connection for metrics ended: {error}");
    }
}

async fn reply(request: &Request<Incoming>, source: &Source, hosts: Option<&Hosts>) -> Response<Body> {
    let status = match request.uri().path() {
        _ if hosts.is_some_and(|hosts| !hosts.allow(request.headers(), request.uri())) => {
            StatusCode::MISDIRECTED_REQUEST
        }
        "/metrics" if request.method() == Method::GET => StatusCode::OK,
        "/metrics" => StatusCode::METHOD_NOT_ALLOWED,
        _ => StatusCode::NOT_FOUND,
    };
    let body = match status {
        StatusCode::OK => Body::from(source.page().await.into_text()),
        _ => Body::empty(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MetricsPage::CONTENT_TYPE));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
