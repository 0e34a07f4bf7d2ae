//! `workers` and `queues`.

use super::{Context, looking};
use crate::args::Watch;
use crate::complaint::Complaint;
use crate::desk::Desk;
use crate::out::number_cell;
use crate::{convert, text};
use comfy_table::Cell;
use serde_json::{Value, json};
use vastflow_api::fleet::{QueueRow, Workers};
use vastflow_core::Timestamp;
use vastflow_core::view::Span;

/// Only who has the store itself knows this, so a file is opened for good.
async fn desk(context: &Context) -> Result<Desk, Complaint> {
    Desk::change(&context.config).await
}

pub(super) async fn workers(watch: Watch, context: &Context) -> Result<(), Complaint> {
    let desk = desk(context).await?;
    looking(context.out, watch, async || list_workers(&desk, context).await).await?;
    desk.close().await
}

async fn list_workers(desk: &Desk, context: &Context) -> Result<(), Complaint> {
    let fleet = desk.store.fleet().await?;
    print_workers(&convert::workers(&fleet), fleet.now, context);
    Ok(())
}

/// Prints who works.
pub(super) fn print_workers(fleet: &Workers, now: Timestamp, context: &Context) {
    let out = context.out;
    if out.is_json() {
        out.json(serde_json::to_value(fleet).unwrap_or(Value::Null));
        return;
    }
    let mut table = out.table(&["name", "where", "version", "lives", "in hand", "slots", "lanes", "plans"]);
    for row in &fleet.workers {
        let lives = match row.is_alive {
            true => format!("for {}", Span(Timestamp::from_millis(row.until_ms).since(now))),
            false => "dead".into(),
        };
        let lacks = if row.lacks.is_empty() { String::new() } else { format!(", lacks {}", row.lacks.len()) };
        table.add_row([
            Cell::new(row.name.as_ref().unwrap_or(&row.id)),
            Cell::new(format!("{}:{}", row.host, row.pid)),
            Cell::new(&row.version),
            Cell::new(lives),
            number_cell(row.in_hand),
            number_cell(row.slots),
            Cell::new(text::line(&row.lanes.join(", "), 40)),
            Cell::new(format!("{}{lacks}", row.serves.len())),
        ]);
    }
    out.show(&mut table, "nobody works on this store");
    out.note(format!(
        "{} taken over from the dead, {} refused because somebody else had the task",
        text::count(fleet.taken_over, "task"),
        text::count(fleet.fenced, "commit")
    ));
}

pub(super) async fn queues(watch: Watch, context: &Context) -> Result<(), Complaint> {
    let desk = desk(context).await?;
    looking(context.out, watch, async || list_queues(&desk, context).await).await?;
    desk.close().await
}

async fn list_queues(desk: &Desk, context: &Context) -> Result<(), Complaint> {
    let mut rows = Vec::new();
    for row in desk.store.queues().await? {
        let plan = desk.store.plan(row.plan).await?;
        let flow = plan.map_or_else(|| row.plan.to_string(), |plan| plan.flow().to_string());
        rows.push(convert::queue(&row, &flow));
    }
    print_queues(&rows, desk.now().await, context);
    Ok(())
}

/// Prints what waits to be called.
pub(super) fn print_queues(rows: &[QueueRow], now: Timestamp, context: &Context) {
    let out = context.out;
    if out.is_json() {
        out.json(json!({ "queues": rows }));
        return;
    }
    let mut table = out.table(&["flow", "plan", "lane", "ready", "oldest", "later", "in hand", "held"]);
    for row in rows {
        table.add_row([
            Cell::new(&row.flow),
            Cell::new(text::line(&row.plan, 9)),
            Cell::new(row.lane.as_deref().unwrap_or("")),
            number_cell(row.ready),
            Cell::new(
                row.oldest_ready_ms.map(|since| text::ago(Timestamp::from_millis(since), now)).unwrap_or_default(),
            ),
            number_cell(row.later),
            number_cell(row.in_hand),
            number_cell(row.held),
        ]);
    }
    out.show(&mut table, "nothing waits to be called");
}
