//! The Redis store on a server of its own, which shares the machine with the engine: W1 one node, W2 a chain of three, W3 a
//! fan of 100, W4 the latency of W2's flow, W5 a foreach, W9 from a start to its first call.
//!
//! The floor is the server alone: finished nodes written by one script for each 64, four of them on their way, runs begun and
//! ended on the way, with the two lists that one wants of them.

use crate::flows::{chain, fan, payload};
use crate::hop;
use crate::load::{cpu_time, drive};
use crate::scale::many as many_items;
use redis::aio::MultiplexedConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use vastflow::{BoxError, Engine, Flow};
use vastflow_redis::{RedisOptions, RedisStore};
use vastflow_testsuite::servers::{Redis, Sync};

const ALL: [&str; 6] = ["W1", "W2", "W3", "W4", "W5", "W9"];
const USAGE: &str = "usage: vastflow-bench redis [--quick] [--always] [W1] [W2] [W3] [W4] [W5] [W9]";

/// How the floor is written.
const WRITERS: usize = 4;
const BATCH: usize = 64;

const FLOOR: &str = "
for i = 3, #ARGV do
  local run, node, last = ARGV[i], ARGV[1], ARGV[2]
  if node == '0' then
    redis.call('HSET', 'run:' .. run, 'flow', 'chain', 'status', 'running', 'input', last)
    redis.call('ZADD', 'by_flow', 1800000000000, run)
    redis.call('ZADD', 'running', 1800000000000, run)
  end
  redis.call('HSET', 'run:' .. run, 'n' .. node, last)
  if node == KEYS[1] then
    redis.call('HSET', 'run:' .. run, 'status', 'succeeded', 'output', last)
    redis.call('ZREM', 'running', run)
    redis.call('ZADD', 'succeeded', 1800000000000, run)
  end
end
";

/// Measures the works that are asked for, all when none is; with an append-only file that is synced every second, or
/// before every answer.
pub(crate) async fn measure(asked: &[String]) -> Result<(), BoxError> {
    let has = |flag: &str| asked.iter().any(|arg| arg == flag);
    let (scale, sync) =
        (if has("--quick") { 10 } else { 1 }, if has("--always") { Sync::Always } else { Sync::EverySecond });
    let names: Vec<&str> = asked.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    if let Some(unknown) = names.iter().find(|name| !ALL.contains(name)) {
        return Err(format!("there is no work {unknown:?}; {USAGE}").into());
    }
    for work in ALL.iter().filter(|work| names.is_empty() || names.contains(work)) {
        eprintln!("measuring {work} …");
        match *work {
            "W1" => throughput("W1", sync, chain(1)?, (80_000 / scale, 256)).await?,
            "W2" => throughput("W2", sync, chain(3)?, (60_000 / scale, 256)).await?,
            "W3" => throughput("W3", sync, fan(100)?, (2_000 / scale, 64)).await?,
            "W4" => latency("W4", sync, 2_000 / scale, false).await?,
            "W5" => items(sync, 100_000 / scale as u64).await?,
            _ => {
                latency("W9", sync, 2_000 / scale, true).await?;
                hop_to_another(sync, 2_000 / scale).await?;
            }
        }
    }
    Ok(())
}

/// A server, and an engine on it.
struct Rig {
    server: Redis,
    store: Arc<RedisStore>,
    engine: Engine,
}

/// What the server says of its work so far.
#[derive(Clone, Copy)]
struct Work {
    written: f64,
    cpu: f64,
    script: f64,
    trips: u64,
}

impl Rig {
    async fn new<I, O>(sync: Sync, flow: Flow<I, O>, concurrency: usize) -> Result<Self, BoxError> {
        // Rewriting the file while it is measured would be counted as bytes of the steps.
        let server = Redis::start_with(sync, &["--auto-aof-rewrite-percentage", "0"]);
        let store = Arc::new(RedisStore::open_with(&RedisOptions::new(server.url())).await?);
        let engine = Engine::on(Arc::clone(&store) as Arc<_>).flow(flow).concurrency(concurrency).start().await?;
        Ok(Rig { server, store, engine })
    }

