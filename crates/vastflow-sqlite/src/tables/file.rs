//! The file of the tables: made, checked, opened.

use crate::fail;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;
use std::time::Duration;
use vastflow_store::{Counts, StoreError};

const SCHEMA: &str = include_str!("schema.sql");
/// The version of the schema.
const FORMAT: i64 = 2;

/// How long to wait before the tables are asked again, when somebody else holds them.
const PAUSE: Duration = Duration::from_millis(5);
/// How many such waits are a second.
const SECOND: i32 = 200;

/// The tables, open, and where they stand.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    /// What the frames of its log name.
    pub(crate) id: u64,
    pub(crate) watermark: u64,
    /// How many finished runs there are.
    pub(crate) finished: Counts,
}

/// Opens the tables at `path`, and makes them if there are none.
pub(crate) fn open(path: &Path) -> Result<Opened, StoreError> {
    let wrap = |why| fail::sqlite("opening", path, why);
    let mut connection = Connection::open(path).map_err(wrap)?;
    settle(&mut connection).map_err(wrap)?;
    let is_new = count(&connection, "SELECT count(*) FROM sqlite_schema").map_err(wrap)? == Some(0);
    if is_new {
        connection.execute_batch(&format!("BEGIN;{SCHEMA}COMMIT;")).map_err(wrap)?;
    } else {
        check(&connection, path)?;
    }
    let meta = |key: &str| {
        let found = count(&connection, &format!("SELECT value FROM meta WHERE key = '{key}'")).map_err(wrap)?;
        let missing = || StoreError::corrupt(format!("{}: table meta has no {key}", path.display()));
        found.map(i64::cast_unsigned).ok_or_else(missing)
    };
    let finished = Counts {
        succeeded: meta("succeeded")?,
        failed: meta("failed")?,
        stopped: meta("stopped")?,
        ..Counts::default()
    };
    let (id, watermark) = (meta("id")?, meta("watermark")?);
    if watermark == 0 {
        // New, or made by a process that came no further. The id must not be lost in a power cut when the log names it:
        // a checkpoint syncs it. The directory is synced when the first segment is made.
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(wrap)?;
    }
    Ok(Opened { connection, id, watermark, finished })
}

fn settle(connection: &mut Connection) -> rusqlite::Result<()> {
    // Until it is open, one that holds it for long is an error.
    connection.busy_handler(Some(|tries: i32| {
        if tries == SECOND {
            tracing::warn!("another process holds the tables; the opening waits for it, up to 5 s");
        }
        std::thread::sleep(PAUSE);
        tries < 5 * SECOND
    }))?;
    keep_plans(connection)?;
    connection.pragma_update(None, "page_size", 8192)?;
    wal(connection)?;
    // The log is the truth until the watermark is durable, see `make_durable`.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", -32 * 1024)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Somebody may look at the tables, or hold them for a moment: that must not stop the engine.
    connection.busy_handler(Some(|tries: i32| {
        if tries % (10 * SECOND) == SECOND {
            tracing::warn!(
                "another process holds a write transaction on the tables; commits slow down, and a shutdown waits, until it \
                 ends"
            );
        }
        std::thread::sleep(PAUSE);
        true
    }))
}

/// Switches to a write-ahead log: without one the tables could not be read while they are written.
fn wal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| {
        let mode: String = row.get(0)?;
        if mode == "wal" { Ok(()) } else { Err(rusqlite::Error::InvalidQuery) }
    })
}

/// Statements stay compiled. Without this, SQLite as it is bundled compiles each anew whenever it gets new values.
pub(crate) fn keep_plans(connection: &Connection) -> rusqlite::Result<bool> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
}

fn count(connection: &Connection, sql: &str) -> rusqlite::Result<Option<i64>> {
    connection.query_row(sql, [], |row| row.get(0)).optional()
}

/// Whether the tables are ours, and of a version that is known.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let at = path.display();
    match count(connection, "SELECT value FROM meta WHERE key = 'format'") {
        Ok(Some(FORMAT)) => Ok(()),
        Ok(Some(format)) => Err(StoreError::Refused(format!(
            "the store {at} has format version {format}, this build knows {FORMAT}: open it with the build that wrote \
             it"
        ))),
        Ok(None) => Err(of_something_else(path)),
        Err(why) if has_no_meta(&why) => Err(of_something_else(path)),
        Err(why) => Err(fail::sqlite("opening", path, why)),
    }
}

fn of_something_else(path: &Path) -> StoreError {
    StoreError::Refused(format!(
        "{} is a SQLite database of something else; give the path of a new file or of a vastflow store",
        path.display()
    ))
}

/// Whether the database is whole, and just has no such table as ours. A damaged one says so with another code.
fn has_no_meta(why: &rusqlite::Error) -> bool {
    why.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_ERROR)
}

/// Syncs what was committed: the next thing may be the deletion of what it was made from.
pub(crate) fn make_durable(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // A commit that changes a page syncs the write-ahead log with all that is in it. It has to change something: SQLite
    // skips a write of what is there already, and with it the sync.
    connection.execute(
        "INSERT INTO meta(key, value) VALUES ('syncs', 1) ON CONFLICT(key) DO UPDATE SET value = value + 1",
        [],
    )?;
    connection.pragma_update(None, "synchronous", "NORMAL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn making_durable_writes_each_time_so_that_there_is_a_commit_to_sync() {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(dir.path().join("a.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID").unwrap();
        let log = || std::fs::metadata(dir.path().join("a.db-wal")).unwrap().len();
        for _ in 0..3 {
            let before = log();
            make_durable(&connection).unwrap();
            assert!(log() > before, "nothing was written, so nothing was synced");
        }
    }
}
