//! The Redis store of vastflow: a fleet of processes that share their runs on one Redis or Valkey server.
//!
//! ```text
//!  submit ─▶ outbox ─▶ one script a step ─▶ server: decides, writes, answers
//!             what waits goes together         └──── its append-only file
//! ```
//!
//! - **A step is a script.** A whole batch of commits is one call, and so is a claim. The scripts (`src/lua`) say in Lua
//!   what the `Ledger` of `vastflow-store` says in Rust. They read and decide first and write last, so whatever goes
//!   wrong while they decide leaves nothing half written. Their arguments travel under their names in one blob.
//! - **The server's clock counts**: leases, timers, deadlines. A worker's clock is never asked.
//! - **Everything is made again**: the connection, the subscription to hints, the scripts, when the server forgot them.
//!   A call that was not answered is [`Unavailable`](vastflow_store::StoreError::Unavailable); repeating it is safe,
//!   because a commit is known by its name.
//!
//! # What an acknowledged commit is worth
//!
//! It is what the server is set up for, and [`capabilities`](vastflow_store::Store::capabilities) says which:
//!
//! | server | level | what loses it |
//! |---|---|---|
//! | `appendonly yes`, `appendfsync always` | `Synced` | the loss of the disk |
//! | `appendonly yes`, `appendfsync everysec` (or a hosted server that does not tell) | `Lagging` | a crash or power cut of the server within about two seconds after it. The death of any worker never does |
//! | `appendfsync no`, or no append-only file | `Server` | any end of the server or its machine; refused unless [`at_least`](RedisOptions::at_least) allows it |
//!
//! A fail-over to a replica loses what the replica did not have yet, at every level: replication is not waited for. When
//! the server is found to be further back than it was, or to be another, the store says so: the log counts the steps
//! that were lost, and a store whose keys are gone altogether answers
//! [`Corrupt`](vastflow_store::StoreError::Corrupt).
//!
//! # The server
//!
//! Redis 6.2 or later, or Valkey; a server of its own or a database of one (`/3` in the URL), not a cluster. When the
//! store is opened it looks at the server and refuses one that would lose or mix up runs, with what to set: its
//! `maxmemory-policy` must be `noeviction`, it must not be a replica, and its durability must be what is asked for. A
//! server that is full answers commits with an error that says so, and takes them again when there is room.
//!
//! # Leases
//!
//! A worker is given up when its lease has ended by the server's clock, and when the one who sweeps has had every
//! answer in time for a full lease: after the server was stopped, restarted or out of reach nobody looks dead before
//! everybody had a lease's time to say that they live. In time is what comes within a third of the lease, or a second.
//! So a process that starts anew waits for one lease before it takes over what the dead left.
//!
//! # Keys
//!
//! All begin with `{namespace:0}:`. The braces put all keys of a partition on one server of a cluster; there is one
//! partition so far.
//!
//! | key | type | what is in it |
//! |---|---|---|
//! | `r:<run>` | hash | the run: its place `k`, control word `c` (and how often it was changed), plan `p`, priority `y`, flow `f`, status `t`, summary `z`; the length of its root's journal `l`, behind which may stand the call that its worker goes on with, and the worker; the first 64 of the root's events `j<position>`; its other tasks `T<task> <scope>`, as `state\|token\|due\|deaths\|crashes\|lane\|rank, or worker and number of its claim` (states are `q`ueued, `c`laimed, `h`eld), and how many they are, `n` |
//! | `j:<run>` | hash | the lengths `l<scope>` of the journals of its inner scopes, and all other records `j<position> <scope>` |
//! | `m:<run>` | hash | messages that wait in the inboxes of its scopes |
//! | `q:<kind>`, `s:<kind>`, `l:<kind>` | sorted sets | tasks that can be claimed, by rank and by the time since which they can, and those that can later, by when. A kind is the class (`c`alls, `s`olo calls, `a`dmissions, `i`nternal), the plan's number, the lane |
//! | `w:<worker>` | hash | how many tasks of each run a worker has in hand, `r<run>`, and how many calls of each kind |
//! | `workers`, `about`, `strangers` | hashes | who lives until when, what they tell of themselves, who kept tasks without living |
//! | `incidents` | hash | how many tasks were taken over, how many commits fenced |
//! | `lanes`, `buckets` | hashes | how many calls of a lane are in hand, and when its token bucket is full again |
//! | `plans`, `texts` | hashes | plans by hash and by number, and their JSON |
//! | `runs`, `runs:of:<flow>`, `runs:is:<status>`, `runs:ended:<flow>` | sorted sets | lists of runs |
//! | `counts`, `open`, `flows`, `kinds`, `held` | hashes | how many runs there are of each status, and what is not over of each flow; which flows, kinds of tasks and held runs there are |
//! | `heads:<plan>`, `heads:<plan>:<window>` | sorted sets | the keys of runs that wait in line, by the rank of the first: those that may have room, and those that have none in a window |
//! | `line`, `lines`, `full`, `fullby` | hashes | how many runs wait in line, by flow and key, and by plan; the keys that have no room, and in which window; the windows of each plan that keys have no room in |
//! | `meta` | hash | the store's own name, the format, and its counters |
//! | `news` | channel | somebody may have something to claim |
//!
//! A task's text is a letter and numbers: `a3.1` is the first attempt at node 3.
//!
//! # Example
//!
//! ```no_run
//! use vastflow_redis::RedisStore;
//! use vastflow_store::Store;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), vastflow_store::StoreError> {
//! let store = RedisStore::open("redis://127.0.0.1:6379/0?namespace=orders").await?;
//! assert!(store.capabilities().fleet);
//! store.close().await?;
//! # Ok(()) }
//! ```
//!
//! **Absent:** Redis Cluster, waiting for replicas, searching runs by the text of their errors, any type of the driver
//! in the public interface.
//!
//! Start reading at `submit.rs`, then `lua/step.lua`, `lua/tasks.lua`, `lua/commit.lua` and `link.rs`.

mod check;
mod element;
mod fail;
mod hints;
mod link;
mod options;
mod record;
mod runs;
mod runtime;
mod script;
mod seam;
mod service;
mod store;
mod submit;
mod task;
mod wire;
mod words;

pub use options::RedisOptions;
pub use store::RedisStore;
