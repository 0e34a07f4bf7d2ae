//! Scale: what grows with the number of items, of runs that wait, of runs to reopen, of nodes.
//!
//! W5 a foreach over many items, W6 parked runs, W7 reopening, W10 planning. Each prints its figure beside a tenth of
//! itself, taken in the same run: only that ratio means something beyond this machine.

use crate::flows;
use crate::load::cpu_time;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vastflow::{BoxError, Engine, Flow, Node, Open, Page, PlanErrors, Result};

pub(crate) const ALL: [&str; 4] = ["W5", "W6", "W7", "W10"];

const USAGE: &str = "usage: vastflow-bench scale [--quick] [W5] [W6] [W7] [W10]";

/// Runs started at once.
const STARTS: usize = 512;
const HOUR: Duration = Duration::from_secs(3_600);

/// One figure. What a work has no such field for is left out.
#[derive(Clone, Copy, Default)]
struct Figure {
    what: &'static str,
    items: usize,
    seconds: f64,
    rss_mb: Option<f64>,
    bytes_per_run: Option<f64>,
    /// How many times as long as with a tenth of the items.
    ratio: Option<f64>,
    /// The same of the processor time, which others on the machine do not lengthen as much.
    cpu_ratio: Option<f64>,
}

impl Figure {
    fn print(&self, work: &str) {
        let Figure { what, items, seconds, .. } = self;
        print!("RESULT {work} store=sqlite what={what} items={items} seconds={seconds:.3}");
        let rest = [
            ("rss_mb", self.rss_mb, 1),
            ("bytes_per_run", self.bytes_per_run, 0),
            ("ratio", self.ratio, 2),
            ("cpu_ratio", self.cpu_ratio, 2),
        ];
        for (name, value, digits) in rest {
            if let Some(value) = value {
                print!(" {name}={value:.digits$}");
            }
        }
        println!();
    }
}

/// Measures the works that are asked for, all when none is.
pub(crate) async fn measure(asked: &[String]) -> Result<(), BoxError> {
    let scale = if asked.iter().any(|arg| arg == "--quick") { 10 } else { 1 };
    let names: Vec<&str> = asked.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    if let Some(unknown) = names.iter().find(|name| !ALL.contains(name)) {
        return Err(format!("there is no work {unknown:?}; {USAGE}").into());
    }
    let [work] = names[..] else { return each_alone(asked, &names) };
    eprintln!("measuring {work} …");
    let figures = match work {
        "W5" => items(1_000_000 / scale).await?,
        "W6" => parked(100_000 / scale).await?,
        "W7" => reopened(100_000 / scale).await?,
        _ => planned(10_000 / scale)?,
    };
    figures.iter().for_each(|figure| figure.print(work));
    Ok(())
}

/// Each work in a process of its own: what one leaves to the allocator is not the memory of the next.
fn each_alone(asked: &[String], names: &[&str]) -> Result<(), BoxError> {
    let options = asked.iter().filter(|arg| arg.starts_with("--"));
    for work in ALL.iter().filter(|work| names.is_empty() || names.contains(work)) {
        let mut process = std::process::Command::new(std::env::current_exe()?);
        let status = process.arg("scale").args(options.clone()).arg(work).status()?;
        if !status.success() {
            return Err(format!("{work} was not measured: {status}").into());
        }
    }
    Ok(())
}

/// A foreach that folds: the window of the design, one node an item.
pub(crate) fn many() -> Result<Flow<u64, u64>, BoxError> {
    let pages = |(up_to, from): (u64, Option<u64>)| async move {
        let from = from.unwrap_or(0);
        let end = up_to.min(from + 1_000);
        // 100 bytes an item.
        let items = (from..end).map(|n| format!("{n:098}")).collect();
        Ok::<_, BoxError>(Page::new(items).next((end < up_to).then_some(end)))
    };
    let flow = Flow::dag("many", |dag, up_to: Node<'_, u64>| {
        dag.for_each_page("each", pages, up_to, |dag, n: Node<'_, String>| {
            dag.node("pass", |n: String| async move { Ok::<_, BoxError>(n) }, n)
        })
        .window(256)
        .reduce(0, |count: u64, _: String| count + 1)
    });
    Ok(flow?)
}

