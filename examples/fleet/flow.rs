//! What the fleet does: parcels of several items, each of which says which worker packed it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use vastflow::prelude::*;

/// What is to be sent.
#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    pub items: u32,
    /// How long it takes to pack one.
    pub millis: u64,
}

/// How many items each worker packed, by its process.
pub type Packed = BTreeMap<u32, u32>;

async fn reserve(order: Order) -> Result<Vec<u64>> {
    Ok((0..order.items).map(|_| order.millis).collect())
}

async fn pack(millis: u64) -> Result<u32> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Ok(std::process::id())
}

async fn ship(packers: Vec<u32>) -> Result<Packed> {
    let mut packed = Packed::new();
    packers.into_iter().for_each(|worker| *packed.entry(worker).or_default() += 1);
    Ok(packed)
}

pub fn parcel() -> Result<Flow<Order, Packed>> {
    let flow = Flow::dag("parcel", |dag, order: Node<Order>| {
        let items = dag.node("reserve", reserve, order);
        let packers = dag.for_each("items", items, |dag, millis| dag.node("pack", pack, millis));
        dag.node("ship", ship, packers)
    });
    Ok(flow?)
}
