//! Tests of your own flows: a virtual clock, faults on purpose, crashes at every commit, golden histories.
//!
//! A trip of three bookings, each of which can be taken back. Whatever fails, nothing may stay booked; and a process
//! that dies at any moment must make no difference:
//!
//! ```
//! use std::{collections::BTreeSet, sync::{Arc, Mutex}};
//! use vastflow::{BoxError, Flow, Node, Result};
//! use vastflow_testing::{crash_at_every_commit, fail_each_node, repeat_each_node};
//!
//! type Bookings = Arc<Mutex<BTreeSet<&'static str>>>;
//!
//! fn trip() -> (Flow<u32, u32>, Bookings) {
//!     let world = Bookings::default();
//!     let book = |what| { let world = world.clone(); move |n: u32| { world.lock().unwrap().insert(what); async move { Ok::<_, BoxError>(n) } } };
//!     let free = |what| { let world = world.clone(); move |_: Option<u32>| { world.lock().unwrap().remove(what); async { Ok::<_, BoxError>(()) } } };
//!     let flow = Flow::dag("trip", |dag, n: Node<u32>| {
//!         let hotel = dag.node("hotel", book("hotel"), n).undo(free("hotel"));
//!         let flight = dag.node("flight", book("flight"), hotel).undo(free("flight"));
//!         dag.node("car", book("car"), flight).undo(free("car"))
//!     });
//!     (flow.unwrap(), world)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! fail_each_node(trip, 1, |end| assert!(end.world().lock().unwrap().is_empty())).await?;
//! repeat_each_node(trip, 1, |end| assert_eq!(end.world().lock().unwrap().len(), 3)).await?;
//! crash_at_every_commit(trip, 1, |end| assert_eq!(end.output().unwrap(), 1)).await?;
//! # Ok(()) }
//! ```
//!
//! # What there is
//!
//! - [`TestEngine`] runs flows by a **virtual clock**. [`TestEngine::advance`] lets a month pass in a millisecond: every
//!   sleep, retry, poll and deadline comes at its own time and in order. The handlers are called as they are.
//! - [`TestEngine::inject`] lets a call [fail, panic, hang, be slow, die, or run twice](Fault).
//! - [`fail_each_node`], [`repeat_each_node`], [`crash_at_every_commit`], or a [`Drill`] with settings: a run again and
//!   again, each time with another thing that goes wrong.
//! - [`TestEngine::golden`] keeps the history of a run in a file, and says what a change of the flow or its code means:
//!   for new runs, and for those that are under way. [`Golden::replay`] does it for a history from anywhere.
//!
//! # What it is, and what it is not
//!
//! It drives the same core, the same plans and the same calls of handlers as an engine; what a run does next is decided
//! by the code that decides it in production. After every step it checks both laws: that folding what is recorded gives
//! the state, and that the tasks that exist are those that the state asks for. It has no store, no leases, and no lanes or
//! windows: nobody waits in line. What stores and engines do with faults of theirs is tested elsewhere, once for all
//! flows.
//!
//! Everything that could come in another order does: which ready task is called next, which answer is recorded next,
//! which scope hears its words next. A **seed** chooses, and the same seed chooses the same; every error says which it
//! was. `VASTFLOW_SEED` sets it for engines that are given none.
//!
//! The clock stands still while a handler runs, however long it takes by the real clock: a handler may wait for files,
//! sockets, or other tasks of tokio, and is waited for. A `tokio::time::sleep` in a handler takes real time; a wait
//! that belongs to the flow is a sleep node, a retry, or a river's interval. Which of several handlers answers first by
//! the real clock makes no difference, unless one takes longer than 200 ms while something else could be done.
//!
//! Every answer is a commit of its own, where an engine joins some: it has fewer moments at which it can die. The answer
//! of a node that is not durable is mostly recorded with what follows from it, as an engine does it.
//!
//! **Absent:** stores, the network, the real clock, and anything that production code has to know about.

mod builder;
mod calls;
mod drill;
mod engine;
mod error;
mod fault;
mod golden;
mod history;
mod life;
mod place;
mod rng;
mod room;
mod runs;

pub use builder::TestEngineBuilder;
pub use drill::{Drill, End, Stage, Tally, crash_at_every_commit, fail_each_node, repeat_each_node};
pub use engine::{Moment, TestEngine};
pub use error::Error;
pub use fault::Fault;
pub use golden::{Golden, Verdict};
pub use history::History;
pub use place::Place;
pub use runs::{Starting, TestRun};