async fn items(count: usize) -> Result<Vec<Figure>, BoxError> {
    let tenth = one_foreach(count / 10).await?;
    let whole = one_foreach(count).await?;
    let seconds = |took: &Took| took.wall.as_secs_f64();
    let first = Figure { what: "foreach", items: count / 10, seconds: seconds(&tenth), ..Figure::default() };
    let all = Figure {
        items: count,
        seconds: seconds(&whole),
        rss_mb: Some(megabytes(whole.rss)),
        ratio: Some(seconds(&whole) / seconds(&tenth)),
        cpu_ratio: Some(whole.cpu.as_secs_f64() / tenth.cpu.as_secs_f64()),
        ..first
    };
    Ok(vec![first, all])
}

/// What a foreach took.
struct Took {
    wall: Duration,
    cpu: Duration,
    rss: u64,
}

/// Runs a foreach until all of it is in the tables.
async fn one_foreach(count: usize) -> Result<Took, BoxError> {
    let dir = tempfile::tempdir_in(".")?;
    let flow = many()?;
    let engine = open(&dir.path().join("bench.db"), &flow).await?;
    let peak = Peak::watch();
    let (began, cpu) = (Instant::now(), cpu_time());
    let run = engine.start(&flow, count as u64).await?;
    let folded = run.output().await?;
    engine.shutdown_within(HOUR).await?;
    if folded != count as u64 {
        return Err(format!("{folded} of {count} items were folded").into());
    }
    Ok(Took { wall: began.elapsed(), cpu: cpu_time().saturating_sub(cpu), rss: peak.rss() })
}

