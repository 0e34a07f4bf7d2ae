//! What the example programs share: reading a command line, and talking on a terminal. Nothing here is about flows;
//! start reading at `quickstart.rs`.

pub mod args;
pub mod dashboard;
pub mod terminal;
