//! The disk: segments that come and go, tables that lag, no room left.

use crate::keep::{Place, done, finish, hold_tables};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;
use vastflow_core::{Codec, Payload, Seq};
use vastflow_sqlite::Options;
use vastflow_store::{Claim, Commit, Committed, Store, StoreError};
use vastflow_testsuite::fixture::{self, Story, inner, plan, root};

/// A commit of 10 kB to an inner scope of run `r`.
fn large(expected: u64) -> Commit {
    let mut commit = fixture::commit(&inner("r", "1"), expected);
    let output = Payload::new(Codec::Bytes, vec![7; 10_000]);
    let node = vastflow_core::NodeIx(0);
    commit.events = vec![vastflow_core::Event::NodeSucceeded { node, output, call: Default::default() }];
    commit
}

async fn begun(place: &Place) -> Arc<dyn Store> {
    let store = place.store();
    store.put_plan(plan()).await.unwrap();
    done(&*store, Story::new(plan(), "r").start()).await;
    store
}

#[tokio::test]
async fn segments_go_when_the_tables_have_passed_them() {
    let place = Place::with(Options::default().linger(Duration::ZERO).segment(200_000));
    let store = begun(&place).await;
    let first = |files: Vec<String>| files.into_iter().filter(|file| file.contains(".log-")).min();
    let before = first(place.files());
    let mut commits = 0;
    while first(place.files()) == before {
        done(&*store, large(commits)).await;
        commits += 1;
        assert!(commits < 10_000, "{before:?} stays");
    }
    let segments = place.files().iter().filter(|file| file.contains(".log-")).count();
    assert!(commits > 5 && segments < 50, "{commits} commits, {segments} segments");
    store.close().await.unwrap();
    drop(store);
    let store = place.store();
    let history = store.history(&inner("r", "1"), Seq::ZERO, usize::MAX).await.unwrap();
    assert_eq!(history.len() as u64, commits);
}

#[tokio::test]
async fn tables_that_cannot_follow_slow_the_answers_down() {
    let place = Place::with(Options::default().linger(Duration::ZERO).lag(100_000));
    let store = begun(&place).await;
    let holder = hold_tables(&place);
    let mut answered = 0;
    let late = loop {
        let store = Arc::clone(&store);
        let mut waiting = tokio::spawn(async move { done(&*store, large(answered)).await });
        // No disk takes so long for one that need not wait.
        if timeout(Duration::from_secs(3), &mut waiting).await.is_err() {
            break waiting;
        }
        answered += 1;
    };
    assert!((5..=12).contains(&answered), "{answered} commits of 10 kB, with a lag of 100 kB");

    // What is applied and not synced is not shown.
    let ask = Claim::new(fixture::BOB, 1, fixture::LEASE, fixture::T0);
    let scope = inner("r", "1");
    let blind = Duration::from_millis(100);
    timeout(blind, store.history(&scope, Seq::ZERO, 1)).await.unwrap_err();
    timeout(blind, store.run(root("r").run())).await.unwrap_err();
    timeout(blind, store.runs(&Default::default())).await.unwrap_err();
    timeout(blind, store.claim(ask.clone())).await.unwrap_err();
    // Nothing to claim shows nothing, and is said at once.
    let none = Claim { max: 0, ..ask.clone() };
    assert_eq!(store.claim(none).await.unwrap().tasks, []);

    drop(holder);
    late.await.unwrap();
    let history = store.history(&scope, Seq::ZERO, usize::MAX).await.unwrap();
    assert_eq!(history.len() as u64, answered + 1);
    // The claim that nobody waited for was given back.
    assert_eq!(store.claim(ask).await.unwrap().tasks.len(), 1);
}

#[tokio::test]
async fn a_full_disk_stops_the_store_and_loses_nothing() {
    let mut place = Place::with(Options::default().log_bytes(300_000));
    let store = begun(&place).await;
    let mut answered = 0;
    let error = loop {
        match store.commit(large(answered)).await {
            Ok(_) => answered += 1,
            Err(why) => break why,
        }
    };
    let text = error.to_string();
    assert_eq!(error.code(), "store-closed", "{text}");
    assert!(text.contains("full") && text.contains("open the store again"), "{text}");
    assert!(answered > 2);
    let later = [
        store.commit(large(answered)).await.unwrap_err(),
        store.counts().await.unwrap_err(),
        store.history(&root("r"), Seq::ZERO, 1).await.unwrap_err(),
        store.put_plan(fixture::wide(2)).await.unwrap_err(),
        store.close().await.unwrap_err(),
    ];
    assert!(later.iter().all(|error| matches!(error, StoreError::Closed { .. })), "{later:?}");
    drop(store);
    place.options = Options::default();
    let store = place.store();
    let history = store.history(&inner("r", "1"), Seq::ZERO, usize::MAX).await.unwrap();
    assert_eq!(history.len() as u64, answered);
    finish(&*store, "s").await;
}

#[tokio::test]
async fn everything_in_flight_is_answered_when_the_disk_fills_up() {
    let place = Place::with(Options::default().log_bytes(150_000));
    let store = begun(&place).await;
    let answers = Arc::new(Mutex::new(Vec::new()));
    for number in 0..100 {
        let answers = Arc::clone(&answers);
        let reply = move |answer: vastflow_store::Answer| {
            answers.lock().unwrap().extend(answer.into_iter().map(|(_, answer)| answer.is_ok()));
        };
        store.submit(vec![large(number)], Box::new(reply));
    }
    store.close().await.unwrap_err();
    let answers = answers.lock().unwrap();
    let good = answers.iter().filter(|is_ok| **is_ok).count();
    assert_eq!(answers.len(), 100);
    assert!(good < 100 && answers[..good].iter().all(|is_ok| *is_ok), "answers come in order");
}

