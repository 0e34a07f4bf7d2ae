//! Opening again: after any cut, with anything damaged, while somebody else is there.

use crate::keep::{Place, done, finish};
use std::path::{Path, PathBuf};
use vastflow_core::{Seq, Timestamp};
use vastflow_sqlite::SqliteStore;
use vastflow_store::{Claim, Control, RunQuery, Store, StoreError, WorkerId};
use vastflow_testsuite::fixture::{self, Story, attempt, inner, plan, root, wide};

/// How long each journal is, and what waits: all that a cut can take away.
async fn sizes(store: &dyn Store) -> Vec<(String, u64, Control)> {
    let mut sizes = Vec::new();
    for row in store.runs(&RunQuery::default()).await.unwrap().rows {
        let item = store.history(&inner(&row.id, "1"), Seq::ZERO, usize::MAX).await.unwrap().len();
        sizes.push((row.id.to_string(), row.len.0 * 100 + item as u64, row.control.control));
    }
    sizes
}

/// A store whose log holds everything, and what it looked like after each commit.
async fn told() -> (Place, Vec<Vec<(String, u64, Control)>>, SqliteStoreGuard) {
    let place = Place::lazy();
    let store = place.store();
    let mut seen = vec![Vec::new()];
    let mut story = Story::new(wide(4), "r");
    store.put_plan(story.plan.clone()).await.unwrap();
    let mut commits = vec![story.start(), story.finish(attempt(0, 1)), fixture::commit(&inner("r", "1"), 0)];
    let mut hold = story.finish(attempt(1, 1));
    hold.control = Some(Control::Held);
    hold.messages = vec![fixture::message(&inner("r", "1"), 1), fixture::message(&inner("r", "1"), 2)];
    commits.extend([hold, story.finish(attempt(2, 1)), Story::new(wide(4), "s").start(), story.finish(attempt(3, 1))]);
    for commit in commits {
        done(&*store, commit).await;
        seen.push(sizes(&*store).await);
    }
    (place, seen, store)
}

type SqliteStoreGuard = std::sync::Arc<SqliteStore>;

#[tokio::test]
async fn every_cut_of_the_log_leaves_what_was_there_at_some_moment() {
    let (place, seen, _store) = told().await;
    let log = segment(&place);
    let len = frames(&log).last().unwrap() + 5_000;
    let mut reached = std::collections::BTreeSet::new();
    for cut in (0..=len).step_by(4_111).chain([len]) {
        let copy = place.copy();
        let file = std::fs::OpenOptions::new().write(true).open(copy.dir().join(log.file_name().unwrap())).unwrap();
        file.set_len(cut).unwrap();
        let found = sizes(&*copy.store()).await;
        let moment = seen.iter().position(|seen| *seen == found);
        reached.insert(moment.unwrap_or_else(|| panic!("cut at {cut}: {found:?} never was")));
    }
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), (0..seen.len()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_log_and_tables_with_half_of_it_make_a_whole() {
    let (place, seen, store) = told().await;
    let before = place.copy();
    store.close().await.unwrap();
    // The tables have it all, the log beside them is older: nothing is applied twice.
    std::fs::copy(place.path(), before.path()).unwrap();
    assert_eq!(sizes(&*before.store()).await, *seen.last().unwrap());
}

/// A kill between a write and its sync leaves a frame that only the page cache knows; so does a sync that failed.
#[tokio::test]
async fn the_newest_frame_is_written_again_before_anything_is_built_on_it() {
    let (place, seen, _store) = told().await;
    let copy = place.copy();
    let log = segment(&copy);
    let before = std::fs::read(&log).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let reopened = copy.store();
    assert!(
        file.metadata().unwrap().modified().unwrap() > std::time::UNIX_EPOCH,
        "nothing was written, so nothing is safe"
    );
    assert_eq!(std::fs::read(&log).unwrap(), before);
    assert_eq!(sizes(&*reopened).await, *seen.last().unwrap());
}

#[tokio::test]
async fn damage_in_the_log_is_named() {
    let (place, _, _store) = told().await;
    let log = segment(&place);
    let frames = frames(&log);
    let at = |number: usize| usize::try_from(frames[number - 1]).unwrap();
    let content = std::fs::read(&log).unwrap();
    let gone = || [&content[..at(2)], &content[at(3)..]].concat();
    let changed = |at: usize| {
        let mut content = content.clone();
        content[at] ^= 4;
        content
    };
    for (content, words) in [
        (changed(at(4) + 20), "batch 4: it cannot be read"),
        (changed(at(3) + 60), "batch 3: its checksum"),
        (gone(), "batch 2 is missing before batch 3"),
    ] {
        let copy = place.copy();
        std::fs::write(copy.dir().join(log.file_name().unwrap()), content).unwrap();
        let error = SqliteStore::open(copy.path()).unwrap_err();
        assert_eq!(error.code(), "store-corrupt", "{error}");
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("app.db.log-1"), "{text}");
    }
}