/// Runs that sleep for an hour: what each costs in memory; then as many as a tenth of them, due at once.
async fn parked(count: usize) -> Result<Vec<Figure>, BoxError> {
    let dir = tempfile::tempdir_in(".")?;
    let path = dir.path().join("bench.db");
    let flow = sleeping(HOUR)?;
    let engine = open(&path, &flow).await?;
    // So that what is bounded is full: caches, and what the allocator keeps.
    start_many(&engine, flow.name(), count).await?;
    settled(&path).await;
    let (before, began) = (rss(), Instant::now());
    start_many(&engine, flow.name(), count).await?;
    settled(&path).await;
    let (bytes, seconds) = (rss().saturating_sub(before), began.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let bytes_per_run = Some(bytes as f64 / count as f64);
    engine.shutdown().await?;
    let parked = Figure { what: "parked", items: count, seconds, bytes_per_run, ..Figure::default() };
    Ok(vec![parked, woken(count / 10).await?])
}

/// How long it takes until runs have ended that are all due at once, the store's opening not counted.
async fn woken(count: usize) -> Result<Figure, BoxError> {
    let dir = tempfile::tempdir_in(".")?;
    let path = dir.path().join("bench.db");
    let nap = Duration::from_secs(5);
    let flow = sleeping(nap)?;
    let engine = open(&path, &flow).await?;
    start_many(&engine, flow.name(), count).await?;
    engine.shutdown().await?;
    tokio::time::sleep(nap).await;
    let engine = open(&path, &flow).await?;
    let began = Instant::now();
    while engine.store().counts().await?.unfinished() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    engine.shutdown().await?;
    Ok(Figure { what: "woken", items: count, seconds, ..Figure::default() })
}

/// Opening a store with so many unfinished runs: until it is open, and until a new run has taken its first step.
async fn reopened(count: usize) -> Result<Vec<Figure>, BoxError> {
    let dir = tempfile::tempdir_in(".")?;
    let path = dir.path().join("bench.db");
    let flow = sleeping(HOUR)?;
    let mut opened = Vec::new();
    let mut stepped = 0.0;
    for more in [count / 10, count - count / 10] {
        let engine = open(&path, &flow).await?;
        start_many(&engine, flow.name(), more).await?;
        engine.shutdown().await?;
        let began = Instant::now();
        let engine = open(&path, &flow).await?;
        opened.push(began.elapsed().as_secs_f64());
        engine.run(flow.name(), flows::payload()).await?;
        stepped = began.elapsed().as_secs_f64();
        engine.shutdown().await?;
    }
    let figure = |what, seconds, ratio| Figure { what, items: count, seconds, ratio, ..Figure::default() };
    let ratio = opened.first().map(|tenth| opened[opened.len() - 1] / tenth);
    Ok(vec![figure("opened", opened[opened.len() - 1], ratio), figure("first-step", stepped, None)])
}

/// Draws a flow of so many nodes.
type Draw = fn(usize) -> Result<Flow<String, String>, PlanErrors>;

fn planned(nodes: usize) -> Result<Vec<Figure>, BoxError> {
    let shapes: [(&str, Draw); 3] = [("chain", flows::chain), ("fan", flows::fan), ("independent", flows::independent)];
    let mut figures = Vec::new();
    for (what, draw) in shapes {
        let mut took = Vec::new();
        for count in [nodes / 10, nodes] {
            let began = Instant::now();
            let flow: Flow<String, String> = draw(count)?;
            let seconds = began.elapsed().as_secs_f64();
            debug_assert!(flow.plan().len() >= count);
            took.push(seconds);
        }
        let (tenth, whole) = (took[0], took[1]);
        figures.push(Figure { what, items: nodes, seconds: whole, ratio: Some(whole / tenth), ..Figure::default() });
    }
    Ok(figures)
}

fn sleeping(nap: Duration) -> Result<Flow<String, String>, BoxError> {
    Ok(Flow::dag("sleeping", |dag, input: Node<'_, String>| {
        let first = dag.node("first", |text: String| async move { Ok::<_, BoxError>(text) }, input);
        dag.sleep("nap", nap, first)
    })?)
}

async fn open<In, Out>(path: &Path, flow: &Flow<In, Out>) -> Result<Engine, BoxError>
where
    Flow<In, Out>: Clone,
{
    let url = format!("sqlite:{}", path.display());
    Ok(Engine::open(&url).await?.flow(flow.clone()).start().await?)
}

async fn start_many(engine: &Engine, flow: &str, count: usize) -> Result<(), BoxError> {
    let left = Arc::new(AtomicU64::new(count as u64));
    let starters: Vec<_> = (0..STARTS.min(count))
        .map(|_| {
            let (engine, flow, left) = (engine.clone(), flow.to_owned(), Arc::clone(&left));
            tokio::spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    engine.run(&flow, flows::payload()).await?;
                }
                Ok::<(), vastflow::Error>(())
            })
        })
        .collect();
    for starter in starters {
        starter.await??;
    }
    Ok(())
}

/// Waits until the tables have what the log had: their file does not grow any more.
async fn settled(path: &Path) {
    let wal = path.with_extension("db-wal");
    let size = || [path, &wal].map(|file| std::fs::metadata(file).map_or(0, |file| file.len()));
    let mut before = size();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if std::mem::replace(&mut before, size()) == before {
            return;
        }
    }
}

/// The resident memory of this process, from proc(5); 0 where there is no such file.
fn rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The most resident memory since it was made, looked at ten times a second.
struct Peak {
    most: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Peak {
    fn watch() -> Self {
        let peak = Peak { most: Arc::default(), over: Arc::default() };
        let (most, over) = (Arc::clone(&peak.most), Arc::clone(&peak.over));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(rss(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        peak
    }

    fn rss(&self) -> u64 {
        self.most.load(Ordering::Relaxed).max(rss())
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
