//! Driving an engine: so many runs, so many of them in flight.

use crate::flows::payload;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use vastflow::{BoxError, CallSeen, Engine, Flow, Observer, Open, RunSeen, TraceContext};

/// An engine on a fresh store, and the directory that the store is in.
pub(crate) struct Rig {
    engine: Engine,
    _dir: TempDir,
}

/// What a work cost.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    /// Of all threads of this process, the load included.
    pub(crate) cpu: Duration,
}

/// The processor time that this process has used: fields 14 and 15 of `/proc/PID/stat`, in hundredths of a second
/// (proc(5)); zero where there is no such file.
pub(crate) fn cpu_time() -> Duration {
    cpu_time_of(std::process::id())
}

/// The same of another process.
pub(crate) fn cpu_time_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// How an engine is seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    NotAtAll,
    /// It counts what it does.
    Metrics,
    /// It counts, and an observer names the trace of each run and call, and sends it nowhere.
    Observed,
}

/// Does what is done for traces before they are sent.
struct Names(AtomicUsize);

impl Observer for Names {
    fn called(&self, call: &CallSeen<'_>) {
        self.note(call.ctx().trace());
    }

    fn ended(&self, run: &RunSeen<'_>) {
        self.note(run.trace());
    }
}

impl Names {
    /// Uses it, so that it is not left out.
    fn note(&self, trace: TraceContext) {
        self.0.fetch_xor(usize::try_from(trace.span_id).unwrap_or(1), Ordering::Relaxed);
    }
}

impl Rig {
    pub(crate) async fn new(store: &str, flow: &Flow<String, String>, concurrency: usize) -> Result<Self, BoxError> {
        Rig::seen(store, flow, concurrency, Seen::Metrics).await
    }

    pub(crate) async fn seen(
        store: &str,
        flow: &Flow<String, String>,
        concurrency: usize,
        seen: Seen,
    ) -> Result<Self, BoxError> {
        let dir = tempfile::tempdir_in(".")?;
        let url = match store {
            "sqlite" => format!("sqlite:{}", dir.path().join("bench.db").display()),
            _ => "memory:".to_owned(),
        };
        let engine = Engine::open(&url).await?.flow(flow.clone()).concurrency(concurrency);
        let engine = engine.metrics(seen != Seen::NotAtAll);
        let engine = if seen == Seen::Observed { engine.observer(Names(AtomicUsize::new(0))) } else { engine };
        let engine = engine.start().await?;
        Ok(Rig { engine, _dir: dir })
    }

    /// Runs a flow `runs` times with `in_flight` at once, from the first start to the last result, the tables that
    /// people read included.
    pub(crate) async fn many(self, flow: &str, runs: usize, in_flight: usize) -> Result<Took, BoxError> {
        let (began, cpu) = (Instant::now(), cpu_time());
        let left = Arc::new(AtomicUsize::new(runs));
        let drivers: Vec<_> = (0..in_flight.min(runs))
            .map(|_| tokio::spawn(drive(self.engine.clone(), flow.to_owned(), Arc::clone(&left))))
            .collect();
        for driver in drivers {
            driver.await??;
        }
        self.engine.shutdown().await?;
        Ok(Took { wall: began.elapsed(), cpu: cpu_time().saturating_sub(cpu) })
    }

    /// How long each of `runs` runs takes, one after the other.
    pub(crate) async fn one(&self, flow: &str) -> Result<Duration, BoxError> {
        let input = payload();
        let began = Instant::now();
        let run = self.engine.run(flow, input).await?;
        let _: String = run.output().await?;
        Ok(began.elapsed())
    }
}

/// Runs a flow `runs` times without a store, one after the other.
pub(crate) async fn without_store(flow: &Flow<String, String>, runs: usize) -> Result<Took, BoxError> {
    let input = payload();
    let (began, cpu) = (Instant::now(), cpu_time());
    for _ in 0..runs {
        vastflow::run_in_memory(flow, input.clone()).await?;
    }
    Ok(Took { wall: began.elapsed(), cpu: cpu_time().saturating_sub(cpu) })
}

/// Runs a flow again and again, as long as runs are left.
pub(crate) async fn drive(engine: Engine, flow: String, left: Arc<AtomicUsize>) -> Result<(), vastflow::Error> {
    let input = payload();
    let take = |left: usize| left.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        let run = engine.run(&flow, input.clone()).await?;
        let output: String = run.output().await?;
        debug_assert_eq!(output.len(), input.len());
    }
    Ok(())
}
