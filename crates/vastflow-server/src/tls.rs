//! TLS by rustls.

use crate::error::ServiceError;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::server::TlsStream;

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Tls(TlsAcceptor);

impl Tls {
    pub(crate) fn open(chain: &Path, key: &Path) -> Result<Self, ServiceError> {
        let wrong = |path: &Path, why: &dyn std::fmt::Display| {
            ServiceError::Setting(format!("{} cannot be used for TLS: {why}", path.display()))
        };
        let certificates = CertificateDer::pem_file_iter(chain).map_err(|why| wrong(chain, &why))?;
        let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|why| wrong(chain, &why))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|why| wrong(key, &why))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| wrong(chain, &why))?
            .with_no_client_auth()
            .with_single_cert(certificates, secret)
            .map_err(|why| wrong(chain, &why))?;
        Ok(Tls(TlsAcceptor::from(Arc::new(config))))
    }

    /// Greets somebody, who may not take for ever.
    pub(crate) async fn accept(&self, stream: TcpStream, limit: Duration) -> std::io::Result<TlsStream<TcpStream>> {
        tokio::time::timeout(limit, self.0.accept(stream)).await?
    }
}
