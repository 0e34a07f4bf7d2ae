//! The examples, run as a reader runs them, and killed as no reader would.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod approval;
mod attach_volume;
mod checker;
mod fleet;
mod inspect;
mod kyc;
mod process;
mod quickstart;
mod random;
mod service;
mod showcase;
mod trip;
