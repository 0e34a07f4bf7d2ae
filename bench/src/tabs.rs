//! What people who look on cost: W2's flow while tabs of the dashboard watch a run of a thousand items, in turn without them.
//!
//! Each tab asks exactly what the page asks (`dashboard/src/screens/run/useRun.ts`), in a process of its own, so that what
//! it costs to look is told apart from what it costs to be looked at. A browser takes far more processor than this client;
//! `dashboard/scripts/tabs.mjs` opens real tabs, and counts what they ask.

use crate::floor::per_second;
use crate::flows::chain;
use crate::load::{cpu_time, cpu_time_of, drive};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use vastflow::server::Service;
use vastflow::{BoxError, Engine, Flow, Node, Open, PlanErrors};
use vastflow_client::Client;

const TABS: usize = 10;
const ITEMS: u32 = 1_000;
/// Of the items' foreach.
const WINDOW: u32 = 50;
/// Runs of W2 under way at once.
const IN_FLIGHT: usize = 256;
/// Runs of W2 in a measurement.
const RUNS: usize = 100_000;
/// Runs of it before each, so that what begins first is no slower for that.
const WARM: usize = RUNS / 10;
/// Rounds: each measures once without tabs and once with them; which of them first, changes from round to round.
const ROUNDS: usize = 6;
/// How long an item takes: its run outlasts any measurement.
const ITEM: Duration = Duration::from_millis(500);

/// A tab asks for the run again at most so often: `SOONEST`, `PATIENCE` and `LATEST` of the page.
const SOONEST: Duration = Duration::from_millis(400);
const PATIENCE: u32 = 10;
const LATEST: Duration = Duration::from_secs(5);

/// What a while of W2 came to.
#[derive(Clone, Copy)]
struct Took {
    flows_per_s: f64,
    /// Of this process, a run: the service, the engine, and those who start.
    cpu_us: f64,
    /// Cores that the tabs kept busy.
    tabs_cores: f64,
}

/// Prints how W2 went with tabs beside how it went without: the median of the rounds' ratios, the lowest and the highest.
pub(crate) async fn measure(asked: &[String]) -> Result<(), BoxError> {
    let runs = if asked.iter().any(|arg| arg == "--quick") { RUNS / 10 } else { RUNS };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // The first round warms up, and does not count.
    for round in 0..=ROUNDS {
        let first = one(round % 2 == 0, runs).await?;
        let second = one(round % 2 != 0, runs).await?;
        let (own, other) = if round % 2 == 0 { (first, second) } else { (second, first) };
        if round > 0 {
            with.push(own);
            without.push(other);
        }
    }
    tell(&without, &with);
    Ok(())
}

fn tell(without: &[Took], with: &[Took]) {
    let of = |figure: fn(&Took) -> f64| median(without.iter().map(figure).collect());
    let (flows, cpu) = (of(|took| took.flows_per_s), of(|took| took.cpu_us));
    println!("{flows:.0} flows/s, {cpu:.1} µs of processor a flow without tabs");
    let tabs = median(with.iter().map(|took| took.tabs_cores).collect());
    println!("RESULT tabs={TABS} items={ITEMS} store=sqlite figure=cores_of_the_tabs {tabs:.3}");
    // All that the machine did less, the tabs' own work included.
    print("throughput", ratios(with, without, |took| took.flows_per_s));
    // What it would be if they were elsewhere: this process needed so much more for the same.
    print("throughput_if_the_tabs_were_elsewhere", ratios(without, with, |took| took.cpu_us));
}

fn ratios(these: &[Took], those: &[Took], figure: fn(&Took) -> f64) -> Vec<f64> {
    these.iter().zip(those).map(|(one, other)| figure(one) / figure(other)).collect()
}

