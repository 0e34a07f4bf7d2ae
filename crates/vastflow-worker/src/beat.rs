//! Signs of life: what this engine tells of itself, what it learns of its neighbours and of the time, and what it does
//! when it learns that it was taken for dead.

use crate::error::Error;
use crate::shared::Shared;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vastflow_core::{Name, Timestamp};
use vastflow_store::{Heartbeat, StoreError, WorkerId, WorkerInfo};

/// How soon one learns of a neighbour in the same process.
const LOOK: Duration = Duration::from_secs(1);
/// The most workers that one sweep gives up.
const SWEEP: usize = 16;
/// How long an engine that ends waits for a sign of life that is on its way to a store in this process.
const LAST: Duration = Duration::from_millis(100);

/// What an engine tells of itself for as long as it lives.
pub(crate) fn introduce(name: Option<Name>, slots: usize, lanes: impl Iterator<Item = Name>) -> WorkerInfo {
    let version = env!("CARGO_PKG_VERSION").into();
    WorkerInfo { name, version, slots, lanes: lanes.collect(), ..WorkerInfo::here() }
}

/// Says that the engine lives. If its lease had gone meanwhile, it begins a new life.
///
/// # Errors
/// What the store answers; that a worker of its name lives.
pub(crate) async fn beat_once(shared: &Shared) -> Result<(), StoreError> {
    loop {
        if let Some(before) = shared.life.before() {
            // Its name goes over to the new life.
            beat_as(shared, before, Duration::ZERO).await?;
            shared.life.forget_before();
        }
        if !beat_as(shared, shared.worker(), shared.lease).await? {
            return Ok(());
        }
        begin_new_life(shared);
    }
}

/// Says that the engine counts as alive for this long, under one of its names; gives whether that had been given up.
async fn beat_as(shared: &Shared, worker: WorkerId, lease: Duration) -> Result<bool, StoreError> {
    // One after the other: a sign of life that came after the goodbye would bring the dead back for a lease.
    let _turn = shared.signs.lock().await;
    if shared.stopped.is_off() && !lease.is_zero() {
        return Ok(false);
    }
    let beat = Heartbeat { worker, about: shared.about(), lease, now: shared.now() };
    let asked = Instant::now();
    // One that hangs must not keep the next from being tried.
    let pulse = tokio::time::timeout(shared.lease / 3, shared.store.heartbeat(beat)).await;
    let pulse = pulse.map_err(|_| StoreError::unavailable("a heartbeat was not answered in time"))??;
    if shared.store.capabilities().fleet {
        shared.clock.hear(pulse.now, asked);
    }
    shared.has_company.store(pulse.has_others, Ordering::Relaxed);
    // A new life's first beat tells of nothing that was lost.
    Ok(worker == shared.worker() && shared.life.sign(asked) && pulse.was_lost)
}

/// The store has given this worker up, so that its tasks went to others: its calls are ended, because nothing that comes
/// of them counts any more, and it goes on as another.
fn begin_new_life(shared: &Shared) {
    let ended = shared.lose_calls();
    shared.life.begin_anew();
    shared.stats.leases_lost.fetch_add(1, Ordering::Relaxed);
    shared.stats.fenced.fetch_add(ended as u64, Ordering::Relaxed);
    tracing::warn!(calls = ended, "the lease was lost, and what ran here went to other workers; this one begins anew");
    shared.slots.poke();
    // Whoever took over may be gone again, and nobody else would say what they did.
    shared.watchers.nudge();
}

/// Says that the engine lives no more, so that nobody waits for its lease to end.
pub(crate) async fn say_goodbye(shared: &Shared) {
    if let Err(error) = beat_as(shared, shared.worker(), Duration::ZERO).await {
        tracing::warn!("the store does not know that this worker has gone: {error}");
    }
}

/// An engine's signs of life, on a thread where no handler can hold them up.
#[derive(Debug)]
pub(crate) struct Beats {
    /// Whether one is on its way just now, and holds on to the engine's store.
    is_under_way: Arc<AtomicBool>,
}

