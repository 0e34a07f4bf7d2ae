//! A program with flows of its own and the verbs of the `vastflow` command; the tests of the command line run it.
//!
//! ```sh
//! cargo run -p vastflow-cli --example shop -- start order -i '{"id": 7, "items": [1, 2, 3]}' --wait --store sqlite:/tmp/shop.db
//! cargo run -p vastflow-cli --example shop -- runs ls --store sqlite:/tmp/shop.db
//! ```

use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use std::time::Duration;
use vastflow_sdk::{Ctx, Dag, DurationExt as _, Flow, Node, NodeError, OnExhausted, Result, TimesExt as _};

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: u64,
    items: Vec<i64>,
}

async fn double(n: u32) -> Result<u32> {
    Ok(n * 2)
}

async fn check(order: Order) -> Result<Order> {
    Ok(order)
}

async fn items(order: Order) -> Result<Vec<i64>> {
    Ok(order.items)
}

async fn reserve(item: i64) -> Result<i64> {
    Ok(item)
}

/// Items below zero cannot be charged for.
async fn charge(item: i64) -> Result<i64, NodeError> {
    if item < 0 {
        return Err(NodeError::new(format!("card declined for item {item}: the bank says no, and will not say why")));
    }
    Ok(item)
}

async fn ship(_: Vec<i64>) -> Result<String> {
    Ok("shipped".into())
}

async fn publish((text, _): (String, bool)) -> Result<String> {
    Ok(format!("published {text}"))
}

async fn write(text: String) -> Result<String> {
    Ok(text)
}

fn order() -> Result<Flow<Order, String>> {
    let flow = Flow::dag("order", |dag: &Dag, order: Node<'_, Order>| {
        let checked = dag.node("check", check, order);
        let items = dag.node("items", items, checked);
        let paid = dag.for_each("each", items, |dag, item| {
            let reserved = dag.node("reserve", reserve, item);
            dag.node("charge", charge, reserved).retry(2.times().every(1.ms()))
        });
        dag.node("ship", ship, paid)
    })?;
    Ok(flow)
}

fn article() -> Result<Flow<String, String>> {
    let flow = Flow::dag("article", |dag: &Dag, text: Node<'_, String>| {
        let written = dag.node("write", write, text);
        let approved = dag.wait_signal::<bool, _>("approved", written);
        dag.node("publish", publish, (written, approved))
    })?;
    Ok(flow)
}

/// Says so many lines, waits for a signal, and says one more.
fn chatter() -> Result<Flow<u32, u32>> {
    async fn talk(ctx: Ctx, lines: u32) -> Result<u32> {
        (0..lines).for_each(|line| ctx.log(format!("line {line}")));
        Ok(lines)
    }
    async fn close(ctx: Ctx, (lines, _): (u32, bool)) -> Result<u32> {
        ctx.log("that was all");
        Ok(lines)
    }
    let flow = Flow::dag("chatter", |dag: &Dag, lines: Node<'_, u32>| {
        let said = dag.node("talk", talk, lines);
        let enough = dag.wait_signal::<bool, _>("enough", said);
        dag.node("close", close, (said, enough))
    })?;
    Ok(flow)
}

fn main() -> Result<ExitCode> {
    let twice = Flow::dag("double", |dag, n: Node<'_, u32>| dag.node("double", double, n))?;
    let nap = Flow::dag("nap", |dag, n: Node<'_, u32>| {
        dag.node("double", double, dag.sleep("sleep", Duration::from_secs(3_600), n))
    })?;
    let doubtful =
        Flow::dag("doubtful", |dag, n: Node<'_, i64>| dag.node("charge", charge, n).on_exhausted(OnExhausted::Pause))?;
    Ok(vastflow_cli::app().flow(twice).flow(doubtful).flow(order()?).flow(article()?).flow(chatter()?).flow(nap).main())
}
