//! Runs as OpenTelemetry traces, sent over OTLP (HTTP, protobuf).
//!
//! ```text
//!  engine ─▶ Observer: began, called, ended ─▶ spans with ids that follow from the run ─▶ batches ─▶ collector
//! ```
//!
//! A run is one trace, whoever carries it on: the ids of its spans are made of what is recorded with it, so that no worker
//! needs to know of another, and nothing is open while a run waits for a month. What stands where:
//!
//! - `run FLOW`, sent when the run has ended: from its start to its end, at most an hour; a child of whoever started it.
//! - `start FLOW`, sent when the run has begun, and `end FLOW` when it took longer than an hour: moments, linked with the run.
//! - one span a call, named by its node: attempts, polls, hooks, undo actions; a child of the run.
//! - A run that goes on from another (retry, rerun, fork) is linked with it; one that a run started is its child.
//!
//! **Absent:** payloads, error texts, labels, headers: what a span says is names, ids, numbers and kinds.

mod http;
mod ids;
mod spans;

use ids::Given;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::fmt;

/// The name of the service unless `OTEL_SERVICE_NAME` says another.
const NAME: &str = "vastflow";

/// Sends runs as traces: an observer for [`EngineBuilder::observer`](vastflow_worker::EngineBuilder::observer). Clones share
/// what waits to be sent.
///
/// ```
/// # use std::sync::Arc;
/// use vastflow_otel::Traces;
/// # use vastflow_store::MemoryStore;
/// # use vastflow_worker::Engine;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let traces = Traces::to("http://127.0.0.1:4318")?;
/// let engine = Engine::on(Arc::new(MemoryStore::new())).observer(traces.clone()).start().await?;
/// // …
/// engine.shutdown().await?;
/// tokio::task::spawn_blocking(move || traces.flush()).await?; // what is not sent yet
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent: {0}; check $OTEL_EXPORTER_OTLP_ENDPOINT, such as http://127.0.0.1:4318")]
pub struct TracesError(String);

impl Traces {
    /// To the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) names; none when it names none. The other
    /// variables of OpenTelemetry count, too: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`,
    /// `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_…`.
    ///
    /// # Errors
    /// [`TracesError`] when a variable makes no sense.
    pub fn from_env() -> Result<Option<Self>, TracesError> {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
        let is_named = names.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        if is_named { Traces::make(None).map(Some) } else { Ok(None) }
    }

    /// To a collector at this address, whose path `/v1/traces` is asked.
    ///
    /// # Errors
    /// [`TracesError`].
    pub fn to(endpoint: &str) -> Result<Self, TracesError> {
        Traces::make(Some(format!("{}/v1/traces", endpoint.trim_end_matches('/'))))
    }

    fn make(endpoint: Option<String>) -> Result<Self, TracesError> {
        let client = http::Client::new().map_err(|why| TracesError(why.to_string()))?;
        let builder = SpanExporter::builder().with_http().with_http_client(client);
        let builder = endpoint.into_iter().fold(builder, |builder, at| builder.with_endpoint(at));
        let exporter = builder.build().map_err(|why| TracesError(why.to_string()))?;
        let named = std::env::var_os("OTEL_SERVICE_NAME").is_some();
        let resource = Resource::builder();
        let resource = if named { resource } else { resource.with_service_name(NAME) };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_id_generator(Given::default())
            .with_resource(resource.build())
            .build();
        let tracer = provider.tracer("vastflow");
        Ok(Traces { provider, tracer })
    }

    /// Sends what waits to be sent, and waits for the collector's answer: it blocks its thread. What cannot be sent is lost,
    /// and said so by `false`.
    pub fn flush(&self) -> bool {
        self.provider.force_flush().is_ok()
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}
