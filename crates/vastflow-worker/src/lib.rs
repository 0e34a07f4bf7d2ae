//! The engine: runs the code of flows on tokio, and records what comes of it in a store.
//!
//! ```text
//!  start, outcome, timer, cancel                     claim (what nobody keeps: polls, retries, other engines' work)
//!          │                                                │
//!          ▼                                                ▼
//!   Cell: the state of one scope, ahead of the log ◀── loaded from its journal
//!          │ decide + evolve, at once; commits gathered
//!          ▼
//!   Turn: all dirty cells, one commit each ──▶ Store::submit ──▶ acknowledged: answers seen, kept tasks called
//! ```
//!
//! *Evolve at submit, act at acknowledgement*: outcomes of one scope that arrive while its last commit is on its way
//! are folded at once and go out together as the next commit; nothing is shown and no new work begins before the
//! store has said that it will remember. Nothing waits in a slot: polls, retries and joins are data.
//!
//! **Absent:** drivers, HTTP, any rule about what a run does next (that is the core's), any polling on the hot path.

mod again;
mod alone;
mod beat;
mod call;
mod cell;
mod child;
mod claim;
mod clock;
mod control;
mod engine;
mod error;
mod events;
mod form;
#[cfg(test)]
mod heard;
mod ids;
mod lanes;
mod life;
mod limit;
mod local;
mod mend;
mod metrics;
mod observer;
mod parked;
mod report;
mod retention;
mod run;
mod shared;
mod slots;
mod start;
mod stats;
mod stored;
mod switch;
pub mod tree;
mod turn;
mod watch;
mod window;

pub use again::Fork;
pub use control::Signal;
pub use engine::{Engine, EngineBuilder};
pub use error::Error;
pub use events::{Events, RunEvent};
pub use limit::Limit;
pub use local::run_in_memory;
pub use metrics::MetricsPage;
pub use observer::{CallSeen, Observer, RunSeen};
pub use report::{Report, Waiting};
pub use retention::Retention;
pub use run::{Run, TypedRun};
pub use start::StartRun;
pub use stats::Stats;
pub use window::Window;
