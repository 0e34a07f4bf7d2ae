//! Durable workflows as a Rust library: DAGs and rivers that survive crashes, with no server to run.
//!
//! Draw a flow from plain `async fn`s, open a store by its URL, and run it. Every finished node is recorded once,
//! before anything follows from it; after a crash the run goes on where it was.
//!
//! ```
//! use vastflow::prelude::*;
//!
//! async fn fetch(user: u64) -> Result<String> { Ok(format!("image of user {user}")) }
//! async fn detect(image: String) -> Result<usize> { Ok(image.len()) }
//!
//! # #[tokio::main] async fn main() -> Result<()> {
//! let flow = Flow::dag("kyc", |dag, user: Node<u64>| {
//!     let image = dag.node("fetch", fetch, user).retry(3.times().exponential(100.ms()));
//!     dag.node("detect", detect, image)
//! })?;
//! let engine = Engine::open("memory:").await?.flow(flow).start().await?;
//! let run = engine.run("kyc", 7_u64).await?;
//! assert_eq!(run.output::<usize>().await?, 15);
//! # Ok(()) }
//! ```
//!
//! **A handler runs at least once**: if the process dies after it has acted and before its result is recorded, it runs
//! again. What it does outside (a mail, a charge) should carry [`Ctx::idempotency_key`], which is the same each time.
//!
//! Where things are: drawing in [`Flow`], [`Dag`], [`Graph`], [`Andes`]; what a handler can ask in [`Ctx`]; running in
//! [`Engine`] and [`Run`]; looking in [`RunView`]; stores in [`store`] and [`open`]; how and why in the [`guide`].

pub mod guide;
#[cfg(feature = "cli")]
pub use vastflow_cli::{App, app};
pub use vastflow_core::event::Choice;
pub use vastflow_core::run::NodeStatus;
pub use vastflow_core::view::{CallKind, CallView, NodeView, Phase, RunView, Span};
pub use vastflow_core::{
    Codec, Event, Failure, FailureKind, Name, Payload, Plan, PlanErrors, PlanHash, RunFailure, RunId, RunInfo,
    RunOutcome, RunStatus, Timestamp, TraceContext,
};
pub use vastflow_open::{Open, OpenError, open};
pub use vastflow_sdk::{
    Andes, AnyOf, Atlantic, Basin, BoxError, Branch, Bytes, Cases, Chain, Ctx, Cycle, Dag, Data, DataError,
    DurationExt, Edge, Flow, ForEach, Graph, Handler, Headwaters, Inputs, Items, Join, Json, Keys, MissingCode, NOf,
    Node, NodeError, NodeOptions, OnExhausted, OneKey, Page, ParallelRiver, Parts, Result, Retry, River, RiverAttr,
    RiverError, RiverExt, Settled, Stream, TimesExt, any, n_of, settled,
};
pub use vastflow_worker::{
    Engine, EngineBuilder, Error, Events, Fork, Limit, MetricsPage, Observer, Report, Retention, Run, RunEvent, Signal,
    StartRun, Stats, TypedRun, Waiting, Window, run_in_memory,
};

/// The storage seam, for those who write or inspect stores.
pub mod store {
    pub use vastflow_store::*;
}

/// Runs as OpenTelemetry traces. Needs the feature `otel`.
#[cfg(feature = "otel")]
pub mod otel {
    pub use vastflow_otel::*;
}

/// The HTTP service: `POST /flow/{name}`, `/api/v1`, streams, and who may do what. Needs the feature `server`.
#[cfg(feature = "server")]
pub mod server {
    pub use vastflow_server::*;
}

/// Everything that drawing and running a flow takes.
pub mod prelude {
    pub use crate::{
        Andes, Atlantic, Basin, Bytes, Ctx, Cycle, DurationExt, Engine, Flow, Graph, Headwaters, Node, NodeError, Open,
        Page, ParallelRiver, Parts, Result, River, RiverAttr, RiverError, RiverExt, Run, TimesExt, any, n_of, settled,
    };
}
