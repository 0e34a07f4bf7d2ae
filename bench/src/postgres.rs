//! The PostgreSQL store on a server of its own, which shares the machine with the engine: W1 one node, W2 a chain of three,
//! W3 a fan of 100, W4 the latency of W2's flow, W5 a foreach, W9 from a start to its first call.
//!
//! The floor is the server alone: finished nodes written as rows by 16 connections, 64 at a time from arrays, runs begun
//! and ended on the way.

use crate::flows::{chain, fan, payload};
use crate::hop;
use crate::load::{cpu_time, drive};
use crate::scale::many as many_items;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use vastflow::{BoxError, Engine, Flow, Result};
use vastflow_postgres::{Options, PostgresStore, tokio_postgres};
use vastflow_testsuite::servers::Postgres;

const ALL: [&str; 6] = ["W1", "W2", "W3", "W4", "W5", "W9"];
const USAGE: &str = "usage: vastflow-bench postgres [--quick] [W1] [W2] [W3] [W4] [W5] [W9]";

/// How the floor is written.
const CONNECTIONS: usize = 16;
const BATCH: usize = 64;

const FLOOR: &str = "
    CREATE SCHEMA floor;
    CREATE TABLE floor.runs (id text PRIMARY KEY, flow text, status text, started bigint, input text, output text);
    CREATE INDEX ON floor.runs (status, started);
    CREATE INDEX ON floor.runs (flow, started);
    CREATE TABLE floor.nodes (run text, node text, status text, attempt int, started bigint, ended bigint, output text,
        PRIMARY KEY (run, node));
";

/// Measures the works that are asked for, all when none is.
pub(crate) async fn measure(asked: &[String]) -> Result<(), BoxError> {
    let scale = if asked.iter().any(|arg| arg == "--quick") { 10 } else { 1 };
    let names: Vec<&str> = asked.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    if let Some(unknown) = names.iter().find(|name| !ALL.contains(name)) {
        return Err(format!("there is no work {unknown:?}; {USAGE}").into());
    }
    for work in ALL.iter().filter(|work| names.is_empty() || names.contains(work)) {
        eprintln!("measuring {work} …");
        match *work {
            "W1" => throughput("W1", chain(1)?, 40_000 / scale, 256).await?,
            "W2" => throughput("W2", chain(3)?, 40_000 / scale, 256).await?,
            "W3" => throughput("W3", fan(100)?, 1_000 / scale, 64).await?,
            "W4" => latency("W4", 1_000 / scale, false).await?,
            "W5" => items(100_000 / scale as u64).await?,
            _ => {
                latency("W9", 1_000 / scale, true).await?;
                hop_to_another(1_000 / scale).await?;
            }
        }
    }
    Ok(())
}

/// A server, and an engine on it.
struct Rig {
    server: Postgres,
    store: Arc<PostgresStore>,
    engine: Engine,
}

impl Rig {
    async fn new<I, O>(flow: Flow<I, O>, concurrency: usize) -> Result<Self, BoxError> {
        let server = Postgres::start_with(&[("fsync", "on"), ("shared_buffers", "512MB"), ("max_wal_size", "4GB")]);
        let store = Arc::new(PostgresStore::open_with(Options::new(server.url())).await?);
        let engine = Engine::on(Arc::clone(&store) as Arc<_>).flow(flow).concurrency(concurrency).start().await?;
        Ok(Rig { server, store, engine })
    }

    /// Bytes of the write-ahead log since the server was made.
    fn written(&self) -> f64 {
        self.server.psql("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')").parse().unwrap_or(f64::NAN)
    }

    fn dead(&self) -> String {
        let sql = "SELECT string_agg(relname || ':' || n_dead_tup, ',') FROM pg_stat_user_tables \
                   WHERE schemaname = 'vastflow' AND n_dead_tup > 0";
        self.server.psql(sql)
    }
}