fn print(figure: &str, mut ratios: Vec<f64>) {
    ratios.sort_by(f64::total_cmp);
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    let ratio = median(ratios);
    println!(
        "RESULT tabs={TABS} items={ITEMS} store=sqlite figure={figure} ratio={ratio:.3} least={least:.3} most={most:.3}"
    );
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// W2 beside a run of a thousand items, on a fresh store, with tabs that watch that run or without. It is over when the
/// tables that people read are written, too.
async fn one(is_watched: bool, runs: usize) -> Result<Took, BoxError> {
    let (chain, items) = (chain(3)?, items()?);
    let dir = tempfile::tempdir_in(".")?;
    let url = format!("sqlite:{}", dir.path().join("bench.db").display());
    let engine = Engine::open(&url).await?.flow(chain.clone()).flow(items).concurrency(10_000).start().await?;
    let service = Service::new(engine.clone()).dashboard().bind("127.0.0.1:0").await?;
    let url = service.url();
    let serving = tokio::spawn(service.run());
    let run = engine.run("items", (0..ITEMS).collect::<Vec<_>>()).await?;
    let mut tabs = if is_watched { Some(watch(&url, run.id().as_str()).await?) } else { None };
    drive_all(&engine, chain.name(), WARM).await?;
    let of_tabs = |tabs: &Option<Child>| tabs.as_ref().and_then(Child::id).map_or(Duration::ZERO, cpu_time_of);
    let (began, cpu, looked) = (Instant::now(), cpu_time(), of_tabs(&tabs));
    drive_all(&engine, chain.name(), runs).await?;
    let looked = of_tabs(&tabs).saturating_sub(looked);
    if run.status().await?.is_final() {
        return Err("the run of a thousand items ended before the measurement; make its items last longer".into());
    }
    if let Some(tabs) = &mut tabs {
        if let Some(end) = tabs.try_wait()? {
            return Err(format!("the tabs ended before the measurement: {end}").into());
        }
        tabs.kill().await?;
    }
    run.kill("bench", "it was measured").await?;
    engine.shutdown().await?;
    let (wall, cpu) = (began.elapsed(), cpu_time().saturating_sub(cpu));
    serving.abort();
    let (flows_per_s, cpu_us) = (per_second(runs, wall), 1e6 / per_second(runs, cpu));
    Ok(Took { flows_per_s, cpu_us, tabs_cores: looked.as_secs_f64() / wall.as_secs_f64() })
}

/// So many runs of a flow, from start to end.
async fn drive_all(engine: &Engine, flow: &str, runs: usize) -> Result<(), BoxError> {
    let left = Arc::new(AtomicUsize::new(runs));
    let drivers: Vec<_> =
        (0..IN_FLIGHT).map(|_| tokio::spawn(drive(engine.clone(), flow.to_owned(), Arc::clone(&left)))).collect();
    for driver in drivers {
        driver.await??;
    }
    Ok(())
}

/// A foreach over a thousand items.
fn items() -> Result<Flow<Vec<u32>, Vec<u32>>, PlanErrors> {
    Flow::dag("items", |dag, items: Node<'_, Vec<u32>>| {
        let work = |item: u32| async move {
            tokio::time::sleep(ITEM).await;
            Ok::<_, BoxError>(item)
        };
        dag.for_each("each", items, move |dag, item| dag.node("work", work, item)).window(WINDOW)
    })
}

/// A process with the tabs, once each of them is open.
async fn watch(url: &str, run: &str) -> Result<Child, BoxError> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["tabs", "--watch", url, run, &TABS.to_string()]).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = child.spawn()?;
    let lines = child.stdout.take().ok_or("what the tabs say cannot be heard")?;
    BufReader::new(lines).lines().next_line().await?.ok_or("the tabs ended at once")?;
    Ok(child)
}

/// What that process does: `URL RUN TABS`.
pub(crate) async fn watching(asked: &[String]) -> Result<(), BoxError> {
    let [url, run, tabs] = asked else { return Err("the tabs want URL RUN TABS".into()) };
    let tabs: usize = tabs.parse()?;
    let (open, mut opened) = tokio::sync::mpsc::channel(tabs.max(1));
    let all: Vec<_> = (0..tabs).map(|_| tokio::spawn(tab(url.clone(), run.clone(), open.clone()))).collect();
    drop(open);
    for _ in 0..tabs {
        opened.recv().await.ok_or("a tab could not be opened")?;
    }
    println!("open");
    for tab in all {
        tab.await??;
    }
    Ok(())
}

/// A tab on a run: it reads the journal as it grows, and now and then the run and its view anew.
async fn tab(url: String, run: String, open: tokio::sync::mpsc::Sender<()>) -> Result<(), BoxError> {
    // Each has connections of its own, as tabs of several people do.
    let client = Client::new(&url)?;
    let row = client.run(&run).await?;
    client.plan(&row.flow, Some(&row.plan)).await?;
    client.view(&run, "").await?;
    let news = Arc::new(Notify::new());
    let looking = tokio::spawn(look(client.clone(), run.clone(), Arc::clone(&news)));
    let mut stream = client.stream(&run);
    stream.next().await?;
    open.send(()).await?;
    while stream.next().await?.is_some() {
        news.notify_one();
    }
    looking.abort();
    Ok(())
}

/// Looks again at each news, the less often the longer it takes.
async fn look(client: Client, run: String, news: Arc<Notify>) -> Result<(), vastflow_client::ClientError> {
    loop {
        news.notified().await;
        let began = Instant::now();
        let (row, view) = tokio::join!(client.run(&run), client.view(&run, ""));
        row?;
        view?;
        tokio::time::sleep((began.elapsed() * PATIENCE).clamp(SOONEST, LATEST)).await;
    }
}