    fn work(&self) -> Work {
        let info =
            ["persistence", "cpu", "commandstats"].map(|part| self.server.command(&format!("INFO {part}"))).concat();
        let number = |name: &str| {
            let found = info.split_once(name).map_or("", |(_, rest)| rest);
            found.split('\r').next().unwrap_or("").parse().unwrap_or(0.0)
        };
        Work {
            written: number("aof_current_size:"),
            cpu: number("used_cpu_user:") + number("used_cpu_sys:"),
            script: usec(&info),
            trips: self.store.round_trips(),
        }
    }
}

/// Microseconds that the server spent in scripts.
fn usec(info: &str) -> f64 {
    let line = info.split_once("cmdstat_evalsha:").map_or("", |(_, rest)| rest);
    let number = line.split_once("usec=").map_or("", |(_, rest)| rest);
    number.split(',').next().unwrap_or("").parse().unwrap_or(0.0)
}

async fn throughput(
    work: &str,
    sync: Sync,
    flow: Flow<String, String>,
    (runs, in_flight): (usize, usize),
) -> Result<(), BoxError> {
    let nodes = flow.plan().len();
    let name = flow.name().to_owned();
    let rig = Rig::new(sync, flow, 10_000).await?;
    // Once as a rehearsal.
    many(&rig.engine, &name, runs / 10, in_flight).await?;
    let (cpu, before) = (cpu_time(), rig.work());
    let began = Instant::now();
    many(&rig.engine, &name, runs, in_flight).await?;
    let took = began.elapsed();
    let (steps, after) = (count(runs * nodes), rig.work());
    let cpu = cpu_time().saturating_sub(cpu);
    rig.engine.shutdown().await?;
    let floor = floor(&rig.server, runs * nodes, nodes.min(3)).await?;
    let rate = steps / took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let trips = (after.trips - before.trips) as f64;
    println!(
        "RESULT {work} store=redis aof={sync:?} inflight={in_flight} steps_per_s={rate:.0} flows_per_s={:.0} \
         floor_per_s={floor:.0} ratio={:.3} cpu_us_per_step={:.1} server_cpu_us_per_step={:.1} script_us_per_step={:.1} \
         aof_bytes_per_step={:.0} round_trips_per_step={:.4}",
        count(runs) / took.as_secs_f64(),
        rate / floor,
        cpu.as_secs_f64() * 1e6 / steps,
        (after.cpu - before.cpu) * 1e6 / steps,
        (after.script - before.script) / steps,
        (after.written - before.written) / steps,
        trips / steps,
    );
    Ok(())
}

async fn many(engine: &Engine, flow: &str, runs: usize, in_flight: usize) -> Result<(), BoxError> {
    let left = Arc::new(AtomicUsize::new(runs));
    let drivers: Vec<_> = (0..in_flight.min(runs))
        .map(|_| tokio::spawn(drive(engine.clone(), flow.to_owned(), Arc::clone(&left))))
        .collect();
    for driver in drivers {
        driver.await??;
    }
    Ok(())
}

/// One run at a time: until its result, or until its first call, beside as many bare writes that wait for each other.
async fn latency(work: &str, sync: Sync, runs: usize, until_called: bool) -> Result<(), BoxError> {
    let (noted, called) = hop::noted()?;
    let flow = if until_called { noted } else { chain(3)? };
    let writes = if until_called { 1 } else { 4 };
    let name = flow.name().to_owned();
    let rig = Rig::new(sync, flow, 64).await?;
    let mut bare = connect(&rig.server).await?;
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for run in 0..runs.max(10) {
        let began = Instant::now();
        let _: String = rig.engine.run(&name, payload()).await?.output().await?;
        let ended = called.take();
        let took = ended.map_or_else(|| began.elapsed(), |at| at.duration_since(began));
        let began = Instant::now();
        for _ in 0..writes {
            let _: () = redis::cmd("RPUSH").arg("bare").arg(payload()).query_async(&mut bare).await?;
        }
        // The first ones are a rehearsal.
        if run >= runs / 10 {
            ours.push(micros(took));
            floors.push(micros(began.elapsed()));
        }
    }
    rig.engine.shutdown().await?;
    ours.sort_by(f64::total_cmp);
    floors.sort_by(f64::total_cmp);
    let at = |figures: &[f64], percent: usize| figures.get(figures.len() * percent / 100).copied().unwrap_or(f64::NAN);
    println!(
        "RESULT {work} store=redis aof={sync:?} inflight=1 p50_us={:.0} p99_us={:.0} floor_us={:.0} writes={writes} \
         ratio={:.2}",
        at(&ours, 50),
        at(&ours, 99),
        at(&floors, 50),
        at(&ours, 50) / at(&floors, 50)
    );
    Ok(())
}

