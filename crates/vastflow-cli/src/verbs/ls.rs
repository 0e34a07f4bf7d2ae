//! `runs ls`.

use super::{Context, desk, looking};
use crate::args::Ls;
use crate::complaint::Complaint;
use crate::desk::Desk;
use crate::out::{Out, status_cell};
use crate::text::meant;
use crate::{convert, text};
use comfy_table::{Cell, Table};
use serde_json::json;
use vastflow_api::run::RunRow;
use vastflow_core::Timestamp;
use vastflow_core::view::Span;

pub(super) async fn ls(args: &Ls, context: &Context) -> Result<(), Complaint> {
    let desk = desk(context, args.watch).await?;
    looking(context.out, args.watch, async || page(args, context, &desk).await).await?;
    desk.close().await
}

async fn page(args: &Ls, context: &Context, desk: &Desk) -> Result<(), Complaint> {
    let (rows, next) = desk.list(&args.filter, args.before, args.limit as usize).await?;
    let rows: Vec<_> = rows.iter().map(convert::run).collect();
    print(context, &rows, next, desk.now().await);
    if let Some(flow) = args.filter.flow.as_deref().filter(|_| rows.is_empty()) {
        let known = desk.flows().await?;
        hint(context.out, flow, known.keys().map(|name| name.as_str()));
    }
    Ok(())
}

/// Says so when there is no such flow at all.
pub(super) fn hint<'a>(out: Out, flow: &str, known: impl Iterator<Item = &'a str>) {
    let known: Vec<&str> = known.collect();
    if known.contains(&flow) {
        return;
    }
    match meant(flow, known.iter().copied()) {
        Some(near) => out.note(format!("there is no flow {flow:?}; did you mean {near:?}?")),
        None if known.is_empty() => out.note("no flow is known here yet"),
        None => out.note(format!("there is no flow {flow:?}; there are {}", text::line(&known.join(", "), 200))),
    }
}

/// Prints a page of runs.
pub(super) fn print(context: &Context, rows: &[RunRow], next: Option<u64>, now: Timestamp) {
    let out = context.out;
    if out.is_json() {
        out.json(json!({ "runs": rows, "next": next }));
        return;
    }
    out.show(&mut table(context, rows, now), "no run fits");
    if let Some(next) = next {
        out.note(format!("there are more: --before {next}, or -n for longer pages"));
    }
}

/// Runs as a table.
pub(super) fn table(context: &Context, rows: &[RunRow], now: Timestamp) -> Table {
    let mut table = context.out.table(&["id", "flow", "status", "started", "took", ""]);
    for row in rows {
        let began = Timestamp::from_millis(row.started_at_ms);
        let took = row.ended_at_ms.map_or(now, Timestamp::from_millis).since(began);
        let why = match (&row.failure, &row.stopped) {
            (Some(failure), _) => convert::failure_text(failure),
            (None, Some(stopped)) => format!("by {}: {}", stopped.by, stopped.why),
            (None, None) => String::new(),
        };
        table.add_row([
            Cell::new(&row.id),
            Cell::new(&row.flow),
            status_cell(convert::status_asked(row.status)),
            Cell::new(text::ago(began, now)),
            Cell::new(Span(took)),
            Cell::new(text::line(&why, 60)),
        ]);
    }
    table
}
