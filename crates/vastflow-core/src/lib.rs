//! The pure heart of vastflow: what a flow *is* ([`plan`]), what *happened* to a run of it ([`event`]),
//! and what follows from that ([`run`]).
//!
//! ```text
//! Plan ── structure only: serialisable, hashed, stored with every run
//!   │
//!   ▼           Input: start | outcome of a task | timer | cancel, plus `now`
//! State::decide(input, now) -> events        mutates nothing
//! State::evolve(event)      -> Sink          one total match, live and at recovery alike
//! State::outstanding()      -> Sink          every task and timer that must exist in this state
//! ```
//!
//! Two laws hold everywhere:
//!
//! 1. What `decide` wants to be true it says in events; `evolve` alone turns events into state.
//! 2. The queue is a projection: after any history the tasks in a store are exactly those that
//!    [`State::outstanding`](run::State::outstanding) names.
//!
//! **Absent by construction** (`no_std`): files, sockets, threads, clocks, randomness, `async`. `now` is an
//! argument; jitter is a hash of the ids. Who runs a task, where events are kept and which bytes a payload holds
//! are other crates' business.
//!
//! Start reading at [`plan::PlanSpec`], then [`event::Event`], then [`run::State`].
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
pub mod context;
pub mod event;
pub mod failure;
pub mod id;
mod info;
pub mod limits;
pub mod payload;
pub mod plan;
pub mod retry;
pub mod run;
pub mod time;
mod trace;
pub mod view;

pub use context::{Context, Writes};
pub use event::{Event, Level, Recorded, RunOutcome, RunStarted, RunStatus, Said, SaidLine};
pub use failure::{Failure, FailureKind, RunFailure};
pub use id::{Hook, Name, NodeIx, RunId, ScopeId, Seq, Task};
pub use info::{RunInfo, Travels};
pub use payload::{Codec, Payload};
pub use plan::{Plan, PlanErrors, PlanHash, PlanSpec};
pub use run::{Input, Reply, Sink, State};
pub use time::Timestamp;
pub use trace::TraceContext;
