//! A foreach on SQLite whose process is killed again and again: every item counts once.

use crate::support::ok;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use vastflow::Flow;
use vastflow::prelude::*;
use vastflow_sqlite::{Options, SqliteStore};

const PATH: &str = "VASTFLOW_KILLED_PATH";
const ITEMS: u64 = 4_000;

/// Tables that follow at once, so that what has ended is soon nowhere else.
fn options() -> Options {
    Options::default().linger(Duration::ZERO).portion(1).segment(1 << 20)
}

fn squares() -> Flow<u64, u64> {
    let pages = |(up_to, from): (u64, Option<u64>)| async move {
        let from = from.unwrap_or(0);
        let end = up_to.min(from + 100);
        ok(Page::new((from..end).collect()).next((end < up_to).then_some(end)))
    };
    let square = |n: u64| async move {
        write!(std::io::stdout().lock(), "\nsquared {n}\n")?;
        ok(n * n)
    };
    let flow = Flow::dag("squares", |dag, up_to: Node<u64>| {
        dag.for_each_page("each", pages, up_to, |dag, n| dag.node("square", square, n))
            .window(64)
            .reduce(0, |sum: u64, square: u64| sum + square)
    });
    flow.unwrap()
}

/// Not a test but the process that is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(path) = std::env::var(PATH) else { return };
    let store = Arc::new(SqliteStore::open_with(path, options()).unwrap());
    let engine = Engine::on(store).flow(squares()).start().await.unwrap();
    let run = engine.run("squares", ITEMS).id("r").await.unwrap();
    let sum: u64 = run.output().await.unwrap();
    let mut out = std::io::stdout().lock();
    write!(out, "\nthe sum is {sum}\n").unwrap();
}

/// Runs the child until it has squared so many items, then kills it; the sum, if it came so far.
fn run_until(lines: usize, path: &std::path::Path) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["killed::child", "--exact", "--nocapture"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut sum = None;
    let mut squared = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        squared += usize::from(line.starts_with("squared "));
        sum = line.strip_prefix("the sum is ").map(|sum| sum.parse().unwrap()).or(sum);
        if squared >= lines {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    sum
}

#[test]
fn every_item_of_a_foreach_counts_once_however_often_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    for lines in [1, 40, 130, 700, 64, 333, 1_000, 5, 90, usize::MAX] {
        if let Some(sum) = run_until(lines, &path) {
            assert_eq!(sum, (0..ITEMS).map(|n| n * n).sum::<u64>());
            return;
        }
    }
    panic!("it never came to its end");
}
