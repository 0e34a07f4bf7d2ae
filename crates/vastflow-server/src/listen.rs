//! Connections: taken, given a time for their first words, and let end.

use crate::error::ServiceError;
use crate::exporter::{Exporter, Source};
use crate::limits::{Buckets, Whose};
use crate::pace::{Answer, Pace, Paced};
use crate::routes;
use crate::state::App;
use crate::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

/// How long nothing is taken when the system has no room for another connection.
const BREATH: Duration = Duration::from_millis(100);

/// A service that has its address.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    app: Arc<App>,
    ends: CancellationToken,
}

/// Ends a service from elsewhere in the program.
#[derive(Clone, Debug)]
pub struct Ender(CancellationToken);

impl Ender {
    /// Asks the service to end as if the process were told to.
    pub fn end(&self) {
        self.0.cancel();
    }
}

impl Listening {
    pub(crate) fn new(listener: TcpListener, address: SocketAddr, tls: Option<Tls>, app: Arc<App>) -> Self {
        Listening { listener, address, tls, app, ends: CancellationToken::new() }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where to reach it, as it is typed: `http://127.0.0.1:8080`, with the base path if there is one.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        // All addresses are none that one could ask.
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("{scheme}://{}{}", SocketAddr::new(ip, self.address.port()), self.app.base_path)
    }

    /// The engine that it is about.
    #[must_use]
    pub fn engine(&self) -> &vastflow_worker::Engine {
        &self.app.engine
    }

    /// What it and its engine count, on another address, to anybody who reaches that: see [`Exporter`].
    ///
    /// # Errors
    /// [`ServiceError::Bind`].
    pub async fn export(&self, at: impl ToSocketAddrs + fmt::Debug) -> Result<Exporter, ServiceError> {
        Exporter::of(Source::Service(Arc::clone(&self.app)), at).await
    }

    /// What ends it from elsewhere in the program.
    #[must_use]
    pub fn ender(&self) -> Ender {
        Ender(self.ends.clone())
    }

    /// Answers, until the process is told to end or [`Ender::end`] is called: then nothing new is taken, who waits for a run
    /// is told where to ask, streams end, what else is under way is waited for, and the engine is shut down.
    ///
    /// # Errors
    /// What the engine says when it is shut down.
    pub async fn run(self) -> Result<(), ServiceError> {
        tracing::info!("listening on {}", self.url());
        let (graceful, drain) = (GracefulShutdown::new(), self.app.limits.drain);
        let router = routes::router(Arc::clone(&self.app));
        let full = Buckets::new(1.0 / 60.0, 1);
        // One that lasts: made anew for each connection it would miss what is said between two of them.
        let mut told = std::pin::pin!(told_to_end());
        loop {
            tokio::select! {
                taken = self.listener.accept() => match taken {
                    Ok((stream, peer)) => self.serve(stream, peer, &router, graceful.watcher(), &full),
                    Err(error) => {
                        tracing::warn!("a connection cannot be taken: {error}");
                        tokio::time::sleep(BREATH).await;
                    }
                },
                () = self.ends.cancelled() => break,
                () = &mut told => break,
            }
        }
        drop((self.listener, router));
        tracing::info!("the service ends when what is under way has ended");
        self.app.closing.cancel();
        let engine = self.app.engine.clone();
        let end = async {
            if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
                tracing::warn!("connections did not end within {drain:?}");
            }
            engine.shutdown_within(drain).await
        };
        tokio::select! {
            done = end => Ok(done?),
            () = told_to_end() => Ok(()),
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, router: &Router, watcher: Watcher, full: &Buckets) {
        let Some(place) = self.app.connections.take(App::at(Some(peer.ip()))) else {
            // Closed without a word: who comes back later finds room. It is told at most once a minute.
            self.app.turned_away.fetch_add(1, Ordering::Relaxed);
            if full.take(Whose::NoRoom, Instant::now()).is_ok() {
                let (open, limits) = (self.app.connections.taken(), &self.app.limits);
                let (most, each) = (limits.connections, limits.connections_each);
                tracing::warn!(
                    "a connection from {} found no room: {open} of {most} are open, and one address has {each} at most; \
                     see `Limits::connections` and `connections_each`",
                    peer.ip()
                );
            }
            return;
        };
        let (tls, app, router) = (self.tls.clone(), Arc::clone(&self.app), router.clone());
        tokio::spawn(async move {
            let limit = app.limits.header_time;
            match tls {
                None => answer(stream, peer, router, &app, watcher).await,
                Some(tls) => match tls.accept(stream, limit).await {
                    Ok(stream) => answer(stream, peer, router, &app, watcher).await,
                    Err(error) => tracing::debug!("no TLS with {peer}: {error}"),
                },
            }
            drop(place);
        });
    }
}

async fn answer<S>(stream: S, peer: SocketAddr, router: Router, app: &Arc<App>, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Pace::new();
    let stream = Paced::new(stream, pace.clone(), app);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let busy = pace.begins();
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().call(request.map(Body::new));
        async move { answer.await.map(|response| response.map(|body| Answer::new(body, busy))) }
    });
    let mut http = http1::Builder::new();
    // hyper wants some room besides the head itself.
    let http = http
        .timer(TokioTimer::new())
        // The stream itself sees to it, and lets a connection rest for longer than a head may take.
        .header_read_timeout(None)
        .max_buf_size(app.limits.header_bytes.max(8 << 10));
    let connection = http.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("the connection with {peer} ended: {error}");
    }
}

/// Waits until the process is told to end.
pub(crate) async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                told = tokio::signal::ctrl_c() => if told.is_err() { std::future::pending::<()>().await },
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listening({})", self.address)
    }
}
