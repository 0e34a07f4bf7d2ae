//! Floors: what the disk and SQLite do by themselves, without an engine.

use rusqlite::{Connection, params};
use std::time::{Duration, Instant};
use vastflow::BoxError;
use vastflow_core::run::{Changes, Input, Reply, Start, TaskOutcome};
use vastflow_core::{Payload, Plan, RunId, State, Timestamp};

const LEAN_TABLES: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE runs (id TEXT PRIMARY KEY, flow TEXT, status TEXT, started INTEGER, input TEXT, output TEXT)
        WITHOUT ROWID;
    CREATE INDEX by_status ON runs (status, started);
    CREATE INDEX by_flow ON runs (flow, started);
    CREATE TABLE nodes (run TEXT, node TEXT, status TEXT, attempt INTEGER, started INTEGER, ended INTEGER, output TEXT,
        PRIMARY KEY (run, node)) WITHOUT ROWID;
";

/// The lean-tables loop, what a careful team writes by hand: one writer, a row a finished node, a run row with two list
/// indexes, keys as people know them (run ids and node names), synced commits of `batch` nodes. Gives finished nodes a second.
pub(crate) fn lean_tables(nodes: usize, chain: usize, batch: usize) -> Result<f64, BoxError> {
    let dir = tempfile::tempdir_in(".")?;
    let db = Connection::open(dir.path().join("floor.db"))?;
    db.execute_batch(LEAN_TABLES)?;
    let payload = crate::flows::payload();
    let began = Instant::now();
    let mut done = 0;
    while done < nodes {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for step in done..done + batch {
            // `batch` runs are in flight and take their steps in turn.
            let (round, lane) = (step / batch, step % batch);
            let (run, node) = ((round / chain * batch + lane), round % chain);
            lean_step(&db, run, node, chain, &payload)?;
        }
        db.execute_batch("COMMIT")?;
        done += batch;
    }
    Ok(per_second(done, began.elapsed()))
}

fn lean_step(db: &Connection, run: usize, node: usize, chain: usize, payload: &str) -> rusqlite::Result<()> {
    let (id, name) = (format!("01a2003d-2351-766f-b800-{run:012x}"), format!("n{node}"));
    let now = 1_800_000_000_000_i64;
    if node == 0 {
        let mut start = db.prepare_cached("INSERT INTO runs VALUES (?1, 'chain', 'running', ?2, ?3, NULL)")?;
        start.execute(params![id, now, payload])?;
    }
    let mut finish = db.prepare_cached("INSERT INTO nodes VALUES (?1, ?2, 'succeeded', 1, ?3, ?3, ?4)")?;
    finish.execute(params![id, name, now, payload])?;
    if node + 1 == chain {
        let mut end = db.prepare_cached("UPDATE runs SET status = 'succeeded', output = ?2 WHERE id = ?1")?;
        end.execute(params![id, payload])?;
    }
    Ok(())
}

/// A file with one-row synced commits, to set one run's latency against.
pub(crate) struct Bare {
    db: Connection,
    _dir: tempfile::TempDir,
}

impl Bare {
    pub(crate) fn new() -> Result<Self, BoxError> {
        let dir = tempfile::tempdir_in(".")?;
        let db = Connection::open(dir.path().join("bare.db"))?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE log (seq INTEGER PRIMARY KEY, data BLOB);",
        )?;
        Ok(Bare { db, _dir: dir })
    }

    /// How long `commits` one-row commits take.
    pub(crate) fn commits(&self, commits: usize) -> Result<Duration, BoxError> {
        let payload = crate::flows::payload();
        let began = Instant::now();
        for _ in 0..commits {
            self.db.prepare_cached("INSERT INTO log (data) VALUES (?1)")?.execute([&payload])?;
        }
        Ok(began.elapsed())
    }
}

/// The core alone: one thread steps runs of `plan` from start to end. Gives finished nodes a second.
pub(crate) fn core_alone(plan: &Plan, runs: usize) -> Result<f64, BoxError> {
    let id = RunId::new("floor")?;
    let output = Payload::new(vastflow_core::Codec::Json, format!("{:?}", crate::flows::payload()));
    let began = Instant::now();
    for _ in 0..runs {
        let mut state = State::default();
        let mut changes = Changes::default();
        state.step(plan, Input::Start(Start::new(id.clone())), Timestamp::ZERO, &mut changes)?;
        while let Some((task, _)) = changes.queue.pop() {
            let reply = Reply::Done(output.clone());
            let outcome = TaskOutcome { task, reply, writes: Vec::new(), took: Duration::ZERO };
            state.step(plan, Input::Outcome(outcome), Timestamp::ZERO, &mut changes)?;
        }
    }
    Ok(per_second(runs * plan.len(), began.elapsed()))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
