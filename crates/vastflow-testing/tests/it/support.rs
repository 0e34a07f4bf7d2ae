//! What the tests share.

use std::sync::{Arc, Mutex};
use vastflow_sdk::{BoxError, Flow, Node, Result};

/// A result whose error type is said.
pub fn ok<T>(value: T) -> Result<T> {
    Ok(value)
}

/// A failing handler's answer.
pub fn fail<T>(why: &str) -> Result<T> {
    Err(BoxError::from(why.to_owned()))
}

/// What handlers did, in order.
pub type Log = Arc<Mutex<Vec<String>>>;

pub fn note(log: &Log, line: impl Into<String>) {
    log.lock().unwrap().push(line.into());
}

pub fn lines(log: &Log) -> Vec<String> {
    log.lock().unwrap().clone()
}

pub fn count(log: &Log, line: &str) -> usize {
    log.lock().unwrap().iter().filter(|one| *one == line).count()
}

/// One node that doubles.
pub fn double() -> Flow<u32, u32> {
    Flow::dag("double", |dag, n: Node<u32>| dag.node("double", |n: u32| async move { ok(n * 2) }, n)).unwrap()
}
