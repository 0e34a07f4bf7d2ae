//! An order in a shop: items side by side, a check that is polled for, a payment that is tried again and can be taken
//! back, and one of three ways to deliver.

use crate::Pace;
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use vastflow::Level;
use vastflow::prelude::*;

/// What the flow takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub customer: String,
    pub items: Vec<String>,
    pub cents: u64,
    pub delivery: Delivery,
    /// The node that is to fail, to see what happens then.
    #[serde(default)]
    pub fail_at: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    Parcel,
    Pickup,
    Download,
}

/// The check for fraud: somebody else does it, and is asked now and then.
#[derive(Serialize, Deserialize)]
struct FraudCheck {
    every_ms: u64,
}

impl River for FraudCheck {
    const NAME: &'static str = "fraud-check";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(20, std::time::Duration::from_millis(self.every_ms))
    }

    async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
        hw.put("fraudCase", "case-4711");
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        let seen = hw.get_int("fraudPolls").unwrap_or(0) + 1;
        hw.put("fraudPolls", seen);
        Ok(if seen < 3 { Cycle::Continue(format!("under review, look {seen}")) } else { Cycle::Done })
    }
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A node that works a while on the order, says what it did, and fails if the order asks for that.
fn step(pace: Pace, units: u32, what: &'static str) -> impl Fn(Ctx, Order) -> Answer<String> + Send + Sync + 'static {
    move |ctx: Ctx, order: Order| {
        Box::pin(async move {
            pace.work(units).await;
            if order.fail_at.as_deref() == Some(ctx.node()) {
                return Err(format!("{what}: no answer from the service behind it").into());
            }
            Ok(format!("{what} for {}", order.customer))
        })
    }
}

/// Takes the money. `flaky`: the bank answers the third time; `charge`, it never does.
async fn charge(pace: Pace, ctx: Ctx, order: Order) -> Result<String> {
    ctx.log(format!("asking the bank for {} cents from {}", order.cents, order.customer));
    pace.work(2).await;
    match order.fail_at.as_deref() {
        Some("charge") => {
            ctx.log_at(Level::Warn, "POST /charges: 402 card_declined, \"insufficient funds\"");
            Err(format!("the bank refuses {} cents: 402 card declined", order.cents).into())
        }
        Some("flaky") if ctx.attempt() < 3 => {
            ctx.log_at(Level::Warn, "POST /charges: 503, try again later");
            Err("the bank is busy: 503".into())
        }
        _ => Ok(format!("receipt-{}", order.cents)),
    }
}

/// Gives back what was held; `stuck`: it cannot, and somebody has to look.
async fn release(pace: Pace, ctx: Ctx, _: Option<String>) -> Result<()> {
    pace.work(1).await;
    let order: Order = ctx.run_input()?;
    if order.customer == "stuck" {
        return Err(NodeError::fatal("the warehouse does not know the reservation any more").into());
    }
    Ok(())
}

pub fn flow(pace: Pace) -> Result<Flow<Order, String>> {
    let every_ms = u64::try_from(pace.0.as_millis())?.max(1);
    let flow = Flow::dag("checkout", |dag, order: Node<Order>| {
        let checked = dag.node("validate", step(pace, 1, "validated"), order);
        let items = dag.node("items", |order: Order| async { Ok::<_, NodeError>(order.items) }, order).after(checked);
        let stock = dag.for_each("stock", items, move |dag, item: Node<String>| {
            let found = dag.node(
                "look-up",
                move |item: String| async move {
                    pace.work(1).await;
                    Ok::<_, NodeError>(item)
                },
                item,
            );
            dag.node(
                "set-aside",
                move |item: String| async move {
                    pace.work(1).await;
                    Ok::<_, NodeError>(format!("{item} set aside"))
                },
                found,
            )
        });
        let price = dag.node("price", step(pace, 1, "priced"), order).after(checked);
        let fraud = dag.river("fraud", FraudCheck { every_ms }, price);
        let reserve = dag
            .node("reserve", step(pace, 1, "reserved"), order)
            .after(stock.window(3))
            .undo(move |ctx: Ctx, it: Option<String>| release(pace, ctx, it));
        let charged = dag
            .node("charge", move |ctx: Ctx, order: Order| charge(pace, ctx, order), order)
            .after(reserve)
            .after(fraud)
            .retry(3.times().exponential(pace.0 * 2))
            .undo(move |ctx: Ctx, it: Option<String>| release(pace, ctx, it));
        let way = |order: &Order| match order.delivery {
            Delivery::Parcel => "parcel",
            Delivery::Pickup => "pickup",
            Delivery::Download => "download",
        };
        let delivered = dag
            .branch("deliver", order, way)
            .case("parcel", move |dag, order| {
                let packed = dag.node("pack", step(pace, 2, "packed"), order);
                let label = dag.node("label", step(pace, 1, "labelled"), order);
                dag.node(
                    "hand-over",
                    |both: (String, String)| async move { Ok::<_, NodeError>(both.0) },
                    (packed, label),
                )
            })
            .case("pickup", move |dag, order| dag.node("shelf", step(pace, 1, "on the shelf"), order))
            .case("download", move |dag, order| dag.node("link", step(pace, 1, "linked"), order))
            .join()
            .after(charged);
        let mailed = dag.node("mail", step(pace, 1, "mailed"), order).after(charged).retry(2.times().every(pace.0));
        dag.node("receipt", |all: (String, String, String)| async move { Ok::<_, NodeError>(format!("{}, {}, {}", all.0, all.1, all.2)) }, (charged, delivered, mailed))
    });
    Ok(flow?)
}
