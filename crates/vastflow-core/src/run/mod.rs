//! Runs: the state that a journal folds into, and what may happen next.
//!
//! ```text
//!  New ─▶ Going ──────────────────── all nodes ended ─────────────────────────▶ Hook(Finally) ─▶ Settled ─▶ Ended
//!             │ CancelRequested · NodeFailed · RunTimedOut · Killed                     ▲                     │
//!             └─▶ Stopping ─ nothing in hand ─▶ Undoing ─▶ Hook(OnFailure) ─────────────┘                     │
//!                                                  ▲      an inner scope that is to take back what it did     │
//!                                                  └───────────────────── UndoRequested ──────────────────────┘
//!
//!  a node:  Waiting ─▶ Active(Attempt 1) ─▶ … ─▶ Succeeded ─▶ Undone
//!              │         │  ▲ AttemptFailed   ├─▶ Failed        (maybe by way of Active(Rescue), or Parked)
//!              ▼         ▼  │                 ├─▶ Open          (its scopes are under way) ─▶ Succeeded, Failed
//!           Skipped    Active(Poll 1) ─▶ …    └─▶ Dropped       (the run stopped before it could go on)
//! ```

mod answer;
mod decide;
mod error;
mod evolve;
mod hooks;
mod input;
mod nodes;
mod open;
mod origin;
mod outstanding;
mod scopes;
mod signals;
mod state;
mod step;
mod stop;
mod summary;
mod undo;
mod values;

pub use error::{Illegal, Rejection, StepError};
pub(crate) use evolve::node_ix;
pub use input::{Begin, Input, Peer, Reply, Start, TaskOutcome, Word};
pub use origin::Legacy;
pub use outstanding::{Changes, Sink};
pub use state::{NodeStatus, State};
pub use step::Times;
pub use summary::RunSummary;
pub use values::ToReduce;