/// From a start at one engine to the first call at another's.
async fn hop_to_another(sync: Sync, runs: usize) -> Result<(), BoxError> {
    let (flow, called) = hop::noted()?;
    let rig = Rig::new(sync, flow.clone(), 64).await?;
    let store = Arc::new(RedisStore::open(&rig.server.url()).await?);
    let starter = Engine::on(store).flow(flow).concurrency(0).start().await?;
    hop::to_another_worker(&format!("redis aof={sync:?}"), starter, &called, runs).await?;
    Ok(rig.engine.shutdown().await?)
}

/// A foreach over many items that folds them, 256 of them at once.
async fn items(sync: Sync, items: u64) -> Result<(), BoxError> {
    let rig = Rig::new(sync, many_items()?, 10_000).await?;
    for number in [items / 10, items] {
        let (before, began) = (rig.work(), Instant::now());
        let folded: u64 = rig.engine.run("many", number).await?.output().await?;
        if folded != number {
            return Err(format!("{folded} of {number} items were folded").into());
        }
        let (took, after) = (began.elapsed().as_secs_f64(), rig.work());
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (count, trips) = (number as f64, (after.trips - before.trips) as f64);
        println!(
            "RESULT W5 store=redis aof={sync:?} what=foreach items={number} seconds={took:.3} items_per_s={:.0} \
             script_us_per_item={:.1} aof_bytes_per_item={:.0} round_trips_per_item={:.4}",
            count / took,
            (after.script - before.script) / count,
            (after.written - before.written) / count,
            trips / count,
        );
    }
    rig.engine.shutdown().await?;
    Ok(())
}

async fn connect(server: &Redis) -> Result<MultiplexedConnection, BoxError> {
    Ok(redis::Client::open(server.url())?.get_multiplexed_async_connection().await?)
}

/// Finished nodes a second of the server alone.
async fn floor(server: &Redis, nodes: usize, chain: usize) -> Result<f64, BoxError> {
    let mut connection = connect(server).await?;
    let script: String = redis::cmd("SCRIPT").arg("LOAD").arg(FLOOR).query_async(&mut connection).await?;
    let began = Instant::now();
    let left = Arc::new(AtomicUsize::new(nodes / BATCH));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let write = write(connect(server).await?, script.clone(), writer, chain, Arc::clone(&left));
        writers.push(tokio::spawn(write));
    }
    for writer in writers {
        writer.await??;
    }
    Ok(count(nodes / BATCH * BATCH) / began.elapsed().as_secs_f64())
}

/// Batches of nodes: `BATCH` runs take their steps in turn.
async fn write(
    mut connection: MultiplexedConnection,
    script: String,
    writer: usize,
    chain: usize,
    left: Arc<AtomicUsize>,
) -> Result<(), redis::RedisError> {
    let mut step = 0;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let (round, node) = (step / chain, step % chain);
        let mut call = redis::cmd("EVALSHA");
        call.arg(&script).arg(1).arg(chain - 1).arg(node).arg(payload());
        for lane in 0..BATCH {
            call.arg(format!("01a2003d-2351-766f-{writer:04x}-{:012x}", round * BATCH + lane));
        }
        let _: () = call.query_async(&mut connection).await?;
        step += 1;
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
const fn count(number: usize) -> f64 {
    number as f64
}
