//! The fleet, with real processes on a real server: workers that are killed and frozen, and a server that is.

use crate::process::program;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vastflow::store::{RunQuery, Store};
use vastflow::{Event, RunId};
use vastflow_core::{ScopeId, Seq};
use vastflow_testsuite::servers::{Postgres, Redis, Sync};

/// Nothing here takes this long.
const STUCK: Duration = Duration::from_secs(90);
/// The shortest lease that the example takes in whole seconds, and leaves a busy machine time to beat.
const LEASE: &str = "2";

struct Fleet {
    url: String,
    workers: Vec<Child>,
}

impl Fleet {
    fn on(url: String) -> Self {
        Fleet { url, workers: Vec::new() }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program("fleet"));
        command.args(words).args(["--store", &self.url]).stdin(Stdio::null());
        command
    }

    fn worker(&mut self, slots: &str) {
        let mut command = self.command(&["worker", "--slots", slots, "--lease", LEASE]);
        self.workers.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    fn run(&self, words: &[&str]) -> String {
        // A server that has just been started may have to be asked twice.
        let mut tries = 0;
        loop {
            let out = self.command(words).output().unwrap();
            if out.status.success() {
                return String::from_utf8(out.stdout).unwrap();
            }
            tries += 1;
            assert!(tries < 10, "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// What `status` says, by name.
    fn status(&self) -> BTreeMap<String, u64> {
        let line = self.run(&["status"]);
        let fields = line.split_whitespace().map(|field| field.split_once('=').unwrap());
        fields.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }

    /// Waits until the status is as it should be; gives it.
    fn until(&self, what: &str, is_so: impl Fn(&BTreeMap<String, u64>) -> bool) -> BTreeMap<String, u64> {
        eprintln!("waiting until {what}");
        let began = Instant::now();
        loop {
            let status = self.status();
            if is_so(&status) {
                return status;
            }
            assert!(began.elapsed() < STUCK, "waited in vain until {what}: {status:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until each worker has so many calls in hand.
    fn until_full(&self, calls: usize) {
        eprintln!("waiting until their hands are full");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let began = Instant::now();
        runtime.block_on(async {
            let store = vastflow::open(&self.url).await.unwrap();
            loop {
                let workers = store.fleet().await.unwrap().workers;
                if workers.iter().filter(|worker| worker.in_hand == calls).count() == self.workers.len() {
                    return store.close().await.unwrap();
                }
                assert!(began.elapsed() < STUCK, "waited in vain until their hands are full: {workers:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }

    fn signal(&self, worker: usize, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.workers[worker].id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// Each node of each run has one result, and each worker's share of the items.
fn check_results(url: &str, runs: usize, items: u32) -> BTreeMap<u32, u32> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = vastflow::open(url).await.unwrap();
        let mut shares = BTreeMap::new();
        let mut query = RunQuery { limit: 500, ..RunQuery::default() };
        let mut seen = 0;
        loop {
            let page = store.runs(&query).await.unwrap();
            for row in &page.rows {
                seen += 1;
                let output = row.summary.output.as_ref().expect("it has succeeded");
                let packed: BTreeMap<u32, u32> = serde_json::from_slice(output.bytes()).unwrap();
                assert_eq!(packed.values().sum::<u32>(), items, "{}", row.id);
                packed.into_iter().for_each(|(worker, count)| *shares.entry(worker).or_default() += count);
                check_run(&*store, &row.id, items).await;
            }
            query.before = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(seen, runs);
        store.close().await.unwrap();
        shares
    })
}

async fn check_run(store: &dyn Store, run: &RunId, items: u32) {
    let root = ScopeId::root(run.clone());
    let history = store.history(&root, Seq::ZERO, usize::MAX).await.unwrap();
    let mut results = BTreeMap::new();
    for recorded in &history {
        match &recorded.event {
            Event::NodeSucceeded { node, .. } => *results.entry(format!("{node:?}")).or_insert(0) += 1,
            Event::ChildEnded { key, .. } => *results.entry(format!("item {key}")).or_insert(0) += 1,
            _ => {}
        }
    }
    assert!(results.values().all(|count| *count == 1), "{run}: {results:?}");
    assert_eq!(results.keys().filter(|key| key.starts_with("item")).count(), items as usize, "{run}");
}

/// Case 18: a worker is killed with its hands full.
fn a_killed_worker_s_work_is_done_by_the_other(url: String) {
    let mut fleet = Fleet::on(url);
    fleet.worker("50");
    fleet.worker("50");
    fleet.until("both work", |status| status["workers"] == 2);
    fleet.run(&["start", "40", "--items", "3", "--millis", "3000"]);
    fleet.until_full(50);
    fleet.signal(0, "KILL");
    let killed = Instant::now();
    fleet.until("its tasks are taken over", |status| status["taken_over"] > 0);
    // The lease and a sweep, and what a loaded machine needs to ask; less than the lease that nobody chose.
    assert!(killed.elapsed() < Duration::from_secs(13), "it took {:?}", killed.elapsed());
    let end = fleet.until("all is done", |status| status["open"] == 0);
    assert_eq!((end["runs"], end["done"], end["failed"], end["workers"]), (40, 40, 0, 1), "{end:?}");
    check_results(&fleet.url, 40, 3);
}

/// Case 19: a worker freezes for longer than its lease and wakes up.
fn a_frozen_worker_s_late_answers_are_refused(url: String) {
    let mut fleet = Fleet::on(url);
    fleet.worker("20");
    fleet.worker("20");
    fleet.until("both work", |status| status["workers"] == 2);
    fleet.run(&["start", "20", "--items", "3", "--millis", "3000"]);
    fleet.until_full(20);
    fleet.signal(0, "STOP");
    fleet.until("it is given up", |status| status["taken_over"] > 0);
    eprintln!("it stays frozen for three leases in all");
    std::thread::sleep(Duration::from_secs(4));
    fleet.signal(0, "CONT");
    let end = fleet.until("all is done, and it is back", |status| status["open"] == 0 && status["workers"] == 2);
    assert_eq!((end["done"], end["failed"]), (20, 0), "{end:?}");
    check_results(&fleet.url, 20, 3);
}

/// A number from the environment, or what CI has time for.
fn asked_for(name: &str, in_ci: u32) -> u32 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(in_ci)
}

/// How long after its last item had ended a run of one foreach ended.
fn join_took(url: &str) -> Duration {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = vastflow::open(url).await.unwrap();
        let page = store.runs(&RunQuery::default()).await.unwrap();
        let run = &page.rows[0];
        let plan = store.plan(run.summary.started.plan).await.unwrap().expect("its plan");
        let root = ScopeId::root(run.id.clone());
        let mut last = vastflow::Timestamp::ZERO;
        for recorded in store.history(&root, Seq::ZERO, usize::MAX).await.unwrap() {
            if let Event::ChildEnded { node, key, .. } = recorded.event {
                let item = root.child(&plan.node(node).expect("a node of it").name, &key);
                let inside = store.history(&item, Seq::ZERO, usize::MAX).await.unwrap();
                last = last.max(inside.last().expect("it ended").at);
            }
        }
        store.close().await.unwrap();
        run.summary.ended_at.expect("it ended").since(last)
    })
}

/// The items of one run are shared by four workers, and its join fires once.
fn many_items_are_shared(url: String) {
    let items = asked_for("VASTFLOW_ITEMS", 1_000);
    let mut fleet = Fleet::on(url);
    (0..4).for_each(|_| fleet.worker("25"));
    fleet.until("all work", |status| status["workers"] == 4);
    fleet.run(&["start", "1", "--items", &items.to_string(), "--millis", "20"]);
    fleet.until("all is done", |status| status["open"] == 0 && status["runs"] == 1);
    let shares = check_results(&fleet.url, 1, items);
    assert_eq!(shares.len(), 4, "{shares:?}");
    // A thousand last only for seconds, of which the start of four processes on two cores is a good part.
    let fair = if items < 10_000 { 0.05..=0.60 } else { 0.15..=0.35 };
    let share_of = |count: &u32| f64::from(*count) / f64::from(items);
    assert!(shares.values().all(|count| fair.contains(&share_of(count))), "of {items}: {shares:?}");
    let took = join_took(&fleet.url);
    eprintln!("{items} items: {shares:?}, joined {took:?} after the last of them");
    assert!(took < Duration::from_secs(20), "the join came {took:?} after the last item");
}

#[test]
fn a_killed_worker_s_work_is_done_by_the_other_on_redis() {
    a_killed_worker_s_work_is_done_by_the_other(Redis::start(Sync::Always).url());
}

#[test]
fn a_frozen_worker_s_late_answers_are_refused_on_redis() {
    a_frozen_worker_s_late_answers_are_refused(Redis::start(Sync::Always).url());
}

#[test]
fn many_items_are_shared_on_redis() {
    many_items_are_shared(Redis::start(Sync::EverySecond).url());
}

#[test]
fn a_killed_worker_s_work_is_done_by_the_other_on_postgres() {
    a_killed_worker_s_work_is_done_by_the_other(Postgres::shared().fresh_url());
}

#[test]
fn a_frozen_worker_s_late_answers_are_refused_on_postgres() {
    a_frozen_worker_s_late_answers_are_refused(Postgres::shared().fresh_url());
}

#[test]
fn many_items_are_shared_on_postgres() {
    many_items_are_shared(Postgres::shared().fresh_url());
}

/// The server is killed again and again while workers work: nothing that was acknowledged is lost, and they go on by
/// themselves.
fn a_killed_server_loses_nothing(url: String, mut kill_and_restart: impl FnMut()) {
    let mut fleet = Fleet::on(url);
    fleet.worker("20");
    fleet.worker("20");
    fleet.until("both work", |status| status["workers"] == 2);
    fleet.run(&["start", "200", "--items", "2", "--millis", "100"]);
    for _ in 0..asked_for("VASTFLOW_KILLS", 3) {
        let done = fleet.status()["done"];
        kill_and_restart();
        fleet.until("they go on", |status| status["done"] > done || status["open"] == 0);
    }
    let end = fleet.until("all is done", |status| status["open"] == 0);
    assert_eq!((end["runs"], end["done"], end["workers"]), (200, 200, 2), "{end:?}");
    assert!(fleet.workers.iter_mut().all(|worker| worker.try_wait().unwrap().is_none()), "no worker ended");
    check_results(&fleet.url, 200, 2);
}

#[test]
fn a_killed_server_loses_nothing_on_redis() {
    let mut server = Redis::start(Sync::Always);
    a_killed_server_loses_nothing(server.url(), || {
        server.kill9();
        server.restart();
    });
}

#[test]
fn a_killed_server_loses_nothing_on_postgres() {
    let mut server = Postgres::start(true);
    a_killed_server_loses_nothing(server.url(), || {
        server.kill9();
        server.restart();
    });
}

#[test]
fn a_store_of_one_process_is_no_fleet() {
    let fleet = Fleet::on("memory:".into());
    let out = fleet.command(&["status"]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && text.contains("a fleet needs a server: redis://HOST/"), "{text}");
}
