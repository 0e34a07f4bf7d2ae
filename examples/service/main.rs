//! goflow's six samples on one service. Start it:
//!
//! ```sh
//! cargo run --example service -- --second 100
//! ```
//!
//! A second of the samples takes 100 ms then. Ask it, from another terminal; what it answers stands below each line:
//!
//! ```sh
//! curl -s -d hallo http://127.0.0.1:8080/flow/myflow
//! # you said "hallo"
//! curl -s -d x http://127.0.0.1:8080/flow/single
//! # (Executing node 1 with data (x))
//! curl -s -d x http://127.0.0.1:8080/flow/condition
//! # (Executing result with data ((case1: (Executing case 1 with data ((Executing node 1 with data (x)))), case2: )))
//! curl -s -d case2 http://127.0.0.1:8080/flow/condition
//! # (Executing result with data ((case1: , case2: (Executing case 2 with data ((Executing node 1 with data (case2)))))))
//! curl -s -d x http://127.0.0.1:8080/flow/loop
//! # (Executing result with data ((0: (Executing case 1 with data ((Executing node 1 with data (x)))),1: (Executing case 1 with data ((Executing node 1 with data (x)))),)))
//! curl -s -d x http://127.0.0.1:8080/flow/parallel
//! # (Executing node 4 with data ((node2: (Executing node 2 with data ((Executing node 1 with data (x)))), node3: (Executing node 3 with data ((Executing node 1 with data (x)))))))
//! ```
//!
//! Whoever does not want to wait so long chooses an id, and asks again later:
//!
//! ```sh
//! curl -s -o /dev/null -w '%{http_code}\n' -d x -H 'X-Request-Id: order-7' -H 'Prefer: wait=1' http://127.0.0.1:8080/flow/serial
//! # 202
//! curl -s -d x -H 'X-Request-Id: order-7' http://127.0.0.1:8080/flow/serial
//! # (Executing node 3 with data ((Executing node 2 with data ((Executing node 1 with data (x))))))
//! curl -s http://127.0.0.1:8080/api/v1/runs/order-7/output
//! # (Executing node 3 with data ((Executing node 2 with data ((Executing node 1 with data (x))))))
//! curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8080/api/v1/runs/order-8
//! # 404
//! ```
//!
//! The dashboard is at <http://127.0.0.1:8080/>; all that can be asked is listed at <http://127.0.0.1:8080/api/v1/docs>. With `--store sqlite:app.db` runs survive the
//! process, and with the URL of a Redis or PostgreSQL server, `--mode server` and `--mode worker` can be apart.

mod samples;

use std::process::ExitCode;
use std::time::Duration;
use vastflow::prelude::*;
use vastflow::server::Service;
use vastflow_examples::args::{Args, Usage};
use vastflow_examples::terminal::{self, note, say};

async fn serve(args: Args) -> Result<()> {
    let second = args.option("--second").unwrap_or("1000");
    let second = second.parse().map_err(|_| format!("--second is {second:?}, which is no number"))?;
    let mut engine = Engine::open(args.option("--store").unwrap_or("memory:")).await?;
    let mode = args.option("--mode").unwrap_or("all");
    if mode != "server" {
        for flow in samples::all(Duration::from_millis(second))? {
            engine = engine.flow(flow);
        }
    }
    let service = match mode {
        "all" => Service::new(engine),
        "server" => Service::new(engine).server_only(),
        "worker" => return Ok(Service::new(engine).worker_only().listen("127.0.0.1:0").await?),
        other => return Err(format!("--mode is {other:?}; there are all, server and worker").into()),
    };
    let service = service.dashboard().bind(args.option("--listen").unwrap_or("127.0.0.1:8080")).await?;
    say(format!("listening on {}", service.url()));
    note(format!("see it in a browser: {}/", service.url()));
    Ok(service.run().await?)
}

const USAGE: Usage = Usage {
    options: &["--listen", "--store", "--second", "--mode"],
    subject: None,
    detail: None,
    help: "\
Serves goflow's six samples over HTTP: myflow, single, serial, parallel, condition, loop.

Usage: cargo run --example service -- [OPTIONS]

Options:
  --listen ADDRESS  Where [default: 127.0.0.1:8080]
  --store URL       Where runs are kept [default: memory:]
  --second MILLIS   How long a second of the samples takes [default: 1000]
  --mode MODE       all; server: runs no node; worker: answers nobody [default: all]
  -h, --help        Show this text
",
};

#[tokio::main]
async fn main() -> ExitCode {
    terminal::main(USAGE, serve).await
}
