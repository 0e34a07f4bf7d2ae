//! How long a run takes until its first call begins, when nothing else is under way.

use crate::flows::payload;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vastflow::{BoxError, Engine, Flow, Node, PlanErrors};

/// Nothing here takes this long.
const STUCK: Duration = Duration::from_secs(30);
/// How often one looks whether the call has begun, and how long a run is given to end before the next one starts.
const LOOK: Duration = Duration::from_millis(1);
const IDLE: Duration = Duration::from_millis(20);

/// When the latest call began, until somebody asks.
#[derive(Clone, Default)]
pub(crate) struct Called(Arc<Mutex<Option<Instant>>>);

impl Called {
    pub(crate) fn take(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// One node that notes when it is called.
pub(crate) fn noted() -> Result<(Flow<String, String>, Called), PlanErrors> {
    let called = Called::default();
    let noted = called.clone();
    let note = move |value: String| {
        *noted.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        async move { Ok::<_, vastflow::Error>(value) }
    };
    let flow = Flow::dag("noted", |dag, input: Node<'_, String>| dag.node("note", note, input))?;
    Ok((flow, called))
}

/// Starts runs, one after the other, at an engine that makes no calls, and says how long it takes until another's worker
/// begins each.
pub(crate) async fn to_another_worker(
    store: &str,
    starter: Engine,
    called: &Called,
    runs: usize,
) -> Result<(), BoxError> {
    let mut hops = Vec::new();
    for run in 0..runs.max(10) {
        let began = Instant::now();
        starter.run("noted", payload()).await?;
        // Who makes no calls hears of their end by looking, which would take longer than all the rest.
        let at = loop {
            match called.take() {
                Some(at) => break at,
                None if began.elapsed() > STUCK => return Err("nobody called the node".into()),
                None => tokio::time::sleep(LOOK).await,
            }
        };
        let hop = at.duration_since(began).as_secs_f64() * 1e6;
        tokio::time::sleep(IDLE).await;
        // The first ones are a rehearsal.
        if run >= runs / 10 {
            hops.push(hop);
        }
    }
    starter.shutdown().await?;
    hops.sort_by(f64::total_cmp);
    let at = |percent: usize| hops.get(hops.len() * percent / 100).copied().unwrap_or(f64::NAN);
    println!("RESULT W9 store={store} hop=other inflight=1 p50_us={:.0} p99_us={:.0}", at(50), at(99));
    Ok(())
}
