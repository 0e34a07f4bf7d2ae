//! A trip of four bookings, each of which can be taken back: a saga. Let one fail with `--fail-at car`, and watch the
//! others being undone, the last first.
//!
//! Kill it at any moment and start it again: it goes on where it was, also in the middle of undoing.

use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use vastflow::prelude::*;
use vastflow::{RunStatus, Timestamp};
use vastflow_examples::args::{Args, Usage};
use vastflow_examples::dashboard;
use vastflow_examples::terminal::{self, say};

const STEPS: [&str; 4] = ["hotel", "flight", "car", "payment"];

#[derive(Clone, Serialize, Deserialize)]
struct Trip {
    to: String,
    /// The step that is to fail, to see what happens then.
    fail_at: Option<String>,
}

/// Books one part. Called again after a crash, it would ask with the same key, and get the same booking.
async fn book(ctx: Ctx, trip: Trip) -> Result<String> {
    let step = ctx.node();
    tokio::time::sleep(400.ms()).await; // here a request would go out
    if trip.fail_at.as_deref() == Some(step) {
        return Err(NodeError::fatal(format!("there is no {step} in {} any more", trip.to)).into());
    }
    say(format!("{step} booked in {}, under key {}", trip.to, ctx.idempotency_key()));
    Ok(format!("{step}-4711"))
}

/// Takes a booking back. `None`: nobody knows whether it was made, so one would ask by the key that it was made under.
async fn cancel(ctx: Ctx, booking: Option<String>) -> Result<()> {
    tokio::time::sleep(400.ms()).await;
    match booking {
        Some(booking) => say(format!("{booking} cancelled")),
        None => say(format!("nothing known of {}, nothing to cancel", ctx.undone_key())),
    }
    Ok(())
}

fn trip() -> Result<Flow<Trip, Vec<String>>> {
    let flow = Flow::dag("trip", |dag, trip: Node<Trip>| {
        let hotel = dag.node("hotel", book, trip).undo(cancel);
        let flight = dag.node("flight", book, trip).after(hotel).undo(cancel).undo_retry(3.times().every(1.secs()));
        let car = dag.node("car", book, trip).after(flight).undo(cancel);
        let payment = dag.node("payment", book, trip).after(car).undo(cancel);
        dag.node("confirm", |all: Vec<String>| async { Ok::<_, NodeError>(all) }, vec![hotel, flight, car, payment])
    });
    Ok(flow?)
}

async fn travel(args: Args) -> Result<()> {
    let url = args.option("--store").unwrap_or("sqlite:trip.db");
    let fail_at = args.option("--fail-at").map(str::to_owned);
    if let Some(step) = fail_at.as_deref().filter(|step| !STEPS.contains(step)) {
        return Err(format!("there is no step {step}; there are {}", STEPS.join(", ")).into());
    }
    let id = args.option("--id").map_or_else(|| default_id(fail_at.as_deref()), str::to_owned);
    let store = vastflow::open(url).await?;
    let before = terminal::greet(&*store, &id).await?;

    let engine = Engine::on(store).flow(trip()?).start().await?;
    let beside = dashboard::beside(&engine, &args).await?;
    let run = engine.run("trip", Trip { to: "Lima".into(), fail_at: fail_at.clone() }).id(&id).await?;
    if before.is_none_or(|status| !status.is_final()) {
        terminal::show(&run).await?;
    }
    let view = run.view().await?;
    if fail_at.is_some() && view.status == RunStatus::Failed {
        eprint!("\n{}\n", view.timeline());
        let mut undone: Vec<_> = view.nodes.iter().filter(|node| node.status == vastflow::NodeStatus::Undone).collect();
        undone.sort_by_key(|node| node.ended_at.map(Timestamp::millis));
        let undone: Vec<&str> = undone.iter().map(|node| &*node.name).collect();
        terminal::note(match undone.is_empty() {
            true => "it failed, as it was asked to; there was nothing to undo".to_owned(),
            false => format!("it failed, as it was asked to; undone, in this order: {}", undone.join(", ")),
        });
    } else {
        terminal::conclude(&run).await?;
    }
    beside.end(engine).await?;
    terminal::farewell(url, &args.again("trip", &[]));
    Ok(())
}

/// The same command is the same run; another failure is another run.
fn default_id(fail_at: Option<&str>) -> String {
    fail_at.map_or_else(|| "trip-1".to_owned(), |step| format!("trip-without-{step}"))
}

const USAGE: Usage = Usage {
    options: &["--store", "--id", "--fail-at", "--dashboard"],
    subject: None,
    detail: None,
    help: "\
Books a trip: hotel, flight, car, payment. When one fails, what was booked is cancelled, the last first.

Usage: cargo run --example trip -- [OPTIONS]

Options:
  --fail-at STEP  Let hotel, flight, car or payment fail
  --store URL     Where runs are kept [default: sqlite:trip.db]
  --dashboard AT  Show the dashboard at this address, say 127.0.0.1:8080, until Ctrl-C
  --id ID         The run's id; the same id again is the same run [default: trip-1, or trip-without-STEP]
  -h, --help      Show this text
",
};

#[tokio::main]
async fn main() -> ExitCode {
    terminal::main(USAGE, travel).await
}
