//! The command line of vastflow: the `vastflow` command, and [`app`], which gives a program with flows of its own the same
//! verbs.
//!
//! ```no_run
//! use vastflow_sdk::{Flow, Node, Result};
//!
//! async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
//!
//! fn main() -> Result<std::process::ExitCode> {
//!     let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
//!     Ok(vastflow_cli::app().flow(flow).main())
//! }
//! ```
//!
//! ```sh
//! app start double -i 21 --wait --store sqlite:app.db     # 42
//! app runs ls --store sqlite:app.db
//! ```
//!
//! Data goes to standard output, talk to standard error; `-o json` is versioned and made of the types of `vastflow-api`.
//!
//! **Absent:** any rule about runs (that is the core's), any driver (that is `vastflow-open`'s), HTTP.
//!
//! Start reading at `args.rs`, then `app.rs`, then the verb you are after in `verbs/`.

mod app;
mod args;
mod complaint;
mod config;
mod convert;
mod desk;
mod draw;
mod log;
mod out;
mod text;
mod verbs;

pub use app::{App, app};
