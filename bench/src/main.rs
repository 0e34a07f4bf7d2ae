//! Measures vastflow beside the floor of the machine it runs on.
//!
//! ```text
//! cargo run --release -p vastflow-bench -- embedded            all works, on the memory and the SQLite store
//! cargo run --release -p vastflow-bench -- embedded W2 W4      some of them
//! cargo run --release -p vastflow-bench -- scale               what grows with items, waiting runs, nodes
//! cargo run --release -p vastflow-bench -- sight                what metrics and traces cost on W2
//! cargo run --release -p vastflow-bench -- tabs                what ten tabs that watch a run cost on W2
//! cargo run --release -p vastflow-bench -- postgres            on a PostgreSQL server of its own, with fsync on
//! cargo run --release -p vastflow-bench -- redis               on a Redis server of its own, synced every second
//! cargo run --release -p vastflow-bench -- redis --always      the same, synced before every answer
//! ```
//!
//! Each work is run three times, in turn with its floor; the medians are printed as a table and as `RESULT` lines.
//! Only the ratios mean something beyond this machine and this minute.
#![allow(clippy::print_stdout, reason = "a program that prints what it measured")]

mod floor;
mod flows;
mod hop;
mod load;
mod postgres;
mod redis;
mod report;
mod scale;
mod sight;
mod tabs;
mod works;

use report::Row;
use std::process::ExitCode;
use vastflow::BoxError;

/// Commits are made on one thread and let go of on another, which glibc's allocator is slow at: a service that starts
/// tens of thousands of runs a second would choose one like this too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: vastflow-bench embedded [--quick] [W1] [W2] [W3] [W4] [W8]\n       vastflow-bench scale [--quick] [W5] [W6] [W7] [W10]\n       vastflow-bench sight [--quick]\n       vastflow-bench tabs [--quick]\n       vastflow-bench postgres [--quick] [W1] [W2] [W3] [W4] [W5] [W9]\n       vastflow-bench redis [--quick] [--always] [W1] [W2] [W3] [W4] [W5] [W9]";

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let asked = match args.split_first() {
        Some((verb, rest)) if verb == "embedded" => rest.to_vec(),
        Some((verb, rest)) if verb == "sight" => return code(&sight::measure(rest).await),
        Some((verb, [watch, rest @ ..])) if verb == "tabs" && watch == "--watch" => {
            return code(&tabs::watching(rest).await);
        }
        Some((verb, rest)) if verb == "tabs" => return code(&tabs::measure(rest).await),
        Some((verb, rest)) if verb == "scale" => return code(&scale::measure(rest).await),
        Some((verb, rest)) if verb == "redis" => return code(&redis::measure(rest).await),
        Some((verb, rest)) if verb == "postgres" => return code(&postgres::measure(rest).await),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    code(&measure(&asked).await.map(|rows| report::print(&rows)))
}

fn code(result: &Result<(), BoxError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(asked: &[String]) -> Result<Vec<Row>, BoxError> {
    let is_quick = asked.iter().any(|arg| arg == "--quick");
    let names: Vec<&str> = asked.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    if let Some(unknown) = names.iter().find(|name| !works::ALL.contains(name)) {
        return Err(format!("there is no work {unknown:?}; {USAGE}").into());
    }
    let scale = if is_quick { 10 } else { 1 };
    let mut rows = Vec::new();
    for work in works::ALL.iter().filter(|work| names.is_empty() || names.contains(work)) {
        eprintln!("measuring {work} …");
        rows.extend(works::measure(work, scale).await?);
    }
    Ok(rows)
}
