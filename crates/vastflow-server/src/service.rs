//! A service: an engine, and what may be asked of it over HTTP.

use crate::audit::Audit;
use crate::auth::{Access, Principal, Signing, Tokens};
use crate::error::ServiceError;
use crate::limits::Limits;
use crate::listen::Listening;
use crate::origin::Hosts;
use crate::routes;
use crate::state::{App, Parts};
use crate::tls::Tls;
use axum::Router;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{TcpListener, ToSocketAddrs};
use vastflow_callback::Callbacks;
use vastflow_store::Durability;
use vastflow_worker::{Engine, EngineBuilder, Error};

/// An HTTP service on an engine. It answers this machine only, unless it is told who may do what.
///
/// ```
/// use std::sync::Arc;
/// use vastflow_sdk::{Bytes, Flow, Node, Result};
/// use vastflow_server::Service;
/// use vastflow_store::MemoryStore;
/// use vastflow_worker::Engine;
///
/// async fn said(text: Bytes) -> Result<Bytes> { Ok(format!("you said \"{}\"", text.to_text()).into()) }
///
/// # #[tokio::main] async fn main() -> Result<()> {
/// let flow = Flow::dag("myflow", |dag, text: Node<Bytes>| dag.node("said", said, text))?;
/// let engine = Engine::on(Arc::new(MemoryStore::new())).flow(flow);
/// let service = Service::new(engine).bind("127.0.0.1:0").await?; // or .listen("127.0.0.1:8080")
/// println!("curl -d hallo http://{}/flow/myflow", service.address());
/// # Ok(()) }
/// ```
#[must_use = "a service does something when it listens"]
pub struct Service {
    engine: Given,
    mode: Mode,
    tokens: Option<Tokens>,
    signing: Option<Signing>,
    hosts: Vec<String>,
    limits: Limits,
    audit: Option<PathBuf>,
    callbacks: Option<Callbacks>,
    is_insecure: bool,
    has_dashboard: bool,
    is_read_only: bool,
    base_path: String,
    tls: Option<(PathBuf, PathBuf)>,
    error: Option<ServiceError>,
}

/// An engine that runs, or one that is about to: what [`Service::new`] takes.
#[expect(clippy::large_enum_variant, reason = "there is one of it, for a moment")]
pub enum Given {
    /// One that runs. Its mode is its own.
    Running(Engine),
    /// One that the service starts, as its mode asks.
    Builder(EngineBuilder),
}

impl From<Engine> for Given {
    fn from(engine: Engine) -> Self {
        Given::Running(engine)
    }
}

impl From<EngineBuilder> for Given {
    fn from(builder: EngineBuilder) -> Self {
        Given::Builder(builder)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    All,
    Server,
    Worker,
}

impl Service {
    /// A service on an engine, or on one that is not started yet.
    pub fn new(engine: impl Into<Given>) -> Self {
        Service {
            engine: engine.into(),
            mode: Mode::All,
            tokens: None,
            signing: None,
            hosts: Vec::new(),
            limits: Limits::default(),
            audit: None,
            callbacks: None,
            is_insecure: false,
            has_dashboard: false,
            is_read_only: false,
            base_path: String::new(),
            tls: None,
            error: None,
        }
    }

    /// It never runs a node: it starts, shows and controls runs, also of flows that it has no code of, and other engines on
    /// the store do the work. On a store that belongs to one process nobody could, so it is refused there, unless the service
    /// is [`read_only`](Service::read_only).
    pub const fn server_only(mut self) -> Self {
        self.mode = Mode::Server;
        self
    }

    /// It answers nobody: it does the work that the store has, until it is told to end.
    pub const fn worker_only(mut self) -> Self {
        self.mode = Mode::Worker;
        self
    }

    /// Who has one of these tokens may do what stands with it; nobody else may do anything.
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Requests that are signed with this secret are those of `who`: see [`sign`](crate::sign). At least 16 bytes.
    pub fn hmac(mut self, secret: impl AsRef<[u8]>, who: &Principal) -> Self {
        let secret = secret.as_ref();
        if secret.len() < 16 {
            let why = format!("a secret to sign with needs at least 16 bytes, and this has {}", secret.len());
            self.error.get_or_insert(ServiceError::Setting(why));
        }
        let goflow = self.signing.as_ref().is_some_and(|signing| signing.goflow);
        let mut signing = Signing::new(secret, who.clone());
        signing.goflow = goflow;
        self.signing = Some(signing);
        self
    }

