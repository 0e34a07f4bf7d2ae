//! What people see: the tables, from outside, while the engine runs.

use crate::keep::{Place, done, finish};
use std::process::Command;
use std::sync::Arc;
use vastflow_core::{RunStatus, Seq};
use vastflow_store::{Committed, RunQuery, Store};
use vastflow_testsuite::fixture::{Story, attempt, plan, root, run_id};

/// Asks the `sqlite3` command until it says what is expected: the tables follow a moment later.
fn says(place: &Place, sql: &str, expected: &str) {
    let mut last = String::new();
    for _ in 0..5_000 {
        let asked = Command::new("sqlite3").arg(place.path()).arg(sql).output();
        let asked = asked.expect("the sqlite3 command: install the package sqlite3");
        last = String::from_utf8(asked.stdout).unwrap() + &String::from_utf8(asked.stderr).unwrap();
        if last.trim() == expected {
            return;
        }
    }
    panic!("{sql} says\n{last}instead of\n{expected}");
}

#[tokio::test]
async fn the_sqlite3_command_reads_the_tables_while_the_engine_runs() {
    let place = Place::hasty();
    let store = place.store();
    finish(&*store, "order-1").await;
    let mut story = Story::new(plan(), "order-2");
    story.info.labels = vec![("customer".into(), "O\"Hara".into()), ("project".into(), "p1".into())];
    done(&*store, story.start()).await;
    done(&*store, story.finish(attempt(0, 1))).await;

    says(
        &place,
        "SELECT id, flow, status, control, events FROM runs",
        "order-1|chain|succeeded|running|5\norder-2|chain|running|running|2",
    );
    says(
        &place,
        "SELECT started, took_ms, input, typeof(input), output FROM run_list WHERE id = 'order-1'",
        "1970-01-01T00:16:40.000Z|0|7|text|1",
    );
    says(&place, "SELECT labels ->> 'customer' FROM runs WHERE id = 'order-2'", "O\"Hara");
    says(
        &place,
        "SELECT runs.id FROM labels JOIN runs ON runs.key = run WHERE labels.key = 'project' AND value = 'p1'",
        "order-2",
    );
    says(
        &place,
        "SELECT group_concat(what, ' ') FROM (SELECT what FROM journal WHERE run = 1 ORDER BY first)",
        "RunStarted NodeSucceeded",
    );
    says(&place, "SELECT json_extract(json, '$.nodes[0].name') FROM plans", "first");
    says(
        &place,
        "SELECT key, value FROM meta WHERE key IN ('succeeded', 'failed') ORDER BY key",
        "failed|0\nsucceeded|1",
    );
    says(&place, "PRAGMA integrity_check", "ok");
}

#[tokio::test]
async fn a_run_that_begins_and_ends_at_once_is_one_row_of_each() {
    let place = Place::lazy();
    let store = place.store();
    finish(&*store, "r").await;
    store.close().await.unwrap();
    says(&place, "SELECT what FROM journal", "RunStarted NodeSucceeded×3 RunEnded");
}

/// The queries of lists use the indexes that were made for them.
#[tokio::test]
async fn lists_do_not_scan() {
    let place = Place::new();
    place.store().close().await.unwrap();
    let tables = rusqlite::Connection::open(place.path()).unwrap();
    for (condition, index) in [
        ("flow = 'f' AND status NOT IN ('running', 'stopping')", "USING INDEX runs_by_flow (flow=? AND rowid<?)"),
        ("status = 'failed'", "USING INDEX runs_by_status (status=? AND rowid<?)"),
        ("status = 'running'", "USING INDEX runs_by_status (status=? AND rowid<?)"),
        ("status NOT IN ('running', 'stopping')", "USING INTEGER PRIMARY KEY (rowid<?)"),
    ] {
        let sql =
            format!("EXPLAIN QUERY PLAN SELECT * FROM runs WHERE key < 9 AND {condition} ORDER BY key DESC LIMIT 9");
        let plan: String = tables.query_row(&sql, [], |row| row.get(3)).unwrap();
        assert!(plan.contains(index), "{condition}: {plan}");
    }
}

/// Runs go from memory to the tables under the eyes of those who list them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_vanishes_and_nothing_is_there_twice() {
    let place = Place::hasty();
    let store: Arc<dyn Store> = place.store();
    let writers: Vec<_> = (0..4).map(|lane| tokio::spawn(write(Arc::clone(&store), lane))).collect();
    let mut last = 0;
    while writers.iter().any(|writer| !writer.is_finished()) {
        let before = store.counts().await.unwrap().succeeded;
        let mut query = RunQuery { status: Some(RunStatus::Succeeded), limit: 7, ..RunQuery::default() };
        let mut keys = Vec::new();
        loop {
            let page = store.runs(&query).await.unwrap();
            keys.extend(page.rows.iter().map(|row| row.key));
            let Some(next) = page.next else { break };
            query.before = Some(next);
        }
        assert!(keys.is_sorted_by(|a, b| a > b), "{keys:?}");
        assert!(before >= last, "{before} runs had ended, and before that {last}");
        // Newer ones may have ended since.
        let all = store.runs(&RunQuery { limit: usize::MAX - 1, ..RunQuery::default() }).await.unwrap();
        assert!(keys.len() as u64 >= before && all.rows.len() as u64 >= before, "{} of {before}", keys.len());
        last = before;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(store.counts().await.unwrap().succeeded, 160);
}

async fn write(store: Arc<dyn Store>, lane: usize) {
    for number in 0..40 {
        let name = format!("r{lane}-{number}");
        finish(&*store, &name).await;
        let row = store.run(&run_id(&name)).await.unwrap().unwrap();
        assert_eq!((row.summary.status, row.len), (RunStatus::Succeeded, Seq(5)));
        assert_eq!(store.history(&root(&name), Seq(1), 3).await.unwrap().len(), 3);
        let again = store.commit(Story::new(plan(), &name).start()).await.unwrap();
        assert_eq!(again, Committed::Conflict { len: Seq(5) });
    }
}
