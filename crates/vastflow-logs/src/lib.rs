//! Keeps what handlers say on `tracing` with the calls that said it: a layer beside those that write lines elsewhere.
//!
//! ```
//! use tracing_subscriber::prelude::*;
//!
//! let subscriber = tracing_subscriber::registry().with(vastflow_logs::kept(tracing::Level::INFO));
//! // .with(tracing_subscriber::fmt::layer()) for lines on the terminal, too; then .init()
//! # drop(subscriber);
//! ```
//!
//! An event is kept with the call whose code is being polled on its thread; what a handler has others do (a spawned task, a
//! thread) is theirs: use [`Ctx::log`] there. What the engine itself says is not the handler's, and is not kept.

use std::fmt::{Debug, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Level as Said, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use vastflow_core::Level;
use vastflow_sdk::Ctx;

/// Keeps what handlers say, from this level on.
#[must_use = "add it to a subscriber"]
pub const fn kept(level: Said) -> Kept {
    Kept { level }
}

/// See [`kept`].
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    level: Said,
}

impl<S: Subscriber> Layer<S> for Kept {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        let is_engine = about.target().split("::").next().is_some_and(|of| of.starts_with("vastflow_"));
        if *about.level() > self.level || is_engine {
            return;
        }
        let Some(call) = Ctx::current() else { return };
        let mut text = Text::default();
        event.record(&mut text);
        call.log_at(level(*about.level()), text.message + &text.fields);
    }
}

const fn level(of: Said) -> Level {
    match of {
        Said::ERROR => Level::Error,
        Said::WARN => Level::Warn,
        Said::INFO => Level::Info,
        Said::DEBUG => Level::Debug,
        Said::TRACE => Level::Trace,
    }
}

/// An event as a line: its message, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing into a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
