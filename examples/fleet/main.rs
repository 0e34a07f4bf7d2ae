//! One program on many processes: start workers in some terminals, runs in another, and watch. Kill a worker, freeze one
//! (`kill -STOP`), stop the server: every run ends, and every result is recorded once.

mod flow;
mod screen;

use flow::{Order, parcel};
use screen::{Look, Screen};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use vastflow::prelude::*;
use vastflow::store::Store;
use vastflow_examples::args::{Args, Usage};
use vastflow_examples::terminal::{self, note, say};

/// How many runs are being started at once.
const STARTS: usize = 256;

async fn fleet(args: Args) -> Result<()> {
    let url = args.option("--store").unwrap_or("redis://127.0.0.1:6379/");
    let store = vastflow::open(url).await?;
    if !store.capabilities().fleet {
        return Err(format!(
            "{url} is a store of one process; a fleet needs a server: redis://HOST/ or postgres://HOST/DB"
        )
        .into());
    }
    match args.subject.to_str() {
        Some("start") => start(store, &args).await,
        Some("worker") => work(store, &args).await,
        Some("watch") => watch(store).await,
        Some("status") => {
            say(Look::at(&*store).await?.line());
            Ok(())
        }
        _ => Err(format!("there is no {:?}; there are start, worker, watch and status", args.subject).into()),
    }
}

/// Starts runs, and does nothing of them itself.
async fn start(store: Arc<dyn Store>, args: &Args) -> Result<()> {
    let runs: u32 = args.detail.as_ref().and_then(|runs| runs.to_str()).unwrap_or("100").parse()?;
    let order = Order { items: number(args, "--items", 3)?, millis: u64::from(number(args, "--millis", 50)?) };
    let id = args.option("--id").unwrap_or("parcel").to_owned();
    let engine = Engine::on(store).concurrency(0).flow(parcel()?).start().await?;
    let began = Instant::now();
    let mut starts: JoinSet<Result<()>> = JoinSet::new();
    for at in 0..runs {
        if starts.len() == STARTS {
            starts.join_next().await.transpose()?.transpose()?;
        }
        let (engine, order, id) = (engine.clone(), order.clone(), format!("{id}-{at}"));
        starts.spawn(async move {
            engine.run("parcel", order).id(&id).await?;
            Ok(())
        });
    }
    while let Some(started) = starts.join_next().await {
        started??;
    }
    let took = began.elapsed().as_secs_f64();
    say(format!("started {runs} runs in {took:.2} s, from {id}-0 to {id}-{}", runs.saturating_sub(1)));
    engine.shutdown().await?;
    Ok(())
}

/// Works until it is told to stop, and gives back what it has in hand then.
async fn work(store: Arc<dyn Store>, args: &Args) -> Result<()> {
    let lease = Duration::from_secs(u64::from(number(args, "--lease", 15)?));
    let slots = number(args, "--slots", 50)? as usize;
    let engine = Engine::on(store).flow(parcel()?).concurrency(slots).lease(lease);
    let engine = args.option("--name").into_iter().fold(engine, |engine, name| engine.worker_name(name));
    let engine = engine.start().await?;
    say(format!("worker {} works; Ctrl-C ends it", std::process::id()));
    told_to_stop().await?;
    note("ending: what is in hand may finish, within 30 s");
    engine.shutdown().await?;
    Ok(())
}

/// Waits for Ctrl-C, or for what a service manager sends.
async fn told_to_stop() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = term.recv() => {}
    }
    Ok(())
}

/// Shows the fleet until Ctrl-C; once, where nobody looks at a terminal.
async fn watch(store: Arc<dyn Store>) -> Result<()> {
    let mut screen = Screen::default();
    let is_terminal = std::io::stdout().is_terminal();
    loop {
        let shown = match Look::at(&*store).await {
            Ok(look) => screen.draw(&look),
            Err(error) if is_terminal => format!("{error}\n"),
            Err(error) => return Err(error),
        };
        if !is_terminal {
            say(shown.trim_end());
            return Ok(());
        }
        // To the corner, each line to its end, and what is below: without a blank moment in between.
        say(format!("\x1b[H{}\x1b[J", shown.replace('\n', "\x1b[K\n")));
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            pressed = tokio::signal::ctrl_c() => return Ok(pressed?),
        }
    }
}

fn number(args: &Args, option: &str, default: u32) -> Result<u32> {
    let Some(text) = args.option(option) else { return Ok(default) };
    Ok(text.parse().map_err(|_| format!("{option} is {text:?}, which is no number"))?)
}

const USAGE: Usage = Usage {
    options: &["--store", "--id", "--items", "--millis", "--slots", "--name", "--lease"],
    subject: Some("COMMAND"),
    detail: Some("N"),
    help: "\
Sends parcels, on as many processes as you like.

Usage: cargo run --release --example fleet -- COMMAND [OPTIONS]

Commands:
  worker            Work, until Ctrl-C; start as many as you like
  start [N]         Start N runs [default: 100]; they are done by the workers
  watch             Show the fleet at work
  status            One line: runs, done, failed, open, workers, fenced, taken_over

Options:
  --store URL       The server that they share [default: redis://127.0.0.1:6379/]
  --id ID           start: what the ids of the runs begin with [default: parcel]
  --items N         start: how many items a parcel has [default: 3]
  --millis N        start: how long it takes to pack an item [default: 50]
  --slots N         worker: how many items it packs at once [default: 50]
  --name NAME       worker: its name, which no other worker may have
  --lease SECONDS   worker: how soon others take over when it dies [default: 15]
  -h, --help        Show this text
",
};

#[tokio::main]
async fn main() -> ExitCode {
    terminal::main(USAGE, fleet).await
}
