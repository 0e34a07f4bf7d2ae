//! One of everything, to look at in the dashboard: flows whose runs succeed, fail, retry, poll, branch, fan out, wait for
//! people and are undone. Start it, open the URL that it prints, and press things:
//!
//! ```sh
//! cargo run --example showcase -- --fill yes
//! ```
//!
//! The browser tests of the dashboard and `cargo xtask screenshots` use it, too.

mod checkout;
mod fill;
mod machines;
mod others;
mod trials;

use std::process::ExitCode;
use std::time::Duration;
use vastflow::prelude::*;
use vastflow::server::api::access::{NewToken, Scope};
use vastflow::server::{Service, Tokens};
use vastflow_examples::args::{Args, Usage};
use vastflow_examples::terminal::{self, say};

/// How long a unit of work takes. What one really does takes its own time; this is for show.
#[derive(Clone, Copy, Debug)]
struct Pace(Duration);

impl Pace {
    /// So many units of work.
    async fn work(self, units: u32) {
        tokio::time::sleep(self.0 * units).await;
    }
}

async fn serve(args: Args) -> Result<()> {
    let pace = Pace(Duration::from_millis(number(&args, "--pace", 400)?));
    let builder = Engine::open(args.option("--store").unwrap_or("memory:")).await?;
    let builder = builder.flow(checkout::flow(pace)?).flow(others::transcode(pace)?).flow(others::import(pace)?);
    let builder = builder.flow(others::expense()?).flow(others::claim()?).flow(others::echo()?).flow(others::bytes()?);
    let mut builder = machines::register(builder);
    let (wide, many) = (number(&args, "--wide", 0)?, number(&args, "--many", 0)?);
    if wide > 0 {
        builder = builder.flow(others::wide(usize::try_from(wide)?)?);
    }
    if args.option("--trials").is_some() {
        builder = trials::register(builder)?;
    }
    let engine = builder.start().await?;
    let mut service = Service::new(engine.clone()).dashboard();
    if let Some(path) = args.option("--base-path") {
        service = service.base_path(path);
    }
    if args.option("--read-only").is_some() {
        service = service.read_only();
    }
    if let Some(path) = args.option("--audit") {
        service = service.audit(path);
    }
    if let Some(path) = args.option("--tokens") {
        let tokens = Tokens::open(path)?;
        show_tokens(&tokens)?;
        service = service.tokens(tokens);
    }
    let service = service.bind(args.option("--listen").unwrap_or("127.0.0.1:8080")).await?;
    say(format!("listening on {}", service.url()));
    // Who waits for the runs, waits while the service answers.
    let fill = async {
        fill::many(&engine, many).await?;
        if args.option("--fill").is_some() {
            fill::fill(&engine).await?;
        }
        say("filled");
        Ok::<_, vastflow::BoxError>(())
    };
    tokio::try_join!(fill, async { Ok(service.run().await?) })?;
    Ok(())
}

/// A token for each kind of person, shown this once.
fn show_tokens(tokens: &Tokens) -> Result<()> {
    let rights = [
        ("admin", vec![Scope::Admin, Scope::PayloadRead]),
        ("operator", vec![Scope::Operator, Scope::PayloadRead]),
        ("viewer", vec![Scope::Viewer]),
    ];
    for (name, scopes) in rights {
        let made = tokens.make(NewToken { name: name.into(), scopes, flows: Vec::new(), days: None })?;
        say(format!("token {name} {}", made.token));
    }
    Ok(())
}

fn number(args: &Args, option: &str, otherwise: u64) -> Result<u64> {
    let Some(text) = args.option(option) else { return Ok(otherwise) };
    Ok(text.parse().map_err(|_| format!("{option} is {text:?}, which is no number"))?)
}

const USAGE: Usage = Usage {
    options: &[
        "--listen",
        "--store",
        "--pace",
        "--fill",
        "--many",
        "--wide",
        "--trials",
        "--tokens",
        "--audit",
        "--base-path",
        "--read-only",
    ],
    subject: None,
    detail: None,
    help: "\
Serves flows that show all that a run can come to, for the dashboard.

Usage: cargo run --example showcase -- [OPTIONS]

Options:
  --listen ADDRESS  Where [default: 127.0.0.1:8080]
  --store URL       Where runs are kept [default: memory:]
  --pace MILLIS     How long a unit of work takes [default: 400]
  --fill yes        Start runs of every kind
  --many RUNS       So many short runs more
  --wide NODES      One more flow, with so many nodes
  --trials yes      Flows for tests: of hostile texts, and one that ends this program
  --tokens FILE     Ask for tokens; prints one for an admin, an operator and a viewer
  --base-path PATH  Everything is below this path, say /ops/vastflow
  --read-only yes   Nobody may change anything
  --audit FILE      Keep a line of all that was to change something
  -h, --help        Show this text
",
};

#[tokio::main]
async fn main() -> ExitCode {
    terminal::main(USAGE, serve).await
}
