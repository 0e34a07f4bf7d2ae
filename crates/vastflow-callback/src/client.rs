//! The way out: one request, to an address that was looked at.

use crate::network::{Network, is_public};
use crate::target::{Host, Refused, Target};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use vastflow_sdk::{BoxError, BoxFuture};

/// The most of an answer that is read: nobody looks at it.
const ANSWER: usize = 64 << 10;

/// Says which addresses a name has.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a host, each with this port.
    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>>;
}

/// As the system says.
pub(crate) struct System;

impl Resolve for System {
    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let host = host.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Sends requests.
#[derive(Clone)]
pub(crate) struct Client {
    /// Networks that names may lead into besides the internet.
    pub(crate) networks: Arc<[Network]>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) timeout: Duration,
    pub(crate) tls: Option<TlsConnector>,
}

/// TLS as the system trusts; none when it cannot be used.
pub(crate) fn tls() -> Option<TlsConnector> {
    static CONFIG: LazyLock<Option<Arc<ClientConfig>>> = LazyLock::new(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().ok()?;
        Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    });
    CONFIG.clone().map(TlsConnector::from)
}

impl Client {
    /// Sends a request to a target; gives the status of the answer.
    ///
    /// # Errors
    /// It may not be called, cannot be reached, or does not answer in time.
    pub(crate) async fn send(&self, target: &Target, request: Request<Full<Bytes>>) -> Result<StatusCode, BoxError> {
        let sent = tokio::time::timeout(self.timeout, self.try_send(target, request)).await;
        sent.unwrap_or_else(|_| Err(format!("no answer within {:?}", self.timeout).into()))
    }

    async fn try_send(&self, target: &Target, request: Request<Full<Bytes>>) -> Result<StatusCode, BoxError> {
        // Connected to is what was looked at: whatever the name leads to a moment later.
        let stream = TcpStream::connect(&self.addresses(target).await?[..]).await?;
        if !target.is_https {
            return exchange(stream, request).await;
        }
        let tls = self.tls.as_ref().ok_or("TLS cannot be used here")?;
        let name = match &target.host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone())?,
        };
        exchange(tls.connect(name, stream).await?, request).await
    }

    /// The addresses of a target that may be connected to.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, BoxError> {
        let name = match &target.host {
            // Whoever allowed for it typed it out.
            Host::Address(address) => return Ok(vec![SocketAddr::new(*address, target.port)]),
            Host::Name(name) => name,
        };
        let all = self.resolver.resolve(name, target.port).await?;
        if all.is_empty() {
            return Err(format!("{name} has no address").into());
        }
        let allowed: Vec<SocketAddr> = all.into_iter().filter(|address| self.may_reach(address.ip())).collect();
        if allowed.is_empty() { Err(Refused::Private { host: name.clone() }.into()) } else { Ok(allowed) }
    }

    fn may_reach(&self, address: IpAddr) -> bool {
        is_public(address) || self.networks.iter().any(|network| network.holds(address))
    }
}

/// One request and its answer.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Dropped with this call, whatever becomes of it.
    let connection = AbortOnDrop(tokio::spawn(connection));
    let response = sender.send_request(request).await?;
    let status = response.status();
    // A receiver that is cut off while it answers may take the whole for failed.
    let _ = Limited::new(response.into_body(), ANSWER).collect().await;
    drop(connection);
    Ok(status)
}

struct AbortOnDrop(tokio::task::JoinHandle<hyper::Result<()>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
