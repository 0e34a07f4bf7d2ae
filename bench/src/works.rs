//! The works, by the names of the design: W1 one node, W2 a chain of three, W3 a fan of 100, W4 the latency of W2's
//! flow, W8 the same graphs in memory.

use crate::floor::{Bare, core_alone, lean_tables, per_second};
use crate::flows::{chain, fan, independent};
use crate::load::{Rig, without_store};
use crate::report::{Figure, Row};
use vastflow::{BoxError, Flow};

pub(crate) const ALL: [&str; 5] = ["W1", "W2", "W3", "W4", "W8"];

/// How often each figure is taken; the median counts.
const TIMES: usize = 3;

/// What a throughput work runs.
struct Load {
    work: &'static str,
    store: &'static str,
    flow: Flow<String, String>,
    runs: usize,
    in_flight: usize,
}

pub(crate) async fn measure(work: &str, scale: usize) -> Result<Vec<Row>, BoxError> {
    let load = |work, store, flow, runs: usize, in_flight| Load { work, store, flow, runs: runs / scale, in_flight };
    let loads = match work {
        "W1" => vec![load("W1", "memory", chain(1)?, 100_000, 256), load("W1", "sqlite", chain(1)?, 100_000, 256)],
        "W2" => vec![load("W2", "memory", chain(3)?, 100_000, 256), load("W2", "sqlite", chain(3)?, 150_000, 256)],
        "W3" => vec![load("W3", "memory", fan(100)?, 5_000, 64), load("W3", "sqlite", fan(100)?, 5_000, 64)],
        "W8" => {
            return Ok(vec![
                in_memory("W8-chain", &chain(100)?, 5_000 / scale).await?,
                in_memory("W8-fan", &fan(100)?, 5_000 / scale).await?,
                in_memory("W8-independent", &independent(10_000)?, 50 / scale).await?,
            ]);
        }
        _ => return Ok(vec![latency("memory", 2_000 / scale).await?, latency("sqlite", 2_000 / scale).await?]),
    };
    let mut rows = Vec::new();
    for load in loads {
        rows.push(throughput(load).await?);
    }
    Ok(rows)
}

async fn throughput(load: Load) -> Result<Row, BoxError> {
    let Load { work, store, flow, runs, in_flight } = load;
    let nodes = flow.plan().len();
    let (mut flows, mut floors, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let rig = Rig::new(store, &flow, 10_000).await?;
        let took = rig.many(flow.name(), runs, in_flight).await?;
        flows.push(per_second(runs, took.wall));
        cpu.push(1e6 / per_second(runs * nodes, took.cpu));
        floors.push(match store {
            "sqlite" => lean_tables(runs * nodes / 2, nodes.min(3), 256)?,
            _ => core_alone(flow.plan(), runs)?,
        });
    }
    let flows = median(&mut flows);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let steps = flows * nodes as f64;
    let figure = Figure::Rate { steps, flows, floor: median(&mut floors), cpu_us: median(&mut cpu) };
    Ok(Row { work: work.to_owned(), store, in_flight, figure })
}

/// Runs without a store, one after the other on one thread.
async fn in_memory(work: &str, flow: &Flow<String, String>, runs: usize) -> Result<Row, BoxError> {
    let nodes = flow.plan().len();
    let (mut steps, mut floors, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let took = without_store(flow, runs).await?;
        steps.push(per_second(runs * nodes, took.wall));
        cpu.push(1e6 / per_second(runs * nodes, took.cpu));
        floors.push(core_alone(flow.plan(), runs)?);
    }
    let steps = median(&mut steps);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let flows = steps / nodes as f64;
    let figure = Figure::Rate { steps, flows, floor: median(&mut floors), cpu_us: median(&mut cpu) };
    Ok(Row { work: work.to_owned(), store: "none", in_flight: 1, figure })
}

/// One run at a time, in turn with as many bare commits as it has events that must wait for each other.
async fn latency(store: &'static str, runs: usize) -> Result<Row, BoxError> {
    let flow = chain(3)?;
    let rig = Rig::new(store, &flow, 10_000).await?;
    let bare = Bare::new()?;
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(10) {
        ours.push(rig.one(flow.name()).await?.as_secs_f64() * 1e6);
        floors.push(bare.commits(4)?.as_secs_f64() * 1e6);
    }
    let floor = median(&mut floors);
    let p50 = median(&mut ours);
    let p99 = ours[(ours.len() * 99 / 100).min(ours.len() - 1)];
    Ok(Row { work: "W4".to_owned(), store, in_flight: 1, figure: Figure::Latency { p50, p99, floor } })
}

/// Sorts the figures and gives the middle one.
fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
