//! Runs of every kind, so that there is something to see.

use crate::checkout::{Delivery, Order};
use crate::machines;
use crate::others::{Echo, Expense, File, Film};
use vastflow::prelude::*;

const CUSTOMERS: [&str; 6] = ["ada", "grace", "linus", "barbara", "edsger", "tony"];
const WAYS: [Delivery; 3] = [Delivery::Parcel, Delivery::Pickup, Delivery::Download];

/// Starts them, without waiting for their ends.
pub async fn fill(engine: &Engine) -> Result<()> {
    for n in 0..30_usize {
        let fail_at = match n {
            7 => Some("charge"),
            12 => Some("mail"),
            18 | 25 => Some("flaky"),
            _ => None,
        };
        checkout(engine, &format!("order-{n}"), n, fail_at).await?;
    }
    let stuck = Order { customer: "stuck".into(), fail_at: Some("charge".into()), ..order(3) };
    engine.run("checkout", stuck).id("order-stuck").await?;
    let film = |title: &str, pieces, broken_every| Film { title: title.into(), pieces, broken_every };
    engine.run("transcode", film("Metropolis", 1_000, Some(333))).id("film-1").await?;
    engine.run("transcode", film("Nosferatu", 60, None)).id("film-2").await?;
    for (n, name) in ["customers.csv", "prices.csv"].into_iter().enumerate() {
        engine.run("import", File { name: name.into(), fails: 2 }).id(&format!("import-{n}")).await?;
    }
    for (id, what, cents) in [("expense-1", "a hammock", 4_900), ("expense-2", "two standing desks", 98_000)] {
        engine.run("expense", Expense { what: what.into(), cents }).id(id).label("team", "sales").await?;
    }
    engine.run("claim", Expense { what: "a train to Lima".into(), cents: 7_700 }).id("claim-1").await?;
    for n in 0..8 {
        let echo = Echo { text: format!("hello {n}"), fails: n == 5 };
        engine.run("echo", echo).id(&format!("echo-{n}")).await?;
    }
    machines::draw(engine, "machine-1").await?;
    let paused = checkout(engine, "order-paused", 4, None).await?;
    paused.pause("ann", "the warehouse counts its stock").await?;
    Ok(())
}

/// Starts so many runs of two nodes each, and waits for their ends: a long list.
pub async fn many(engine: &Engine, runs: u64) -> Result<()> {
    let lanes = 64.min(runs);
    let drive = |lane: u64| {
        let engine = engine.clone();
        async move {
            for n in (lane..runs).step_by(64) {
                let customer = CUSTOMERS[usize::try_from(n)? % CUSTOMERS.len()];
                let echo = Echo { text: format!("hello {customer}"), fails: n % 50 == 7 };
                let run = engine.run("echo", echo).id(&format!("echo-{n:06}")).label("customer", customer).await?;
                run.wait().await?;
            }
            Ok::<_, vastflow::BoxError>(())
        }
    };
    let drivers: Vec<_> = (0..lanes).map(|lane| tokio::spawn(drive(lane))).collect();
    for driver in drivers {
        driver.await??;
    }
    Ok(())
}

async fn checkout(engine: &Engine, id: &str, n: usize, fail_at: Option<&str>) -> Result<Run> {
    let order = Order { fail_at: fail_at.map(str::to_owned), ..order(n) };
    let tier = if n.is_multiple_of(4) { "gold" } else { "standard" };
    let started = engine.run("checkout", order).id(id).label("tier", tier);
    Ok(started.label("region", if n.is_multiple_of(2) { "eu" } else { "us" }).await?)
}

fn order(n: usize) -> Order {
    let items = (0..=n % 4).map(|item| format!("sku-{}", 100 * n + item)).collect();
    let customer = CUSTOMERS[n % CUSTOMERS.len()].to_owned();
    Order { customer, items, cents: 1_990 + 310 * n as u64, delivery: WAYS[n % WAYS.len()], fail_at: None }
}
