//! Talking on a terminal: what a program says goes to standard output, what is said about it to standard error.

use crate::args::{Args, Misuse, Usage};
use std::fmt::Display;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;
use vastflow::store::{RunQuery, Store};
use vastflow::{Result, Run, RunEvent, RunId, RunStatus, Timestamp};

/// A program with a command line: exits with 0 when all went well, 1 when not, 2 when the command line was not
/// understood.
pub async fn main<F: Future<Output = Result<()>>>(usage: Usage, program: impl FnOnce(Args) -> F) -> ExitCode {
    match usage.read(std::env::args_os().skip(1)) {
        Ok(None) => say(usage.help.trim_end()),
        Ok(Some(args)) => {
            if let Err(error) = program(args).await {
                eprintln!("{} {error}", painted(RED, "error:"));
                return ExitCode::FAILURE;
            }
        }
        Err(Misuse(why)) => {
            eprintln!("{} {why}\n\n{}", painted(RED, "error:"), usage.help.trim_end());
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Says one line, at once: it must be out when the process is killed.
pub fn say(line: impl Display) {
    let mut out = stdout().lock();
    // Nobody may be listening any more (`… | head -1`). That is no reason to stop working.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Remarks something about the program.
pub fn note(line: impl Display) {
    eprintln!("{}", painted(DIM, &line.to_string()));
}

/// Says where a run stands before the engine starts, because the engine carries on at once with whatever is unfinished.
///
/// # Errors
/// An invalid id; store errors.
pub async fn greet(store: &dyn Store, id: &str) -> Result<Option<RunStatus>> {
    let known = store.run(&RunId::new(id)?).await?.map(|row| row.summary.status);
    match known {
        None => note(format!("run {id} is new")),
        Some(status) if status.is_final() => note(format!("run {id} is finished already: it {status}")),
        Some(_) => note(format!("run {id} goes on where it was; first what is recorded of it:")),
    }
    let query = RunQuery { status: Some(RunStatus::Running), ..RunQuery::default() };
    let others = store.runs(&query).await?.rows.into_iter().filter(|row| row.id.as_str() != id);
    for row in others.take(3) {
        note(format!("run {} is unfinished and goes on too", row.id));
    }
    Ok(known)
}

/// Shows a run's events until its end: what was recorded before now dimly, the rest as it happens.
///
/// # Errors
/// As [`Run::follow`].
pub async fn show(run: &Run) -> Result<()> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let since = Timestamp::from_millis(u64::try_from(since.as_millis())?);
    run.follow(|event| eprintln!("  {}", painted(colour(&event, since), &event.to_string()))).await?;
    Ok(())
}

/// Shows a run as it stands at its end.
///
/// # Errors
/// What went wrong with it; as [`Run::view`].
pub async fn conclude(run: &Run) -> Result<()> {
    let view = run.view().await?;
    eprint!("\n{}\n", view.timeline());
    match view.status {
        RunStatus::Succeeded => Ok(()),
        status => Err(format!("run {} {status}; start it again with another id", run.id()).into()),
    }
}

/// Prints a file.
///
/// # Errors
/// When it cannot be read.
pub fn print_file(path: &Path) -> Result<()> {
    let mut file = File::open(path).map_err(|why| format!("cannot show {}: {why}", path.display()))?;
    match std::io::copy(&mut file, &mut stdout().lock()) {
        Err(why) if why.kind() != ErrorKind::BrokenPipe => Err(why.into()),
        _ => Ok(()),
    }
}

/// Says where the store is, how to look inside, and how to run the program again.
pub fn farewell(url: &str, again: &str) {
    note(format!("the store is {url}; to look inside and to run it again:"));
    if let Some(file) = url.strip_prefix("sqlite:") {
        note(format!("  sqlite3 {file} 'select id, flow, status from runs'"));
    }
    note(format!("  {again}"));
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const DIM: &str = "2";
const PLAIN: &str = "0";

fn colour(event: &RunEvent, since: Timestamp) -> &'static str {
    use vastflow::Event::{
        AttemptFailed, ChildEnded, HookDone, HookFailed, NodeFailed, NodeParked, NodeSucceeded, RescueFailed,
        UndoFailed, Undone, Woke,
    };
    match &event.recorded.event {
        _ if event.recorded.at < since => DIM,
        ChildEnded { end, .. } if end.result.is_err() => RED,
        NodeSucceeded { .. } | HookDone { .. } | ChildEnded { .. } | Woke { .. } => GREEN,
        NodeFailed { .. } | RescueFailed { .. } | HookFailed { .. } => RED,
        AttemptFailed { .. } | NodeParked { .. } | Undone { .. } | UndoFailed { .. } => YELLOW,
        _ => PLAIN,
    }
}

fn painted(colour: &str, text: &str) -> String {
    let plain = !stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    if plain { text.to_owned() } else { format!("\x1b[{colour}m{text}\x1b[0m") }
}