    /// goflow's `X-Hub-Signature: sha256=…` counts, too, with the secret of [`Service::hmac`], which comes first. It signs
    /// the body only, and can be sent again by whoever has seen it; `sha1=` never counts.
    pub fn goflow_hmac(mut self) -> Self {
        match &mut self.signing {
            Some(signing) => signing.goflow = true,
            None => {
                let why = "goflow's signatures need a secret; say `.hmac(secret, who)` first";
                self.error.get_or_insert(ServiceError::Setting(why.to_owned()));
            }
        }
        self
    }

    /// A name that the service is reached by, besides those of this machine for itself. Requests to other names are not
    /// answered, so that no page can have its own name lead here.
    pub fn host(mut self, name: &str) -> Self {
        self.hosts.push(name.to_owned());
        self
    }

    /// What the service takes on at once.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A file to which a line is added for all that is asked for that changes something.
    pub fn audit(mut self, path: impl AsRef<Path>) -> Self {
        self.audit = Some(path.as_ref().to_owned());
        self
    }

    /// Who may be told how runs ended, for requests with `X-Callback-Url` (or goflow's `X-Faas-Flow-Callback-Url`); nobody
    /// unless said. The engine of the service tells them, unless it never runs a node: then workers do, which serve the same
    /// ([`Callbacks::serve`]).
    pub fn callbacks(mut self, callbacks: Callbacks) -> Self {
        self.callbacks = Some(callbacks);
        self
    }

    /// It speaks TLS, with a certificate chain and its key in PEM files.
    pub fn tls(mut self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.tls = Some((chain.as_ref().to_owned(), key.as_ref().to_owned()));
        self
    }

    /// Anybody who reaches the service may do everything.
    pub const fn insecure_no_auth(mut self) -> Self {
        self.is_insecure = true;
        self
    }