impl Beats {
    /// Beats until the engine stops, and sweeps after those that do not beat any more.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn begin(shared: &Arc<Shared>) -> Result<Self, Error> {
        let is_under_way = Arc::<AtomicBool>::default();
        beater()?.spawn(beat(Arc::downgrade(shared), shared.stopped.token(), Arc::clone(&is_under_way)));
        Ok(Beats { is_under_way })
    }

    /// Waits until the engine's store is not held on to any more, so that it can be opened again at once. What is on its
    /// way to another machine is not waited for.
    pub(crate) fn end(&self, shared: &Shared) {
        let until = Instant::now() + LAST;
        let is_here = !shared.store.capabilities().fleet;
        while is_here && self.is_under_way.load(Ordering::Acquire) && Instant::now() < until {
            std::thread::yield_now();
        }
    }
}

/// The thread of all engines' signs of life.
fn beater() -> Result<&'static Handle, Error> {
    static BEATER: LazyLock<Result<Handle, String>> = LazyLock::new(|| start_beater().map_err(|why| why.to_string()));
    BEATER.as_ref().map_err(|why| {
        Error::Setting(format!("no thread can be started to keep the leases of this process: {why}; raise its limits"))
    })
}

fn start_beater() -> std::io::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name("vastflow-beat".into());
    thread.spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

/// Holds on to the engine only while it beats.
async fn beat(engine: Weak<Shared>, stopped: CancellationToken, is_under_way: Arc<AtomicBool>) {
    let Some(every) = engine.upgrade().map(|shared| interval(&shared)) else { return };
    let mut ticks = tokio::time::interval(every);
    let mut steady = Steady::default();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stopped.cancelled() => return,
        }
        is_under_way.store(true, Ordering::Release);
        let Some(shared) = engine.upgrade() else { return is_under_way.store(false, Ordering::Release) };
        if !shared.stopped.is_off() {
            let knows_its_dead = shared.store.capabilities().fleet;
            let may_sweep = steady.hear(shared.now(), shared.lease) || knows_its_dead;
            beat_and_sweep(&shared, may_sweep).await;
        }
        drop(shared);
        is_under_way.store(false, Ordering::Release);
    }
}

fn interval(shared: &Shared) -> Duration {
    // A store in this process hears it for nothing, and its answer is how one learns of a new neighbour.
    let most = if shared.store.capabilities().fleet { shared.lease } else { LOOK };
    most.min(shared.lease / 3)
}

/// Whether time has passed as it should. After a jump of the clock, or a sleep of the machine, everybody seems to be dead; a
/// store in this process does not see through that, as those of a fleet do.
#[derive(Default)]
struct Steady {
    last: Option<Timestamp>,
    /// When time was last seen to jump.
    jumped: Option<Timestamp>,
}

impl Steady {
    /// It is this late; whether time was steady for a whole lease.
    fn hear(&mut self, now: Timestamp, lease: Duration) -> bool {
        let last = self.last.replace(now).unwrap_or(now);
        if now < last || now > last.plus(lease / 2) {
            self.jumped = Some(now);
        }
        self.jumped.is_none_or(|jumped| now >= jumped.plus(lease))
    }
}

async fn beat_and_sweep(shared: &Shared, may_sweep: bool) {
    match beat_once(shared).await {
        Ok(()) => {}
        Err(error) if error.is_transient() => tracing::warn!("no heartbeat: {error}"),
        Err(error) => shared.break_down(&Error::from(error)),
    }
    if !may_sweep {
        return;
    }
    // Those that are given up now were company until now.
    match tokio::time::timeout(shared.lease / 3, sweep_all(shared)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("no sweep: {error}"),
        // The next heartbeat must not be late because of it.
        Err(_) => tracing::warn!("a sweep was not done in time; the next goes on with it"),
    }
}

/// Gives up all who are dead, some at a time.
async fn sweep_all(shared: &Shared) -> Result<(), StoreError> {
    while shared.store.sweep(shared.now(), SWEEP).await?.workers == SWEEP {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Steady;
    use std::time::Duration;
    use vastflow_core::Timestamp;

    #[test]
    fn after_a_jump_of_time_nobody_is_given_up_for_a_lease() {
        let (mut steady, lease) = (Steady::default(), Duration::from_secs(10));
        let mut hear = |second: u64| steady.hear(Timestamp::from_millis(second * 1_000), lease);
        assert!(hear(100) && hear(103) && hear(108), "5 s late is a busy machine");
        assert!(!hear(3_708), "the machine slept for an hour");
        assert!(!hear(3_711) && !hear(3_714) && !hear(3_717) && hear(3_718));
        assert!(!hear(3_700), "the clock was set back");
        assert!(!hear(3_703) && !hear(3_706) && !hear(3_709) && hear(3_710));
    }
}
