//! The command line as a process: what it prints, where, and the code that it ends with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "panics are how tests fail")]

mod advice;
mod control;
mod deploy;
mod help;
mod logs;
mod looks;
mod place;
mod remote;
mod service;
mod settings;
mod stores;
