//! An expense that somebody must approve: the run waits for a signal, for as long as it takes or until its deadline,
//! and nothing waits with it: no thread, no slot.
//!
//! Type `y` or `n` to answer. Or stop the program with Ctrl-C while the run waits, and answer from another one:
//! `cargo run --example approval -- --approve expense-1`.

use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;
use vastflow::prelude::*;
use vastflow::{Error, Failure};
use vastflow_examples::args::{Args, Usage};
use vastflow_examples::dashboard;
use vastflow_examples::terminal::{self, note, say};

#[derive(Clone, Serialize, Deserialize)]
struct Expense {
    what: String,
    cents: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Answer {
    approved: bool,
    by: String,
}

async fn ask(ctx: Ctx, expense: Expense) -> Result<Expense> {
    say(format!("{} for {} cents: may we? ({})", expense.what, expense.cents, ctx.run_id()));
    Ok(expense) // here a mail would go out, with the key that makes it one mail: ctx.idempotency_key()
}

/// What counts when nobody answers in time.
async fn nobody(_: Failure) -> Result<Answer> {
    Ok(Answer { approved: false, by: "nobody".into() })
}

async fn pay((expense, answer): (Expense, Answer)) -> Result<String> {
    tokio::time::sleep(300.ms()).await;
    Ok(format!("{} paid, approved by {}", expense.what, answer.by))
}

async fn refuse((expense, answer): (Expense, Answer)) -> Result<String> {
    Ok(format!("{} not paid: {} did not approve", expense.what, answer.by))
}

fn approval(within: Duration) -> Result<Flow<Expense, String>> {
    let flow = Flow::dag("approval", |dag, expense: Node<Expense>| {
        let asked = dag.node("ask", ask, expense);
        let answer: Node<Answer> = dag.wait_signal("answer", asked).total_timeout(within).on_failure(nobody);
        let both = dag.node("both", |both: (Expense, Answer)| async { Ok::<_, NodeError>(both) }, (asked, answer));
        dag.branch("decide", both, |(_, answer)| if answer.approved { "yes" } else { "no" })
            .case("yes", |dag, both| dag.node("pay", pay, both).retry(3.times().every(1.secs())))
            .case("no", |dag, both| dag.node("refuse", refuse, both))
            .join()
    });
    Ok(flow?)
}

/// Sends an answer. The signal's id makes the same answer twice one answer.
async fn answer(run: &Run, approved: bool, by: &str) -> Result<()> {
    let sent = run.signal("answer", Answer { approved, by: by.to_owned() }).id(&format!("from-{by}")).send().await;
    match sent {
        Err(Error::RunEnded { status, .. }) => note(format!("too late: it {status}")),
        sent => sent?,
    }
    Ok(())
}

/// Sends what is typed, line by line; never ends, because somebody else may answer.
async fn typed(run: &Run) -> Result<()> {
    let (tell, mut lines) = mpsc::unbounded_channel();
    // A thread of its own: nothing can be done about somebody who does not type.
    std::thread::spawn(move || std::io::stdin().lines().map_while(|line| tell.send(line.ok()?).ok()).for_each(drop));
    while let Some(line) = lines.recv().await {
        match line.trim() {
            "y" | "yes" => answer(run, true, "you").await?,
            "n" | "no" => answer(run, false, "you").await?,
            _ => note("y or n?"),
        }
    }
    std::future::pending().await
}

async fn approve(args: Args) -> Result<()> {
    let url = args.option("--store").unwrap_or("sqlite:approval.db");
    let verdict = args.option("--approve").map(|id| (id, true)).or(args.option("--refuse").map(|id| (id, false)));
    let id = verdict.map_or(args.option("--id").unwrap_or("expense-1"), |(id, _)| id);
    let within = Duration::from_secs(args.option("--within").unwrap_or("60").parse()?);
    let store = vastflow::open(url).await?;
    let before = terminal::greet(&*store, id).await?;

    let engine = Engine::on(store).flow(approval(within)?).start().await?;
    let beside = dashboard::beside(&engine, &args).await?;
    let run = match verdict {
        Some((id, approved)) => {
            let run = match engine.handle(id).await {
                Err(Error::UnknownRun { .. }) => {
                    let start = Args::default().again("approval", &[("--id", id), ("--store", url)]);
                    return Err(format!("there is no run {id:?} in {url} to answer; begin one: {start}").into());
                }
                run => run?,
            };
            answer(&run, approved, "the-boss").await?;
            run
        }
        None => engine.run("approval", Expense { what: "a hammock".into(), cents: 4_900 }).id(id).await?,
    };
    if before.is_none_or(|status| !status.is_final()) {
        if verdict.is_none() {
            let elsewhere = Args::default().again("approval", &[("--approve", id), ("--store", url)]);
            note(format!("type y or n; or press Ctrl-C, and answer later: {elsewhere}"));
        }
        tokio::select! {
            shown = terminal::show(&run) => shown?,
            failed = typed(&run) => failed?,
        }
    }
    terminal::conclude(&run).await?;
    say(run.output::<String>().await?);
    beside.end(engine).await?;
    terminal::farewell(url, &args.again("approval", &[]));
    Ok(())
}

const USAGE: Usage = Usage {
    options: &["--store", "--id", "--within", "--approve", "--refuse", "--dashboard"],
    subject: None,
    detail: None,
    help: "\
Asks for approval of an expense, and waits for the answer: from the terminal, or from a later start of this program.

Usage: cargo run --example approval -- [OPTIONS]

Options:
  --within SECONDS  How long to wait for an answer [default: 60]
  --approve ID      Approve the run that waits, and see it to its end
  --refuse ID       Refuse it
  --store URL       Where runs are kept [default: sqlite:approval.db]
  --dashboard AT    Show the dashboard at this address, say 127.0.0.1:8080, until Ctrl-C
  --id ID           The run's id; the same id again is the same run [default: expense-1]
  -h, --help        Show this text
",
};

#[tokio::main]
async fn main() -> ExitCode {
    terminal::main(USAGE, approve).await
}