    /// Nobody may change anything: whatever rights somebody has, they only look. Signing in and out is no change.
    pub const fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// Everything is below this path, say `/ops/vastflow`, as where a proxy hands on whole paths.
    pub fn base_path(mut self, path: &str) -> Self {
        let trimmed = path.trim_end_matches('/');
        let is_good = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        if !trimmed.is_empty() && !trimmed.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_good)) {
            let why = format!("{path:?} is no path to stand before others; write it as /ops/vastflow");
            self.error.get_or_insert(ServiceError::Setting(why));
        }
        trimmed.clone_into(&mut self.base_path);
        self
    }

    /// The dashboard is there, too: at `/`, and at all paths that are nobody else's. Its files are anybody's; what it shows is
    /// asked of the API, by those who signed in.
    #[cfg(feature = "dashboard")]
    pub fn dashboard(mut self) -> Self {
        if !crate::dashboard::is_there() {
            tracing::warn!(
                "this program was built without the dashboard's files: run `npm ci && npm run build` in dashboard/"
            );
        }
        self.has_dashboard = true;
        self
    }

    /// Listens, until the process is told to end (SIGINT, SIGTERM): then what is under way is waited for, the engine is shut
    /// down, and this returns. A second signal ends it at once.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn listen(self, at: impl ToSocketAddrs + fmt::Debug) -> Result<(), ServiceError> {
        if self.mode == Mode::Worker {
            return self.work().await;
        }
        self.bind(at).await?.run().await
    }

    /// Takes an address, without answering anybody yet: see [`Listening`].
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn bind(self, at: impl ToSocketAddrs + fmt::Debug) -> Result<Listening, ServiceError> {
        if self.mode == Mode::Worker {
            let why = "a service that is a worker only has no address; say `.listen(…)`, which does its work";
            return Err(ServiceError::Setting(why.to_owned()));
        }
        let place = format!("{at:?}");
        let failed = |why| ServiceError::Bind { at: place.clone(), why };
        let listener = TcpListener::bind(&at).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let is_open = self.tokens.is_none() && self.signing.is_none();
        if !address.ip().is_loopback() && is_open && !self.is_insecure {
            return Err(ServiceError::Open(address));
        }
        if is_open && self.is_insecure {
            tracing::warn!("anybody who reaches {address} may do everything: it was told so by `.insecure_no_auth()`");
        }
        let tls = self.tls.as_ref().map(|(chain, key)| Tls::open(chain, key)).transpose()?;
        let app = self.app(Some(address), tls.is_some()).await?;
        Ok(Listening::new(listener, address, tls, app))
    }

    /// The service as a router, to be mounted in another application. It takes care of who may do what, of bodies and of
    /// what pages may do; the application, of connections and their end. Mount it by `.nest_service("/ops", router)`: `.nest`
    /// does not hand on `/ops/`, which is where the dashboard is.
    ///
    /// # Errors
    /// [`ServiceError::OpenRouter`] when nothing says who may do what; what is wrong with the settings or the engine.
    pub async fn router(self) -> Result<Router, ServiceError> {
        if self.tokens.is_none() && self.signing.is_none() && !self.is_insecure {
            return Err(ServiceError::OpenRouter);
        }
        Ok(routes::router(self.app(None, false).await?))
    }

    async fn work(self) -> Result<(), ServiceError> {
        let drain = self.limits.drain;
        let engine = self.engine.start(self.mode, self.callbacks.as_ref()).await?;
        crate::listen::told_to_end().await;
        tracing::info!("the worker ends when what runs here has ended");
        tokio::select! {
            done = engine.shutdown_within(drain) => Ok(done?),
            () = crate::listen::told_to_end() => Ok(()),
        }
    }

    pub(crate) async fn app(self, address: Option<SocketAddr>, has_tls: bool) -> Result<Arc<App>, ServiceError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut hosts = Hosts::local();
        self.hosts.iter().for_each(|name| hosts.add(name));
        if address.is_some_and(|address| !address.ip().is_loopback()) {
            hosts.allow_addresses();
        }
        let audit = match &self.audit {
            Some(path) => Audit::open(path).map_err(|why| {
                ServiceError::Setting(format!("the audit log {} cannot be opened: {why}", path.display()))
            })?,
            None => Audit::default(),
        };
        let access = Access { tokens: self.tokens, signing: self.signing };
        let engine = self.engine.start(self.mode, self.callbacks.as_ref()).await?;
        if self.mode == Mode::Server && !self.is_read_only && is_alone(&engine) {
            engine.shutdown().await?;
            return Err(ServiceError::Alone);
        }
        let (callbacks, limits, is_insecure) = (self.callbacks, self.limits, self.is_insecure && access.is_open());
        let (has_dashboard, is_read_only, base_path) = (self.has_dashboard, self.is_read_only, self.base_path);
        Ok(App::new(Parts {
            engine,
            access,
            hosts,
            limits,
            audit,
            callbacks,
            is_insecure,
            has_tls,
            has_dashboard,
            is_read_only,
            base_path,
        }))
    }
}

/// Whether the store is this process's alone, and on a disk: nobody could do the work that a server leaves to others. A store in
/// memory may be shared with another engine of this program.
fn is_alone(engine: &Engine) -> bool {
    let can = engine.store().capabilities();
    !can.fleet && can.durability != Durability::Memory
}

impl Given {
    async fn start(self, mode: Mode, callbacks: Option<&Callbacks>) -> Result<Engine, ServiceError> {
        let flow = callbacks.map(Callbacks::flow).transpose();
        let flow = flow.map_err(|why| ServiceError::Setting(format!("callbacks cannot be told: {why}")))?;
        match self {
            Given::Running(_) if mode == Mode::Server => Err(ServiceError::Setting(
                "an engine that runs already may run nodes; give `Service::new` the engine before `.start()`"
                    .to_owned(),
            )),
            Given::Running(engine) => {
                if let Some(flow) = flow {
                    match engine.register(flow).await {
                        // It serves them by itself.
                        Ok(()) | Err(Error::NameTaken(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(engine)
            }
            Given::Builder(builder) => {
                let builder = flow.into_iter().fold(builder, EngineBuilder::flow);
                let builder = if mode == Mode::Server { builder.concurrency(0) } else { builder };
                Ok(builder.start().await?)
            }
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({:?})", self.mode)
    }
}
