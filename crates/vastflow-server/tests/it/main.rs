//! The service over real connections: the acceptance cases that are about HTTP, every route with every right, and what it
//! refuses.
#![allow(elided_lifetimes_in_paths, reason = "users write `Node<u32>`, and so do tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests panics are how they fail")]

mod access;
mod bounds;
mod callbacks;
mod calls;
mod cases;
mod control;
mod dashboard;
mod documents;
mod ends;
mod gates;
mod inputs;
mod insides;
mod lists;
mod logs;
mod metrics;
mod modes;
mod networks;
mod sessions;
mod streams;
mod support;