async fn throughput(work: &str, flow: Flow<String, String>, runs: usize, in_flight: usize) -> Result<(), BoxError> {
    let nodes = flow.plan().len();
    let name = flow.name().to_owned();
    let rig = Rig::new(flow, 10_000).await?;
    // Once as a rehearsal: plans are made, partitions and files are there.
    many(&rig.engine, &name, runs / 10, in_flight).await?;
    let (cpu, written, trips) = (cpu_time(), rig.written(), rig.store.round_trips());
    let began = Instant::now();
    many(&rig.engine, &name, runs, in_flight).await?;
    let took = began.elapsed();
    let steps = count(runs * nodes);
    let (cpu, written) = (cpu_time().saturating_sub(cpu), rig.written() - written);
    let trips = count(usize::try_from(rig.store.round_trips() - trips)?);
    let dead = rig.dead();
    rig.engine.shutdown().await?;
    let floor = floor(&rig.server, runs * nodes, nodes.min(3)).await?;
    let rate = steps / took.as_secs_f64();
    println!(
        "RESULT {work} store=postgres inflight={in_flight} steps_per_s={rate:.0} flows_per_s={:.0} floor_per_s={floor:.0} \
         ratio={:.3} cpu_us_per_step={:.1} wal_bytes_per_step={:.0} round_trips_per_step={:.4} dead={dead}",
        count(runs) / took.as_secs_f64(),
        rate / floor,
        cpu.as_secs_f64() * 1e6 / steps,
        written / steps,
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

/// One run at a time: until its result, or until its first call, beside as many bare commits of one row.
async fn latency(work: &str, runs: usize, until_called: bool) -> Result<(), BoxError> {
    let (noted, called) = hop::noted()?;
    let flow = if until_called { noted } else { chain(3)? };
    let commits = if until_called { 1 } else { 4 };
    let name = flow.name().to_owned();
    let rig = Rig::new(flow, 64).await?;
    let bare = connect(&rig.server).await?;
    bare.batch_execute("CREATE TABLE bare (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data text)").await?;
    let insert = bare.prepare("INSERT INTO bare (data) VALUES ($1)").await?;
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for run in 0..runs.max(10) {
        let began = Instant::now();
        let _: String = rig.engine.run(&name, payload()).await?.output().await?;
        let ended = called.take();
        let took = ended.map_or_else(|| began.elapsed(), |at| at.duration_since(began));
        let began = Instant::now();
        for _ in 0..commits {
            bare.execute(&insert, &[&payload()]).await?;
        }
        // The first ones are a rehearsal.
        if run >= runs / 10 {
            ours.push(took.as_secs_f64() * 1e6);
            floors.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    rig.engine.shutdown().await?;
    ours.sort_by(f64::total_cmp);
    floors.sort_by(f64::total_cmp);
    let at = |figures: &[f64], percent: usize| figures.get(figures.len() * percent / 100).copied().unwrap_or(f64::NAN);
    println!(
        "RESULT {work} store=postgres inflight=1 p50_us={:.0} p99_us={:.0} floor_us={:.0} commits={commits} ratio={:.2}",
        at(&ours, 50),
        at(&ours, 99),
        at(&floors, 50),
        at(&ours, 50) / at(&floors, 50)
    );
    Ok(())
}

/// From a start at one engine to the first call at another's.
async fn hop_to_another(runs: usize) -> Result<(), BoxError> {
    let (flow, called) = hop::noted()?;
    let rig = Rig::new(flow.clone(), 64).await?;
    let store = Arc::new(PostgresStore::open(&rig.server.url()).await?);
    let starter = Engine::on(store).flow(flow).concurrency(0).start().await?;
    hop::to_another_worker("postgres", starter, &called, runs).await?;
    Ok(rig.engine.shutdown().await?)
}

/// A foreach over many items that folds them, 256 of them at once.
async fn items(items: u64) -> Result<(), BoxError> {
    let rig = Rig::new(many_items()?, 10_000).await?;
    for count in [items / 10, items] {
        let (written, trips, began) = (rig.written(), rig.store.round_trips(), Instant::now());
        let folded: u64 = rig.engine.run("many", count).await?.output().await?;
        if folded != count {
            return Err(format!("{folded} of {count} items were folded").into());
        }
        let took = began.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (number, trips) = (count as f64, (rig.store.round_trips() - trips) as f64);
        println!(
            "RESULT W5 store=postgres what=foreach items={count} seconds={took:.3} items_per_s={:.0} \
             wal_bytes_per_item={:.0} round_trips_per_item={:.4} dead={}",
            number / took,
            (rig.written() - written) / number,
            trips / number,
            rig.dead()
        );
    }
    rig.engine.shutdown().await?;
    Ok(())
}

async fn connect(server: &Postgres) -> Result<tokio_postgres::Client, BoxError> {
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Finished nodes a second of the server alone.
async fn floor(server: &Postgres, nodes: usize, chain: usize) -> Result<f64, BoxError> {
    connect(server).await?.batch_execute(FLOOR).await?;
    let began = Instant::now();
    let left = Arc::new(AtomicUsize::new(nodes / BATCH));
    let mut writers = Vec::new();
    for writer in 0..CONNECTIONS {
        let client = connect(server).await?;
        writers.push(tokio::spawn(write(client, writer, chain, Arc::clone(&left))));
    }
    for writer in writers {
        writer.await??;
    }
    Ok(count(nodes / BATCH * BATCH) / began.elapsed().as_secs_f64())
}

/// Batches of nodes: `BATCH` runs take their steps in turn.
async fn write(
    client: tokio_postgres::Client,
    writer: usize,
    chain: usize,
    left: Arc<AtomicUsize>,
) -> Result<(), tokio_postgres::Error> {
    let now = 1_800_000_000_000_i64;
    let start = client
        .prepare("INSERT INTO floor.runs SELECT id, 'chain', 'running', $2, $3, NULL FROM unnest($1::text[]) id")
        .await?;
    let finish = client
        .prepare("INSERT INTO floor.nodes SELECT id, $2, 'succeeded', 1, $3, $3, $4 FROM unnest($1::text[]) id")
        .await?;
    let end = client.prepare("UPDATE floor.runs SET status = 'succeeded', output = $2 WHERE id = ANY($1)").await?;
    let mut step = 0;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let (round, node) = (step / chain, step % chain);
        let ids: Vec<String> =
            (0..BATCH).map(|lane| format!("01a2003d-2351-766f-{writer:04x}-{:012x}", round * BATCH + lane)).collect();
        let name = format!("n{node}");
        client.batch_execute("BEGIN").await?;
        if node == 0 {
            client.execute(&start, &[&ids, &now, &payload()]).await?;
        }
        client.execute(&finish, &[&ids, &name, &now, &payload()]).await?;
        if node + 1 == chain {
            client.execute(&end, &[&ids, &payload()]).await?;
        }
        client.batch_execute("COMMIT").await?;
        step += 1;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
const fn count(number: usize) -> f64 {
    number as f64
}
