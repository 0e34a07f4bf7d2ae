//! Where the store under test comes from, and how a case is run on it.

use crate::cases::CASES;
use crate::probe::Probe;
use async_trait::async_trait;
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use vastflow_store::{Durability, Store};

/// One store under test, which may be opened more than once.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Opens the store: the first time an empty one, and the same one again after it was closed.
    ///
    /// Only stores whose durability is at least [`Durability::Synced`] are closed and opened again.
    async fn open(&self) -> Arc<dyn Store>;
}

/// The harness of a store that cannot be reopened.
#[async_trait]
impl Harness for Arc<dyn Store> {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::clone(self)
    }
}

/// One rule and the test of it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its topic.
    pub topic: &'static str,
    /// The rule.
    pub name: &'static str,
    /// The test; it panics when the rule is broken.
    pub test: fn(Probe) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Case {
    async fn run(self, harness: Arc<dyn Harness>) {
        let probe = Probe::open(harness).await;
        if self.topic == "reopen" && probe.store().capabilities().durability < Durability::Synced {
            eprintln!("skipped: {}::{} is for stores that survive being closed", self.topic, self.name);
            return;
        }
        (self.test)(probe).await;
    }
}

/// Runs the case `topic::name` on a runtime of its own, and panics when it fails.
///
/// # Panics
/// When the case fails.
pub fn run_case<F, H>(topic: &str, name: &str, fresh: impl FnOnce() -> F)
where
    F: Future<Output = H>,
    H: Harness,
{
    let case = CASES.iter().find(|case| case.topic == topic && case.name == name).expect("a case of this suite");
    runtime().block_on(async { case.run(Arc::new(fresh().await)).await });
}

/// A case that failed, and what it said.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The case.
    pub case: Case,
    /// What it said.
    pub why: String,
}

/// Runs cases, each on a fresh store, and gives those that fail, one after the other: for proofs that a broken store is
/// found out.
///
/// # Panics
/// When a runtime cannot be made.
pub fn failures<F, H>(
    cases: impl IntoIterator<Item = &'static Case>,
    fresh: impl Fn() -> F,
) -> impl Iterator<Item = Failed>
where
    F: Future<Output = H>,
    H: Harness,
{
    let runtime = runtime();
    cases.into_iter().filter_map(move |case| {
        let run = || runtime.block_on(async { case.run(Arc::new(fresh().await)).await });
        let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
        Some(Failed { case: *case, why: text_of(&*panic) })
    })
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}
