//! One segment of the log: a SQLite database with one table, of which only the write-ahead log ever grows.

use crate::{fail, lock};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use vastflow_store::StoreError;

const PAGE: u64 = 16 * 1024;
/// The size of the header of a write-ahead log.
const WAL_HEADER: usize = 32;

/// A segment that is not written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) path: PathBuf,
    /// The place of its last batch.
    pub(crate) last: u64,
}

impl Passed {
    /// Removes its files, but for what the next segment can write over: syncing a file that does not grow takes about
    /// two thirds of the time.
    pub(crate) fn recycle(&self, store: &Path) {
        // The database goes first, because a write-ahead log without one is known to be a leftover.
        let _ = fs::remove_file(&self.path);
        let spare = spare(store);
        if !spare.exists() {
            // Best effort: without a spare the next segment begins with an empty file.
            let _ = blank(&wal_path(&self.path)).and_then(|()| fs::rename(wal_path(&self.path), spare));
        }
        remove(&self.path);
    }
}

fn wal_path(segment: &Path) -> PathBuf {
    lock::beside(segment, "-wal")
}

fn spare(store: &Path) -> PathBuf {
    lock::beside(store, ".log-spare")
}

/// Removes what was kept to be written over.
pub(crate) fn remove_spare(store: &Path) {
    let _ = fs::remove_file(spare(store));
}

/// Takes the header off a write-ahead log. SQLite then sees an empty one and begins it anew, with new salts by which
/// it tells its own frames from what stood there before.
fn blank(wal: &Path) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(wal)?;
    file.write_all(&[0; WAL_HEADER])?;
    file.sync_data()
}

/// The segment that is being written.
pub(crate) struct Segment {
    connection: Connection,
    path: PathBuf,
    last: u64,
    written: u64,
}

impl Segment {
    /// A new segment for the batches from `first` on. A segment of this name can only be one in which nothing was
    /// written before a crash.
    pub(crate) fn create(store: &Path, first: u64, max_pages: Option<u32>) -> Result<Self, StoreError> {
        let path = lock::beside(store, &format!(".log-{first}"));
        remove(&path);
        let wrap = |why| fail::sqlite("creating", &path, why);
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        connection.pragma_update(None, "page_size", PAGE.cast_signed()).map_err(wrap)?;
        wal(&connection).map_err(wrap)?;
        if spare(store).exists() {
            // SQLite must not have the log open while it is exchanged. If it cannot be, the empty one does as well.
            drop(connection);
            let _ = fs::rename(spare(store), wal_path(&path));
            connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        }
        prepare(&connection, max_pages).map_err(wrap)?;
        Ok(Segment { connection, path, last: first.saturating_sub(1), written: 0 })
    }

    /// Appends a batch; it is durable when this returns.
    pub(crate) fn append(&mut self, seq: u64, blob: &[u8]) -> Result<(), StoreError> {
        let insert = || {
            let mut insert = self.connection.prepare_cached("INSERT INTO log(seq, data) VALUES (?1, ?2)")?;
            insert.execute((seq.cast_signed(), blob))
        };
        insert().map_err(|why| fail::sqlite("writing to", &self.path, why))?;
        self.last = seq;
        // The page that is being filled is written again by each commit.
        self.written += (blob.len() as u64 / PAGE + 1) * PAGE;
        Ok(())
    }

    /// The bytes that were written to disk.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// The place of the last batch in it.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// The segment as one that is not written any more.
    pub(crate) fn pass(self) -> Passed {
        Passed { path: self.path, last: self.last }
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|why| fail::sqlite("opening", path, why))?;
    let set = || {
        // It is deleted later: moving its content into the database file would be wasted.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        keep_plans(&connection)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")
    };
    set().map_err(|why| fail::sqlite("opening", path, why))?;
    Ok(connection)
}

fn prepare(connection: &Connection, max_pages: Option<u32>) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.execute_batch("CREATE TABLE log(seq INTEGER PRIMARY KEY, data BLOB NOT NULL)")?;
    if let Some(pages) = max_pages {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}

/// Switches to a write-ahead log: without one a commit is worth less than this store says.
pub(crate) fn wal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| {
        let mode: String = row.get(0)?;
        if mode == "wal" { Ok(()) } else { Err(rusqlite::Error::InvalidQuery) }
    })
}

/// Statements stay compiled. Without this, SQLite as it is bundled compiles each anew whenever it gets new values.
pub(crate) fn keep_plans(connection: &Connection) -> rusqlite::Result<bool> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
}

fn remove(path: &Path) {
    // Best effort: what stays is removed at the next opening, and is never read again.
    let _ = fs::remove_file(path);
    let _ = fs::remove_file(wal_path(path));
    let _ = fs::remove_file(lock::beside(path, "-shm"));
}

/// Calls `each` with every batch after `watermark`, in order; gives the segments that hold them.
pub(crate) fn read_tail(
    store: &Path,
    watermark: u64,
    mut each: impl FnMut(u64, Vec<u8>) -> Result<(), StoreError>,
) -> Result<Vec<Passed>, StoreError> {
    let mut passed = Vec::new();
    let mut last = watermark;
    for (first, path) in find(store)? {
        let before = last;
        read(&path, before, |seq, blob| {
            if seq != last + 1 {
                return Err(StoreError::corrupt(format!("batch {} is missing before batch {seq}", last + 1)));
            }
            last = seq;
            each(seq, blob)
        })
        .map_err(|why| at(why, &path))?;
        if last == before && first > last {
            // Nothing was ever written to it, and the next segment will have its name.
            remove(&path);
        } else {
            passed.push(Passed { path, last });
        }
    }
    Ok(passed)
}

/// Names the file in an error that has been told about a row.
fn at(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Corrupt { why, source } => {
            StoreError::Corrupt { why: format!("{}: {why}", path.display()), source }
        }
        other => other,
    }
}

fn read(
    path: &Path,
    watermark: u64,
    mut each: impl FnMut(u64, Vec<u8>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let wrap = |why| fail::sqlite("reading", path, why);
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let has_table = "SELECT 1 FROM sqlite_schema WHERE name = 'log'";
    // A crash between the creation of the file and that of the table leaves a segment in which nothing was written.
    if connection.query_row(has_table, [], |_| Ok(())).optional().map_err(wrap)?.is_none() {
        return Ok(());
    }
    let mut select = connection.prepare("SELECT seq, data FROM log WHERE seq > ?1 ORDER BY seq").map_err(wrap)?;
    let mut rows = select.query([watermark.cast_signed()]).map_err(wrap)?;
    while let Some(row) = rows.next().map_err(wrap)? {
        let seq = row.get::<_, i64>(0).map_err(wrap)?.cast_unsigned();
        each(seq, row.get(1).map_err(wrap)?)?;
    }
    Ok(())
}

/// The segments of a store, oldest first. Leftovers of deleted ones are removed.
fn find(store: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let dir = store.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = lock::beside(Path::new(store.file_name().unwrap_or_default()), ".log-");
    let prefix = prefix.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|why| fail::io("listing", dir, why))? {
        let path = entry.map_err(|why| fail::io("listing", dir, why))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(&prefix) else { continue };
        if let Ok(first) = rest.parse() {
            found.push((first, path));
        } else if let Some((first, _)) = rest.split_once('-').filter(|(first, _)| first.parse::<u64>().is_ok()) {
            let database = lock::beside(store, &format!(".log-{first}"));
            if !database.exists() {
                remove(&database);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
