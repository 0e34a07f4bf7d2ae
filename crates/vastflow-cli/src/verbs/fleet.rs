//! `workers` and `queues`.

use super::{Context, looking};
use crate::args::Watch;
use crate::complaint::Complaint;
use crate::desk::Desk;
use crate::out::number_cell;
use crate::{convert, text};
use comfy_table::Cell;
use serde_json::{Value, json};
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
    let out = context.out;
    if out.is_json() {
        let seen = serde_json::to_value(convert::workers(&fleet)).unwrap_or(Value::Null);
        out.json(seen);
        return Ok(());
    }
    let mut table = out.table(&["name", "where", "version", "lives", "in hand", "slots", "lanes", "plans"]);
    for row in &fleet.workers {
        let about = &row.about;
        let name = about.name.as_ref().map_or_else(|| format!("{:016x}", row.id.0), ToString::to_string);
        let lanes: Vec<&str> = about.lanes.iter().map(|lane| lane.as_str()).collect();
        let lives = match row.until > fleet.now {
            true => format!("for {}", Span(row.until.since(fleet.now))),
            false => "dead".into(),
        };
        let lacks = if about.lacks.is_empty() { String::new() } else { format!(", lacks {}", about.lacks.len()) };
        table.add_row([
            Cell::new(name),
            Cell::new(format!("{}:{}", about.host, about.pid)),
            Cell::new(&about.version),
            Cell::new(lives),
            number_cell(row.in_hand as u64),
            number_cell(about.slots as u64),
            Cell::new(text::line(&lanes.join(", "), 40)),
            Cell::new(format!("{}{lacks}", about.serves.len())),
        ]);
    }
    out.show(&mut table, "nobody works on this store");
    out.note(format!(
        "{} taken over from the dead, {} refused because somebody else had the task",
        text::count(fleet.taken_over, "task"),
        text::count(fleet.fenced, "commit")
    ));
    Ok(())
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
        rows.push((flow, row));
    }
    let (out, now) = (context.out, desk.now().await);
    if out.is_json() {
        let queues: Vec<_> = rows.iter().map(|(flow, row)| convert::queue(row, flow)).collect();
        out.json(json!({ "queues": queues }));
        return Ok(());
    }
    let mut table = out.table(&["flow", "plan", "lane", "ready", "oldest", "later", "in hand", "held"]);
    for (flow, row) in &rows {
        table.add_row([
            Cell::new(flow),
            Cell::new(text::line(&row.plan.to_string(), 9)),
            Cell::new(row.lane.as_ref().map(ToString::to_string).unwrap_or_default()),
            number_cell(row.ready as u64),
            // What was there when the store was opened has been ready since nobody knows when.
            Cell::new(
                row.since
                    .filter(|since| *since > Timestamp::ZERO)
                    .map(|since| text::ago(since, now))
                    .unwrap_or_default(),
            ),
            number_cell(row.later as u64),
            number_cell(row.in_hand as u64),
            number_cell(row.held as u64),
        ]);
    }
    out.show(&mut table, "nothing waits to be called");
    Ok(())
}
