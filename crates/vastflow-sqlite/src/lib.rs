//! The embedded store of vastflow: durable workflows without a server, in one file that people can read.
//!
//! One process holds every unfinished run, so memory is the truth while it runs, and the disk has to remember, not to
//! answer. Inside are three things, and data flows from left to right:
//!
//! ```text
//!  submit ─▶ Ledger (memory) ─▶ log: one write a sync ─▶ answer
//!                                        └──── the same bytes ─▶ tables, a moment later ─▶ people, lists, old runs
//! ```
//!
//! - The **ledger** of `vastflow-store` decides every commit, under one short lock and without I/O.
//! - The **log** thread writes all commits that are waiting in one go, with a checksum, and syncs: while one sync runs,
//!   the next batch gathers. Then it answers. Nothing is shown by any method before it is durable.
//! - The **tables** thread follows, many batches a transaction. What it has written is dropped from the log, and
//!   finished runs that it has written are dropped from memory; later questions about those are answered from the
//!   tables. When it lags by 64 MiB, answers slow down until it has caught up.
//!
//! An acknowledged commit survives the death of the process and a power cut: it was synced (`fdatasync`). After a failed write or sync the store stops, answers
//! [`Closed`](vastflow_store::StoreError::Closed) to all that was in flight, and has to be opened again.
//!
//! # Files
//!
//! | file | what it is |
//! |---|---|
//! | `app.db` | the tables: a SQLite database, the one file to keep and to copy (when the store is closed) |
//! | `app.db-wal`, `app.db-shm` | SQLite's own, while it is open |
//! | `app.db.log-<n>` | segments of the log, about 16 MiB each, private; gone after a clean close |
//! | `app.db.log-spare` | a file that the next segment writes over |
//! | `app.db.lock` | locked while a process has the store open; says which |
//!
//! A store belongs to one process at a time: opening it a second time is
//! [`Refused`](vastflow_store::StoreError::Refused), and the text says who has it. [`SqliteReader`] looks at its tables
//! meanwhile.
//!
//! # Looking at the tables
//!
//! `sqlite3 app.db` works while the engine runs: statuses are words, JSON payloads are text, `run_list` shows the latest
//! runs first, `journal.what` says what happened to them. This is the whole schema:
//!
//! ```sql
#![doc = include_str!("tables/schema.sql")]
//! ```
//!
//! # Example
//!
//! ```
//! use vastflow_sqlite::SqliteStore;
//! use vastflow_store::Store;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), vastflow_store::StoreError> {
//! # let dir = tempfile::tempdir().unwrap();
//! let store = SqliteStore::open(dir.path().join("app.db"))?;
//! assert_eq!(store.counts().await?.unfinished(), 0);
//! let refused = SqliteStore::open(dir.path().join("app.db")).unwrap_err();
//! assert!(refused.to_string().contains("in use by process"));
//! store.close().await?;
//! # Ok(()) }
//! ```
//!
//! **Absent:** any rule about what a commit may do (that is the ledger's), retries, a second process, any
//! type of the SQLite driver in the public interface.
//!
//! Start reading at `submit.rs`, then `log/mod.rs`, `tables/mod.rs` and `recover.rs`.

mod backlog;
mod batch;
mod fail;
mod lock;
mod log;
mod options;
mod past;
mod reader;
mod record;
mod recover;
mod row;
mod scopes;
mod seam;
mod shared;
mod store;
mod submit;
mod suspects;
mod tables;
mod wake;
mod whole;

#[doc(hidden)]
pub use options::Options;
pub use reader::SqliteReader;
pub use store::SqliteStore;
