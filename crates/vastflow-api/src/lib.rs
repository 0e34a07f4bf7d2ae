//! The JSON that vastflow's HTTP service speaks, for servers and clients.
//!
//! | module | what |
//! |---|---|
//! | [`run`] | a run in a list and as a whole, starting one |
//! | [`view`] | a run to look at: its nodes with states, times, calls and errors |
//! | [`event`] | what is recorded of a run, and what its streams say |
//! | [`control`] | what is asked of a run: reasons, forks, choices of an operator |
//! | [`bulk`] | the same of many runs at once |
//! | [`flow`] | flows, with what they take and how their runs go |
//! | [`fleet`] | workers, queues, what waits for a person |
//! | [`access`] | who may do what: tokens, and what was done |
//! | [`problem`] | what went wrong, with a stable code |
//!
//! Times are milliseconds since 1970-01-01T00:00:00Z, durations are milliseconds; names say so. Fields may be added, so
//! readers pass over those that they do not know; none is removed or changes its meaning within `/api/v1`.
//!
//! **Absent:** types of stores and of the core: what is durable and what is spoken never share one. What a run carries
//! (input, output, signals) is not in any of these: it travels as bytes in bodies of their own, because it needs a right
//! of its own.

pub mod access;
pub mod bulk;
pub mod control;
pub mod event;
pub mod figures;
pub mod fleet;
pub mod flow;
pub mod inside;
pub mod problem;
pub mod run;
pub mod view;

use serde::{Deserialize, Serialize};

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// What stands on it.
    pub items: Vec<T>,
    /// What to give as `before` (of events: `after`) to get the next page; none when this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether not all was looked at that belongs on it: the service looks at so much for one answer, and no longer. With a
    /// `next` the rest is on further pages; without, ask for less: one flow, one kind.
    #[serde(default, skip_serializing_if = "is_false")]
    pub partial: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl<T> Page<T> {
    /// A page that is the last.
    #[must_use]
    pub const fn last(items: Vec<T>) -> Self {
        Page::new(items, None)
    }

    /// A page behind which there may be others.
    #[must_use]
    pub const fn new(items: Vec<T>, next: Option<String>) -> Self {
        Page { items, next, partial: false }
    }
}