#[tokio::test]
async fn a_reply_that_panics_harms_nobody_else() {
    let place = Place::new();
    let store = begun(&place).await;
    store.submit(vec![large(0)], Box::new(|_| panic!("on purpose")));
    done(&*store, large(1)).await;
}

#[tokio::test]
async fn the_last_handle_may_go_away_inside_a_reply() {
    let place = Place::new();
    let store = begun(&place).await;
    let (said, heard) = std::sync::mpsc::channel();
    let own = Arc::clone(&store);
    let reply = move |_| {
        drop(own);
        said.send(()).unwrap();
    };
    store.submit(vec![large(0)], Box::new(reply));
    drop(store);
    heard.recv().unwrap();
    // The threads finish on their own; the lock says when.
    let again = loop {
        match vastflow_sqlite::SqliteStore::open(place.path()) {
            Ok(store) => break store,
            Err(StoreError::Refused(_)) => std::thread::yield_now(),
            Err(why) => panic!("{why}"),
        }
    };
    assert_eq!(again.history(&inner("r", "1"), Seq::ZERO, 9).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_comes_with_the_close_is_answered() {
    for round in 0..20_u32 {
        let place = Place::new();
        let store = begun(&place).await;
        let (asked, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (store, asked, answered) = (Arc::clone(&store), Arc::clone(&asked), Arc::clone(&answered));
                std::thread::spawn(move || {
                    let is_closed = Arc::new(AtomicBool::new(false));
                    let mut runs = 0;
                    while !is_closed.load(Ordering::SeqCst) {
                        runs += 1;
                        let (answered, is_closed) = (Arc::clone(&answered), Arc::clone(&is_closed));
                        let reply = move |answer: vastflow_store::Answer| {
                            let closed = |answer: &Result<_, _>| matches!(answer, Err(StoreError::Closed { .. }));
                            is_closed.fetch_or(answer.iter().any(|(_, one)| closed(one)), Ordering::SeqCst);
                            answered.fetch_add(1, Ordering::SeqCst);
                        };
                        asked.fetch_add(1, Ordering::SeqCst);
                        let start = Story::new(plan(), &format!("w{writer}-{runs}")).start();
                        store.submit(vec![start], Box::new(reply));
                    }
                })
            })
            .collect();
        while answered.load(Ordering::SeqCst) < 10 + round as usize {
            tokio::task::yield_now().await;
        }
        store.close().await.unwrap();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(asked.load(Ordering::SeqCst), answered.load(Ordering::SeqCst), "nobody is left without an answer");
    }
}

/// The tables have failed and are closed, and the log still answers: nobody else may come in before it is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_is_held_until_the_log_has_answered_too() {
    let place = Place::with(Options::default().linger(Duration::ZERO));
    let store = begun(&place).await;
    let holder = hold_tables(&place);
    holder.execute_batch("DROP TABLE journal").unwrap();
    done(&*store, large(0)).await;
    let (said, heard) = std::sync::mpsc::channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let reply = move |_| {
        said.send(()).unwrap();
        let _ = wait.recv();
    };
    store.submit(vec![large(1)], Box::new(reply));
    heard.recv().unwrap();
    holder.execute_batch("COMMIT").unwrap();
    drop(holder);
    while store.counts().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let is_in_use = || {
        let opened = vastflow_sqlite::SqliteStore::open(place.path());
        opened.is_err_and(|error| error.to_string().contains("in use by"))
    };
    for _ in 0..30 {
        assert!(is_in_use(), "the log thread is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    go.send(()).unwrap();
    store.close().await.unwrap_err();
    assert!(!is_in_use(), "both are gone");
}

#[tokio::test]
async fn many_starts_of_finished_ids_are_answered() {
    let place = Place::hasty();
    let store = place.store();
    for n in 0..300 {
        finish(&*store, &format!("r{n}")).await;
    }
    store.close().await.unwrap();
    drop(store);
    let store = place.store();
    let start = |n: usize| Story::new(plan(), &format!("r{n}")).start();
    let (said, heard) = tokio::sync::oneshot::channel();
    store.submit((0..300).map(start).collect(), Box::new(move |answer| drop(said.send(answer))));
    let answer = timeout(Duration::from_secs(120), heard).await.unwrap().unwrap();
    let taken = |answer: &Result<Committed, StoreError>| {
        matches!(answer, Ok(Committed::Conflict { .. } | Committed::Duplicate { .. }))
    };
    assert!(answer.iter().all(|(_, answer)| taken(answer)), "{:?}", answer[0].1);
    assert_eq!(store.counts().await.unwrap().succeeded, 300);
}

#[cfg(unix)]
#[tokio::test]
async fn files_that_are_deleted_under_a_store_stop_it() {
    for file in ["app.db", ".log-"] {
        let place = Place::with(Options::default().look(Duration::ZERO));
        let store = begun(&place).await;
        let name =
            place.files().into_iter().find(|name| if file == ".log-" { name.contains(".log-") } else { name == file });
        std::fs::remove_file(place.path().with_file_name(name.unwrap())).unwrap();
        let error = store.commit(large(0)).await.unwrap_err();
        assert!(error.to_string().contains("was deleted or replaced while it was open"), "{file}: {error}");
    }
}
