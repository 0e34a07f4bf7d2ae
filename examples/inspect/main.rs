//! Looks through a folder: which files are there twice, and how many lines are in what.
//!
//! ```text
//! list ─┬─ hash-0 … hash-7 ── duplicates ─┬─ report
//!       └─ count-lines ───────────────────┘
//! ```
//!
//! Results that may be large go into files beside the store, and nodes hand on their names: see [`desk`]. Kill it at
//! any moment; `--id` goes on with the run, and what is hashed is not hashed again.

mod desk;
mod report;
mod tree;

use desk::{Desk, FileName, Job};
use report::{Counted, Duplicates};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;
use tree::{Hashed, Listing, SHARDS};
use vastflow::prelude::*;
use vastflow::{Dag, RunOutcome};
use vastflow_examples::args::{Args, Usage};
use vastflow_examples::terminal;

fn flow() -> Result<Flow<Job, FileName>> {
    let flow = Flow::dag("inspect", |dag: &Dag, job: Node<'_, Job>| {
        let listing = dag.node("list", list, job);
        let hash = |shard| dag.node(&format!("hash-{shard}"), move |ctx, files| hash(ctx, files, shard), listing);
        let hashed: Vec<_> = (0..SHARDS).map(hash).collect();
        let duplicates = dag.node("duplicates", find_duplicates, hashed);
        let counted = dag.node("count-lines", count_lines, listing);
        dag.retry(2.times().exponential(1.secs()));
        dag.finally(clear_up);
        dag.node("report", write_report, (listing, duplicates, counted))
    })?;
    Ok(flow)
}

async fn list(ctx: Ctx, _: Job) -> Result<Listing> {
    desk::blocking(ctx, tree::list).await
}

async fn hash(ctx: Ctx, listing: Listing, shard: usize) -> Result<Hashed> {
    desk::blocking(ctx, move |desk| tree::hash(desk, &listing, shard)).await
}

async fn find_duplicates(ctx: Ctx, hashed: Vec<Hashed>) -> Result<Duplicates> {
    desk::blocking(ctx, move |desk| report::duplicates(desk, &hashed)).await
}

async fn count_lines(ctx: Ctx, listing: Listing) -> Result<Counted> {
    desk::blocking(ctx, move |desk| report::count_lines(desk, &listing)).await
}

async fn write_report(ctx: Ctx, parts: (Listing, Duplicates, Counted)) -> Result<FileName> {
    desk::blocking(ctx, move |desk| report::write(desk, &parts.0, &parts.1, &parts.2)).await
}

async fn clear_up(ctx: Ctx, _: RunOutcome) -> Result<()> {
    desk::blocking(ctx, Desk::clear_up).await
}

async fn inspect(args: Args) -> Result<()> {
    let root = folder(Path::new(&args.subject))?;
    let url = args.option("--store").unwrap_or("sqlite:inspect.db");
    let id = args.option("--id").map_or_else(|| fresh_id(&root), str::to_owned);
    let store = vastflow::open(url).await?;
    let before = terminal::greet(&*store, &id).await?;
    let engine = Engine::on(store).flow(flow()?).start().await?;

    let job = Job { root, store: store_file(url)? };
    let run = engine.run("inspect", job.clone()).id(&id).await?; // the same id and folder again join the same run
    if before.is_none_or(|status| !status.is_final()) {
        terminal::show(&run).await?;
    }
    terminal::conclude(&run).await?;
    let report = run.output::<FileName>().await?;
    terminal::print_file(&job.path_of(&id, &report))?;
    engine.shutdown_within(2.secs()).await?;
    terminal::farewell(url, &args.again("inspect", &[("--id", &id)]));
    Ok(())
}

/// The folder's full path.
fn folder(path: &Path) -> Result<PathBuf> {
    let root = path.canonicalize().map_err(|why| format!("cannot inspect {}: {why}", path.display()))?;
    std::fs::read_dir(&root).map_err(|why| format!("cannot inspect {}: {why}", path.display()))?;
    Ok(root)
}

/// An id that no run has yet, and that a person can type.
fn fresh_id(root: &Path) -> String {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{name}-{}", now.as_millis())
}

/// The file that the store is in; without one, a place for the files that would be beside it.
fn store_file(url: &str) -> Result<PathBuf> {
    match url.strip_prefix("sqlite:") {
        Some(path) => Ok(Path::new(path.strip_prefix("//").unwrap_or(path)).canonicalize()?),
        None => Ok(std::env::temp_dir().join(format!("inspect-{}", std::process::id()))),
    }
}

const USAGE: Usage = Usage {
    options: &["--store", "--id"],
    subject: Some("PATH"),
    detail: None,
    help: "\
Looks through a folder: which files are there twice, and how many lines are in what.
Folders named .git and target are left out, and links are not followed.

Usage: cargo run --example inspect -- PATH [OPTIONS]

Options:
  --store URL   Where runs are kept [default: sqlite:inspect.db]
  --id ID       Goes on with that run, or shows it [default: a new one]
  -h, --help    Show this text
",
};

#[tokio::main]
async fn main() -> ExitCode {
    terminal::main(USAGE, inspect).await
}