/// The next segment is made when all before it is synced, so the end of the one before cannot be torn.
#[tokio::test]
async fn damage_at_the_end_of_a_segment_is_named_if_there_is_a_later_one() {
    let (place, seen, _store) = told().await;
    let log = segment(&place);
    let frames = frames(&log);
    std::fs::write(place.dir().join(format!("app.db.log-{}", frames.len() + 1)), []).unwrap();
    assert_eq!(sizes(&*place.copy().store()).await, *seen.last().unwrap());
    let mut content = std::fs::read(&log).unwrap();
    let newest = usize::try_from(*frames.last().unwrap()).unwrap();
    for at in [newest + 20, newest + 60] {
        content[at] ^= 4;
        let copy = place.copy();
        std::fs::write(copy.dir().join(log.file_name().unwrap()), &content).unwrap();
        let error = SqliteStore::open(copy.path()).unwrap_err();
        let (code, text) = (error.code(), error.to_string());
        let words = format!("batch {} is missing before batch {}", frames.len(), frames.len() + 1);
        assert!(code == "store-corrupt" && text.contains(&words) && text.contains("app.db.log-"), "{text}");
    }
}

#[tokio::test]
async fn a_log_of_a_newer_build_is_refused() {
    let (place, _, _store) = told().await;
    let log = segment(&place);
    for at in frames(&log) {
        let copy = place.copy();
        let mut content = std::fs::read(&log).unwrap();
        content[usize::try_from(at).unwrap() + 3] = 2;
        std::fs::write(copy.dir().join(log.file_name().unwrap()), content).unwrap();
        refused(&copy, "the log has format version 2, this build reads up to 1");
    }
}

/// Tables that were removed, and tables that were put back from somewhere else.
#[tokio::test]
async fn a_log_of_another_store_is_refused() {
    let (place, seen, _store) = told().await;
    let (whole, bare) = (place.copy(), place.copy());
    let tables = || whole.files().into_iter().filter(|file| !file.contains(".log-"));
    tables().for_each(|file| std::fs::remove_file(bare.dir().join(file)).unwrap());
    let other = Place::new();
    drop(other.store());
    std::fs::copy(segment(&place), other.dir().join("app.db.log-1")).unwrap();
    for place in [&bare, &other] {
        refused(place, "app.db.log-1: this log belongs to another store");
        refused(place, "move the log files to another folder");
    }
    std::fs::remove_file(segment(&other)).unwrap();
    assert_eq!(sizes(&*other.store()).await, []);
    // It was not touched: with its own tables it is whole.
    for file in tables() {
        std::fs::copy(whole.dir().join(&file), bare.dir().join(&file)).unwrap();
    }
    assert_eq!(sizes(&*bare.store()).await, *seen.last().unwrap());
}

/// What the tables have not synced may be gone after a power cut; but the log is theirs, and whole.
#[tokio::test]
async fn new_tables_know_their_log_without_what_they_have_not_synced() {
    let (place, seen, _store) = told().await;
    let copy = place.copy();
    for file in copy.files().iter().filter(|file| file.ends_with("-wal") || file.ends_with("-shm")) {
        std::fs::remove_file(copy.dir().join(file)).unwrap();
    }
    assert_eq!(sizes(&*copy.store()).await, *seen.last().unwrap());
}

