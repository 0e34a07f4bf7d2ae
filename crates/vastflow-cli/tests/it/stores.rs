//! The store itself, and stores of fleets.

use crate::place::{Place, until};
use serde_json::json;
use vastflow_testsuite::servers::{Postgres, Redis, Sync};

#[test]
fn a_store_is_made_counted_verified_copied_and_backed_up() {
    let place = Place::new();
    place.vastflow(&["store", "migrate"]).ok();
    place.failed_order("r");
    place.shop(&["start", "nap", "-i", "1", "--id", "n"]).ok();
    let stats = place.vastflow(&["store", "stats", "-o", "json"]).json();
    assert_eq!((&stats["runs"]["failed"], &stats["unfinished"], &stats["flows"]), (&json!(1), &json!(1), &json!(6)));
    assert!(stats["bytes"].as_u64().unwrap() > 1_000);
    let verified = place.vastflow(&["store", "verify", "-o", "json"]).json();
    assert_eq!((&verified["runs"], &verified["wrong"]), (&json!(2), &json!([])));
    let plan = place.vastflow(&["store", "copy", "sqlite:b.db", "--dry-run", "-o", "json"]).json();
    assert_eq!((&plan["runs"], place.path().join("b.db").exists()), (&json!(2), false));
    place.vastflow(&["store", "backup", "b.db"]).ok();
    place.vastflow(&["store", "backup", "b.db"]).fails(4);
    let again = place.vastflow(&["store", "copy", "sqlite:b.db", "-o", "json"]).json();
    // One that has only begun is looked at again.
    assert_eq!((&again["runs"], &again["known"]), (&json!(2), &json!(1)));
    let list = place.vastflow(&["runs", "ls", "--store", "sqlite:b.db"]).ok();
    assert!(list.contains("failed") && list.contains("running"), "{list}");
    assert_eq!(place.vastflow(&["doctor", "--store", "sqlite:b.db", "-o", "json"]).json()["runs_checked"], 1);
    let no_work = place.vastflow(&["worker"]).fails(2);
    assert!(no_work.contains("no flows"), "{no_work}");
}

/// What a fleet is asked from many places while it works.
fn on_a_fleet(url: &str) -> Place {
    let place = Place::at(url);
    let worker = place.worker();
    let workers = || place.vastflow(&["workers", "-o", "json"]).json();
    until("the worker lives", || {
        workers()["workers"].as_array().is_some_and(|all| all.iter().any(|it| it["slots"] == 1000))
    });
    assert_eq!(place.vastflow(&["start", "double", "-i", "21", "--id", "d", "--wait"]).ok(), "42");
    place.vastflow(&["start", "order", "-i", r#"{"id": 1, "items": [-1]}"#, "--id", "o", "--wait"]).fails(1);
    let shown = place.vastflow(&["runs", "show", "o"]).ok();
    assert!(shown.lines().nth(2).unwrap().contains("each[0]/charge failed after 3 calls"), "{shown}");
    place.vastflow(&["start", "nap", "-i", "1", "--id", "n"]).ok();
    let wait_for = |id: &str, status: &str| {
        until(status, || place.vastflow(&["runs", "show", id, "-o", "json"]).json()["run"]["status"] == status);
    };
    place.vastflow(&["runs", "pause", "n"]).ok();
    wait_for("n", "paused");
    place.vastflow(&["runs", "resume", "n"]).ok();
    wait_for("n", "running");
    let refused = place.vastflow(&["store", "backup", "b.db"]).fails(4);
    assert!(refused.contains("1 worker works"), "{refused}");
    assert_eq!(place.vastflow(&["doctor", "-o", "json"]).json()["findings"], json!([]));
    place.vastflow(&["runs", "stop", "n"]).ok();
    wait_for("n", "stopped");
    assert_eq!(place.vastflow(&["runs", "retry", "o"]).ok(), "o.retry1\n");
    wait_for("o.retry1", "failed");
    assert!(place.vastflow(&["queues"]).code == 0);
    drop(worker);
    place
}

#[test]
fn all_of_it_works_on_redis() {
    let server = Redis::start(Sync::EverySecond);
    let place = on_a_fleet(&server.url());
    place.vastflow(&["start", "double", "-i", "1", "--id", "later"]).ok();
    let complaint = place.vastflow(&["flows", "check"]).fails(1);
    assert!(complaint.contains("1 run waits"), "{complaint}");
}

#[test]
fn all_of_it_works_on_postgres_and_a_task_that_was_lost_is_found_and_queued_again() {
    let server = Postgres::start(false);
    let place = on_a_fleet(&server.url());
    place.vastflow(&["start", "double", "-i", "4", "--id", "lost"]).ok();
    server.psql("DELETE FROM vastflow.task");
    let report = place.shop(&["doctor", "-o", "json"]);
    assert_eq!(report.code, 1, "{report:?}");
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    assert_eq!((&report["findings"][0]["kind"], &report["findings"][0]["about"]), (&json!("law-2"), &json!("lost")));
    let worker = place.worker();
    let mended = place.shop(&["doctor", "--repair", "-o", "json"]).json();
    assert_eq!((&mended["findings"][0]["repaired"], &mended["ok"]), (&json!(true), &json!(true)));
    assert_eq!(place.vastflow(&["runs", "result", "lost", "--wait"]).ok(), "8");
    let tail = place.vastflow(&["runs", "tail", "lost"]).ok();
    assert!(tail.contains("doctor paused it: its tasks were not those"), "{tail}");
    drop(worker);
}
