//! Workers that are processes of their own, on a store that they share: one that is stopped and wakes up, and a call that
//! kills every worker that makes it.

use crate::support::{history, ok};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use vastflow::prelude::*;
use vastflow::store::Store;
use vastflow::{Flow, RunStatus};
use vastflow_redis::RedisStore;
use vastflow_testsuite::servers::{Redis, Sync};

const URL: &str = "VASTFLOW_FLEET_URL";
const ROLE: &str = "VASTFLOW_FLEET_ROLE";

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    write!(out, "\n{line}\n").unwrap();
    out.flush().unwrap();
}

/// A flow whose call takes seconds, in which a busy machine stops its process, or, where it is poison, ends that.
fn flow() -> Flow<u32, u32> {
    let call = |n: u32| async move {
        say("called");
        match std::env::var(ROLE).as_deref() {
            Ok("poisoned") => std::process::abort(),
            Ok("sleeper") => tokio::time::sleep(8.secs()).await,
            _ => {}
        }
        ok(n + 1)
    };
    Flow::dag("call", |dag, n: Node<u32>| dag.node("call", call, n)).unwrap()
}

async fn engine(url: &str) -> Engine {
    let store = Arc::new(RedisStore::open(url).await.unwrap());
    Engine::on(store).lease(1.secs()).flow(flow()).start().await.unwrap()
}

/// Not a test but a worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    let Ok(url) = std::env::var(URL) else { return };
    let engine = engine(&url).await;
    let run = engine.run("call", 1_u32).id("r").await.unwrap();
    if std::env::var(ROLE).as_deref() == Ok("poisoned") {
        while run.status().await.unwrap() != RunStatus::NeedsAttention {
            tokio::time::sleep(10.ms()).await;
        }
        say(&format!("parked: {}", run.attention().await.unwrap()[0].1));
        return;
    }
    say(&format!("r gave {}", run.output::<u32>().await.unwrap()));
    while engine.stats().leases_lost == 0 {
        tokio::time::sleep(10.ms()).await;
    }
    // Either its answer was refused, or it had heard before that it was too late.
    let refused = engine.stats().fenced + engine.store().fleet().await.unwrap().fenced;
    say(&format!("its answer counts: {}", refused == 0));
    let next: u32 = engine.run("call", 5_u32).await.unwrap().output().await.unwrap();
    say(&format!("goes on with {next}"));
}

/// A worker in a process of its own; it goes with its test.
struct Worker(Child);

impl Worker {
    fn start(url: &str, role: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["fleet::worker", "--exact", "--nocapture"]).env(URL, url).env(ROLE, role);
        Worker(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// What it says, until it ends.
    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.0.stdout.take().unwrap()).lines().map_while(Result::ok)
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_stopped_for_longer_than_its_lease_is_refused_and_goes_on() {
    let server = Redis::start(Sync::Always);
    let mut stopped = Worker::start(&server.url(), "sleeper");
    let mut lines = stopped.lines();
    assert!(lines.any(|line| line == "called"));
    stopped.signal("STOP");
    let other = engine(&server.url()).await;
    let run = other.handle("r").await.unwrap();
    let output = tokio::time::timeout(60.secs(), run.output::<u32>()).await.expect("it is taken over");
    assert_eq!(output.unwrap(), 2);
    other.shutdown().await.unwrap();

    stopped.signal("CONT");
    let said: Vec<String> = lines
        .filter(|line| line.starts_with("r gave") || line.starts_with("its answer") || line.starts_with("goes"))
        .collect();
    assert_eq!(said, ["r gave 2", "its answer counts: false", "goes on with 6"]);
    let store: Arc<dyn Store> = Arc::new(RedisStore::open(&server.url()).await.unwrap());
    let succeeded = history(&store, "r").await.iter().filter(|one| one.event.name() == "NodeSucceeded").count();
    assert_eq!(succeeded, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_ends_its_process_is_not_made_by_a_fourth_worker() {
    let server = Redis::start(Sync::Always);
    let mut calls = 0;
    for _ in 0..6 {
        let mut worker = Worker::start(&server.url(), "poisoned");
        for line in worker.lines() {
            calls += usize::from(line == "called");
            if let Some(why) = line.strip_prefix("parked: ") {
                assert!(why.contains("ended 3 processes, one after the other"), "{why}");
                assert_eq!(calls, 3);
                return;
            }
        }
    }
    panic!("it was called {calls} times, and goes on killing");
}