#[tokio::test]
async fn a_segment_that_is_written_over_ends_where_it_was_written() {
    let (mut place, seen, store) = told().await;
    // A block more, to know it by its length.
    let log = [std::fs::read(segment(&place)).unwrap(), vec![0; 4096]].concat();
    store.close().await.unwrap();
    // Each batch gets a segment of its own.
    place.options = place.options.segment(1);
    let store = place.store();
    // What an older segment left: whole frames, of other batches.
    std::fs::write(place.dir().join("app.db.log-spare"), &log).unwrap();
    store.put_plan(wide(9)).await.unwrap();
    store.put_plan(wide(8)).await.unwrap();
    let copy = place.copy();
    let is_it = |file: &String| std::fs::metadata(copy.dir().join(file)).unwrap().len() == log.len() as u64;
    assert!(copy.files().iter().any(is_it), "it was not written over");
    let reopened = copy.store();
    assert_eq!(sizes(&*reopened).await, *seen.last().unwrap());
    assert_eq!(reopened.plans().await.unwrap().len(), store.plans().await.unwrap().len());
}

/// It could hold frames that pass for those of the segment that is written over it.
#[tokio::test]
async fn a_spare_segment_that_was_left_behind_is_not_written_over() {
    let (place, _, _store) = told().await;
    let fresh = Place::lazy();
    std::fs::copy(segment(&place), fresh.dir().join("app.db.log-spare")).unwrap();
    let store = fresh.store();
    store.put_plan(wide(9)).await.unwrap();
    let copy = fresh.copy();
    let reopened = copy.store();
    assert_eq!(sizes(&*reopened).await, []);
    assert_eq!(reopened.plans().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_log_of_an_early_build_is_refused() {
    let place = Place::new();
    drop(place.store());
    std::fs::write(place.dir().join("app.db.log-7"), b"SQLite format 3\0 and so on").unwrap();
    refused(&place, "early build");
}

/// The one segment of a store.
fn segment(place: &Place) -> PathBuf {
    place.dir().join(place.files().iter().find(|file| file.contains(".log-")).unwrap())
}

/// Where the frames of a segment begin.
fn frames(segment: &Path) -> Vec<u64> {
    let content = std::fs::read(segment).unwrap();
    (0..).zip(content.chunks(4096)).filter(|(_, block)| block.starts_with(b"vfl")).map(|(at, _)| at * 4096).collect()
}

#[tokio::test]
async fn what_is_not_ours_is_refused() {
    let place = Place::new();
    std::fs::write(place.path(), "this is no database, it is a text of some length that is longer than its header")
        .unwrap();
    refused(&place, "is not a SQLite database");
    std::fs::remove_file(place.path()).unwrap();
    rusqlite::Connection::open(place.path()).unwrap().execute_batch("CREATE TABLE t(a)").unwrap();
    refused(&place, "is a SQLite database of something else");
    assert_eq!(place.files(), ["app.db"], "nothing is left beside what is not ours");
    let place = Place::new();
    drop(place.store());
    let tables = rusqlite::Connection::open(place.path()).unwrap();
    tables.execute("UPDATE meta SET value = 9 WHERE key = 'format'", []).unwrap();
    drop(tables);
    refused(&place, "has format version 9, this build knows 2");
}

#[tokio::test]
async fn a_store_whose_first_page_is_damaged_is_not_taken_for_something_else() {
    for (at, code) in [(0, "store-refused"), (100, "store-corrupt"), (8_000, "store-corrupt")] {
        let place = Place::new();
        finish(&*place.store(), "r").await;
        let mut bytes = std::fs::read(place.path()).unwrap();
        bytes[at..at + 90].fill(0x5a);
        std::fs::write(place.path(), bytes).unwrap();
        let error = SqliteStore::open(place.path()).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), code, "at {at}: {text}");
        assert!(!text.contains("something else"), "at {at}: {text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_in_which_nothing_can_be_made_is_told() {
    let error = SqliteStore::open("/proc/x.db").unwrap_err().to_string();
    assert!(error.contains("no file can be made in \"/proc\"") && error.contains("another folder"), "{error}");
    let error = SqliteStore::open("/no-such-folder/x.db").unwrap_err().to_string();
    assert!(error.contains("there is no folder \"/no-such-folder\""), "{error}");
}

/// A page of the history of a finished run costs what the page costs: what stands behind it is not even looked at.
#[tokio::test]
async fn a_page_of_a_finished_run_is_read_without_the_rest() {
    let place = Place::lazy();
    finish(&*place.store(), "r").await;
    let whole = {
        let store = place.store();
        let whole = store.history(&root("r"), Seq::ZERO, usize::MAX).await.unwrap();
        for after in 0..=whole.len() {
            for limit in 0..4 {
                let page = store.history(&root("r"), Seq(after as u64), limit).await.unwrap();
                assert_eq!(page, whole[after..whole.len().min(after + limit)], "{limit} after {after}");
            }
        }
        whole
    };
    let tables = rusqlite::Connection::open(place.path()).unwrap();
    tables.execute("UPDATE journal SET events = CAST(events || x'05000000ffffffffff' AS BLOB)", []).unwrap();
    drop(tables);
    let store = place.store();
    let page = store.history(&root("r"), Seq::ZERO, whole.len() - 1).await;
    assert_eq!(page.unwrap(), whole[..whole.len() - 1]);
    assert_eq!(store.history(&root("r"), Seq::ZERO, usize::MAX).await.unwrap_err().code(), "store-corrupt");
}

fn refused(place: &Place, words: &str) {
    match SqliteStore::open(place.path()) {
        Err(StoreError::Refused(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_store_in_use_is_refused_until_it_is_closed() {
    let place = Place::new();
    let store = place.store();
    refused(&place, &format!("in use by process {}", std::process::id()));
    store.close().await.unwrap();
    let second = place.store();
    assert!(matches!(store.counts().await, Err(StoreError::Closed { .. })));
    finish(&*second, "r").await;
}

#[tokio::test]
async fn after_a_close_only_the_tables_remain() {
    let place = Place::hasty();
    let store = place.store();
    for run in 0..50 {
        finish(&*store, &format!("r{run}")).await;
    }
    store.close().await.unwrap();
    assert_eq!(place.files(), ["app.db", "app.db.lock"]);
    drop(store);
    // And again when it is dropped without a word.
    finish(&*place.store(), "last").await;
    assert_eq!(place.files(), ["app.db", "app.db.lock"]);
    assert_eq!(place.store().counts().await.unwrap().succeeded, 51);
}

/// The inbox, over a kill and over a close: what waits is delivered, in order, and nothing twice.
#[tokio::test]
async fn messages_and_the_control_word_survive_a_kill() {
    let (place, _, _store) = told().await;
    let copy = place.copy();
    for _ in 0..2 {
        let store = copy.store();
        let row = store.run(root("r").run()).await.unwrap().unwrap();
        assert_eq!((row.control.control, row.control.revision), (Control::Held, 1));
        let waits = store.tasks(&inner("r", "1")).await.unwrap();
        assert_eq!(waits.len(), 1, "{waits:?}");
        let ask = Claim::new(WorkerId(1), 0, fixture::LEASE, Timestamp::from_millis(1));
        assert!(store.claim(ask).await.unwrap().tasks.is_empty(), "the run is held");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_id_stays_taken_whatever_the_order_of_ends() {
    let place = Place::hasty();
    let store = place.store();
    for run in ["b", "a", "c"] {
        finish(&*store, run).await;
    }
    for _ in 0..2 {
        let again = (&*store as &dyn Store).commit(Story::new(plan(), "a").start()).await.unwrap();
        assert_eq!(again, vastflow_store::Committed::Conflict { len: Seq(5) });
    }
    assert_eq!(store.counts().await.unwrap().succeeded, 3);
}

#[tokio::test]
async fn a_text_that_is_none_is_damage_and_not_a_passing_trouble() {
    let place = Place::new();
    finish(&*place.store(), "r").await;
    let tables = rusqlite::Connection::open(place.path()).unwrap();
    tables.execute("UPDATE runs SET id = CAST(x'ff' AS TEXT)", []).unwrap();
    drop(tables);
    let error = SqliteStore::open(place.path()).unwrap_err();
    assert_eq!(error.code(), "store-corrupt", "{error}");
    assert!(!error.is_transient());
}
