//! Killed at any moment, the store has everything that it acknowledged and no half of anything.

use crate::keep::{Place, done};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::{Event, ScopeId, Seq};
use vastflow_sqlite::{Options, SqliteStore};
use vastflow_store::{RunQuery, Store};
use vastflow_testsuite::fixture::{Story, attempt, plan, run_id};
use vastflow_testsuite::law2;

const PATH: &str = "VASTFLOW_CRASH_PATH";
const ROUND: &str = "VASTFLOW_CRASH_ROUND";

fn options() -> Options {
    Options::default().linger(Duration::from_millis(5)).segment(1 << 20)
}

/// Not a test but the process that is killed: it tells of every commit that was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(path), Ok(round)) = (std::env::var(PATH), std::env::var(ROUND)) else { return };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_with(path, options()).unwrap());
    store.put_plan(plan()).await.unwrap();
    let lanes = (0..16).map(|lane| tokio::spawn(go_on(Arc::clone(&store), format!("{round}-{lane}"))));
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.unwrap();
    }
}

async fn go_on(store: Arc<dyn Store>, lane: String) {
    for number in 0_u32.. {
        let name = format!("{lane}-{number}");
        let mut story = Story::new(plan(), &name);
        let mut commit = story.start();
        for node in 0.. {
            done(&*store, commit).await;
            // The line feeds before the line keep it apart from what the test harness prints.
            write!(std::io::stdout().lock(), "\nacknowledged {name} {}\n", story.state.len()).unwrap();
            // Every third run stays unfinished.
            if node == 3 || (number % 3 == 0 && node == 1) {
                break;
            }
            commit = story.finish(attempt(node, 1));
        }
    }
}

/// Lets the child work until it has told of so many commits, kills it, and gives all it had said.
fn kill_after(lines: usize, path: PathBuf, round: usize) -> BTreeMap<String, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::child", "--exact", "--nocapture"])
        .env(PATH, path)
        .env(ROUND, format!("round{round}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = BTreeMap::new();
    let mut hear = |line: String| {
        let mut words = line.split(' ');
        let told = (words.next(), words.next(), words.next().map(str::parse));
        let (Some("acknowledged"), Some(run), Some(Ok(len))) = told else { return 0 };
        acknowledged.insert(run.to_owned(), len);
        1
    };
    let mut heard = 0;
    while heard < lines {
        heard += hear(said.next().unwrap().unwrap());
    }
    child.kill().unwrap();
    // What it said before it died counts.
    said.map_while(Result::ok).for_each(|line| {
        hear(line);
    });
    child.wait().unwrap();
    acknowledged
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let place = Place::with(options());
    let mut all = BTreeMap::new();
    for (round, lines) in [1, 400, 3_000, 57, 9_000, 1_500].into_iter().enumerate() {
        let acknowledged = kill_after(lines, place.path(), round);
        assert!(!acknowledged.is_empty());
        all.extend(acknowledged);
        check(&*place.store(), &all).await;
    }
}

async fn check(store: &dyn Store, acknowledged: &BTreeMap<String, u64>) {
    for (run, len) in acknowledged {
        let row = store.run(&run_id(run)).await.unwrap();
        let found = row.as_ref().map_or(Seq::ZERO, |row| row.len);
        // A line that was cut off in its number says less than was acknowledged.
        assert!(found >= Seq(*len), "{run} was acknowledged up to {len}, found {found}");
    }
    let query = RunQuery { limit: 1_000_000, ..RunQuery::default() };
    let rows = store.runs(&query).await.unwrap().rows;
    let mut unfinished = Vec::new();
    for row in rows {
        let scope = ScopeId::root(row.id.clone());
        let history = store.history(&scope, Seq::ZERO, usize::MAX).await.unwrap();
        let story = Story::load(plan(), &row.id, &history);
        assert_eq!(Some(&row.summary), story.state.summary(&story.plan).as_ref());
        // The last node and the end are one commit.
        let succeeded = history.iter().filter(|at| matches!(at.event, Event::NodeSucceeded { .. })).count();
        assert_eq!(succeeded == 3, row.summary.status.is_final(), "half a commit of {}", row.id);
        if !row.summary.status.is_final() {
            unfinished.push(scope);
        }
    }
    law2(store, &unfinished).await.unwrap();
    let counts = store.counts().await.unwrap();
    assert_eq!(counts.unfinished(), unfinished.len() as u64);
}
