//! Where the stores of these tests are kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use vastflow_sqlite::{Options, SqliteStore};
use vastflow_store::{Commit, Committed, Store};
use vastflow_testsuite::Harness;
use vastflow_testsuite::fixture::{Story, attempt, plan};

/// A place for one store.
pub(crate) struct Place {
    dir: TempDir,
    pub(crate) options: Options,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place { dir: tempfile::tempdir().unwrap(), options: Options::default() }
    }

    pub(crate) fn with(options: Options) -> Self {
        Place { options, ..Place::new() }
    }

    /// A place whose tables follow at once and whose segments are small.
    pub(crate) fn hasty() -> Self {
        Place::with(Options::default().linger(Duration::ZERO).portion(1).segment(300_000))
    }

    /// A place whose tables do not follow until the store is closed.
    pub(crate) fn lazy() -> Self {
        Place::with(Options::default().linger(Duration::from_secs(3_600)))
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("app.db")
    }

    pub(crate) fn store(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open_with(self.path(), self.options).unwrap())
    }

    /// The files of the store, without the directory's name.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort_unstable();
        files
    }

    /// The files as they are now, elsewhere: what a kill at this moment would leave.
    pub(crate) fn copy(&self) -> Place {
        let copy = Place::with(self.options);
        for file in self.files() {
            // A segment may go while it is copied, as it may go before a kill.
            let _ = std::fs::copy(self.dir.path().join(&file), copy.dir.path().join(&file));
        }
        copy
    }
}

#[async_trait::async_trait]
impl Harness for Place {
    async fn open(&self) -> Arc<dyn Store> {
        self.store()
    }
}

/// What a test keeps of a run: it goes on without claims, as a client with a strong will would.
pub(crate) async fn finish(store: &dyn Store, run: &str) {
    let mut story = Story::new(plan(), run);
    store.put_plan(Arc::clone(&story.plan)).await.unwrap();
    done(store, story.start()).await;
    for node in 0..3 {
        done(store, story.finish(attempt(node, 1))).await;
    }
}

pub(crate) async fn done(store: &dyn Store, commit: Commit) {
    let answer = store.commit(commit).await.unwrap();
    assert!(matches!(answer, Committed::Done { .. }), "{answer:?}");
}

/// A connection that keeps the tables from following until it is dropped.
pub(crate) fn hold_tables(place: &Place) -> rusqlite::Connection {
    let holder = rusqlite::Connection::open(place.path()).unwrap();
    holder.busy_timeout(Duration::from_secs(10)).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    holder
}
