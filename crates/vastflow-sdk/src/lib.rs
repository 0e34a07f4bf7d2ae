//! What users of vastflow write against: flows as typed [`Dag`]s, as rivers from the [`Andes`] to the [`Atlantic`],
//! or drawn by name as a [`Graph`]; and [`Ctx`], what a handler can ask about the call it is in.
//!
//! ```text
//! Dag (typed edges) ──▶ Graph (names, bytes) ──▶ Flow = Plan + code
//! Andes (rivers) ────────────────────────────▶ Flow
//! ```
//!
//! A [`Flow`] is a [`Plan`](vastflow_core::Plan), which is structure only and is stored with every run, plus the code
//! of its nodes, which is looked up by name. An engine (`vastflow-worker`) brings the two together.
//!
//! **Absent:** stores, runtimes, threads, timers. Nothing here runs a flow.

mod andes;
mod child;
mod code;
mod ctx;
mod dag;
mod data;
mod error;
mod flow;
mod graph;
mod handler;
mod headwaters;
mod inside;
mod log;
mod misfit;
mod nested;
mod options;
mod river;
mod schema;
mod shapes;
mod values;

pub use andes::{Andes, Basin, Chain, OfRiver, OfStreams, ParallelRiver, RiverExt, Stream};
pub use child::{ChildAsk, ChildState, child_run_id};
pub use code::{Aggregator, Bound, BoxFuture, Code, FlowCode, Forwarder, Library, MissingCode, NameTaken, NodeCode};
pub use ctx::{About, CallParts, Ctx, EngineLink};
pub use dag::{Dag, Inputs, Node, Wire};
pub use data::{Bytes, Data, DataError, Parts};
pub use error::{BoxError, NodeError, Result};
pub use flow::Flow;
pub use graph::{Edge, Graph, NodeOptions};
pub use handler::{Handler, Plain, Shape, WithCtx};
pub use headwaters::{Headwaters, HeadwatersStart};
pub use inside::{Items, Json, Keys, OneKey, Page};
pub use misfit::{Misfit, misfit, shown};
pub use nested::ForEach;
pub use options::{DurationExt, Retry, TimesExt};
pub use river::{Atlantic, Cycle, InPlan, River, RiverAttr, RiverError};
pub use shapes::{AnyOf, Branch, Cases, NOf, Settled, any, n_of, settled};
pub use values::Temporary;
pub use vastflow_core::plan::{Join, OnExhausted};
