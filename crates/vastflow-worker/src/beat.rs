//! Signs of life: what this engine tells of itself, and what it learns of its neighbours.

use crate::error::Error;
use crate::shared::Shared;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use vastflow_core::Name;
use vastflow_store::{Heartbeat, StoreError, WorkerInfo};

/// How soon one learns of a neighbour in the same process.
const LOOK: Duration = Duration::from_secs(1);
/// The most workers that one sweep gives up.
const SWEEP: usize = 16;

/// What an engine tells of itself for as long as it lives.
pub(crate) fn introduce(name: Option<Name>, slots: usize, lanes: impl Iterator<Item = Name>) -> WorkerInfo {
    let version = env!("CARGO_PKG_VERSION").into();
    WorkerInfo { name, version, slots, lanes: lanes.collect(), ..WorkerInfo::here() }
}

/// Says once that the engine lives.
///
/// # Errors
/// What the store answers; that a worker of its name lives.
pub(crate) async fn beat_once(shared: &Shared) -> Result<(), StoreError> {
    let beat = Heartbeat { worker: shared.worker, about: shared.about(), lease: shared.lease, now: shared.now() };
    let pulse = shared.store.heartbeat(beat).await?;
    shared.has_company.store(pulse.has_others, Ordering::Relaxed);
    Ok(())
}

/// Beats until the engine stops, and sweeps after those that do not beat any more.
pub(crate) async fn beat(shared: Arc<Shared>) {
    // A store in this process hears it for nothing, and its answer is how one learns of a new neighbour.
    let most = if shared.store.capabilities().fleet { shared.lease } else { LOOK };
    let mut ticks = tokio::time::interval(most.min(shared.lease / 3));
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.stopped.off() => return,
        }
        match beat_once(&shared).await {
            Ok(()) => {}
            Err(error) if error.is_transient() => tracing::warn!("no heartbeat: {error}"),
            Err(error) => shared.break_down(&Error::from(error)),
        }
        // Those that are given up now were company until now.
        if let Err(error) = shared.store.sweep(shared.now(), SWEEP).await {
            tracing::warn!("no sweep: {error}");
        }
    }
}
