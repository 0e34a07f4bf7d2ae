//! The PostgreSQL store of vastflow: a fleet of workers on one database, PostgreSQL 15 or later.
//!
//! What must become true together is one transaction of the server. A whole batch of commits is **one round trip**: one
//! call of a function that takes it as arrays. Most batches concern runs that nobody else is at: for those the function only
//! writes, and what it writes to tells whether all is as it was expected. If it is not, nothing happens, and a second
//! function looks: it locks the heads of the journals in the order of their names, decides of each element whether it is
//! done, a repetition, a conflict or fenced, and writes what the done ones say.
//!
//! ```text
//!  submit ─▶ gathers while two batches are on their way ─▶ commit_plain_1(arrays), or commit_2 ─▶ answers
//!  claim  ─▶ claim_1: what is ripe, FOR UPDATE SKIP LOCKED ─▶ tasks
//!  NOTIFY ◀─ at most every few ms ─▶ LISTEN ─▶ hints; without hints, a look every 250 ms
//! ```
//!
//! # What an acknowledged commit is worth
//!
//! As much as a `COMMIT` of that server: with its defaults (`fsync` and `synchronous_commit` on) it survives the death of
//! the worker, of the server's processes and of its machine. With synchronous standbys it survives the loss of the disk,
//! too. With `synchronous_commit = off` for the user, or `fsync = off`, a crash may take back what was acknowledged; the
//! store says so in a warning when it is opened and in its [`Capabilities`](vastflow_store::Capabilities), and goes on. Signs of life, and claims that give nothing, never wait for
//! the disk: nothing is promised by them. Claims that hand out tasks do, because a claim token must never be given twice.
//!
//! An answer that was lost ([`Unavailable`](vastflow_store::StoreError::Unavailable)) says nothing about the commit;
//! sending it again is safe, and engines do.
//!
//! # Options
//!
//! All that is needed is a URL: `postgres://app@db.example/app?sslmode=verify-full`. [`Options`] has the rest.
//!
//! | option | also in the URL | what it is for |
//! |---|---|---|
//! | [`schema`](Options::schema) | `schema=orders` | where the tables are; several stores in one database |
//! | [`connections`](Options::connections) | | the most connections of this process, besides the one that listens |
//! | [`writers`](Options::writers) | | batches on their way at once |
//! | [`transaction_pooling`](Options::transaction_pooling) | `pgbouncer=true` | the server is behind PgBouncer in transaction mode |
//! | [`migrate`](Options::migrate) | | whether opening may change the tables |
//! | [`poll`](Options::poll) | | how often to look for work while nobody tells of it |
//! | [`statement_timeout`](Options::statement_timeout), [`lock_timeout`](Options::lock_timeout) | | how long the server may take |
//! | | `sslmode`, `sslrootcert` | as with libpq: `disable`, `prefer`, `require`, `verify-full`; whom to trust |
//!
//! Connections that break are made again, the listening one too, and after each return of it everything is looked at
//! once. An engine goes on by itself when the server is back.
//!
//! # Leases
//!
//! The server's clock judges them (`clock_timestamp()`), and only by time in which the store was at work: after a gap in
//! which nobody was heard of for half a lease or more, because the server stood still or was away, leases that had not
//! ended before it are counted anew, once. So a server that was stopped for ten seconds does not make everybody look
//! dead; a worker that really died in such a gap is given up one lease later.
//!
//! # Errors
//!
//! What people can do something about has a code of its own at the end of its text, that stays the same:
//! `postgres-url`, `postgres-schema-name`, `postgres-version`, `postgres-encoding`, `postgres-permission`,
//! `postgres-login`, `postgres-no-database`, `postgres-read-only` (a standby), `postgres-disk-full`,
//! `postgres-out-of-memory`, `postgres-too-many-connections`, `postgres-statement-timeout`, `postgres-lock-timeout`,
//! `postgres-restarting`, `postgres-tls`, `postgres-root-cert`, `postgres-old-tables`, `postgres-newer-tables` (a newer
//! version made them), `postgres-other-tables`, `postgres-tables-missing`, `postgres-pool`.
//!
//! # Tables
//!
//! The views are for people: `SELECT * FROM vastflow.run_list LIMIT 20` shows the latest runs, `vastflow.queue` what is to
//! be done. Below them:
//!
//! | table | one row | grows with |
//! |---|---|---|
//! | `plan` | a plan, by hash | flows |
//! | `run` | what lists show of a run | runs, until they are deleted |
//! | `scope` | the head of a journal: its length, and of a root the control word | runs and scopes |
//! | `journal` | what one commit recorded; partitions of 4 million keys | events, until their runs are deleted |
//! | `task` | something to be done; gone when it is done | work under way, no more |
//! | `inbox` | a message that waits | work under way |
//! | `worker`, `stranger`, `pulse`, `incident`, `bucket` | a worker; a lane with a rate | the fleet |
//! | `migration`, `journal_part` | a migration, a partition | versions |
//!
//! `task` is narrow and short: a chain that a worker keeps never enters the index of what can be claimed. The head of a
//! journal is updated in place (HOT: no index has a column that changes, and pages have room). A partition of the journal
//! is dropped when all its runs were deleted and the next partition is in use.
//!
//! Migrations come with the program, run once each under an advisory lock, and only add or take away what nothing uses
//! that may still run; their checksums are compared at every opening. Functions have a number (`commit_2`), so that two
//! versions of a program can work side by side.
//!
//! # In the user's transaction
//!
//! [`PostgresStore::commit_in`] makes the start of a run part of a transaction on the user's own tables.
//!
//! **Absent:** any rule that the ledger of `vastflow-store` does not have, any reading of events, work on a thread of the
//! user's.
//!
//! Start reading at `migrations/0004_plain.sql`, then `submit.rs`, `plain.rs`, `batch.rs` and `work.rs`.

mod arrays;
mod batch;
mod connect;
mod fail;
mod hints;
mod line;
mod migrate;
mod options;
mod plain;
mod read;
mod runtime;
mod seam;
mod shared;
mod store;
mod submit;
mod task;
mod tls;
mod transaction;
mod upkeep;
mod waves;
mod work;

pub use options::Options;
pub use store::PostgresStore;
/// The driver, for [`PostgresStore::commit_in`].
pub use tokio_postgres;
