//! The way to the collector: an HTTP client on a thread of its own, because batches are sent by a thread that is no runtime's.

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Inner;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use std::sync::LazyLock;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most of an answer that is read.
const ANSWER: usize = 1 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Client {
    inner: Inner<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
}

impl Client {
    pub(crate) fn new() -> Result<Self, HttpError> {
        let runtime = runtime()?;
        let https = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(Client { inner: Inner::builder(TokioExecutor::new()).build(https), runtime })
    }
}

/// One thread for all that is sent.
fn runtime() -> Result<Handle, HttpError> {
    static RUNTIME: LazyLock<Result<Handle, String>> = LazyLock::new(|| start().map_err(|why| why.to_string()));
    RUNTIME.clone().map_err(Into::into)
}

fn start() -> std::io::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name("vastflow-otel".into());
    thread.spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let inner = self.inner.clone();
        let asked = async move {
            let response = inner.request(request.map(Full::new)).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(parts, body))
        };
        self.runtime.spawn(async { tokio::time::timeout(PATIENCE, asked).await }).await??
    }
}
