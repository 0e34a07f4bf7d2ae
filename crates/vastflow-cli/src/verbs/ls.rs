//! `runs ls`.

use super::{Context, desk, looking};
use crate::args::Ls;
use crate::complaint::Complaint;
use crate::desk::Desk;
use crate::out::status_cell;
use crate::{convert, text};
use comfy_table::{Cell, Table};
use serde_json::json;
use vastflow_core::view::Span;
use vastflow_core::{RunOutcome, Timestamp};
use vastflow_store::RunRow;

pub(super) async fn ls(args: &Ls, context: &Context) -> Result<(), Complaint> {
    let desk = desk(context, args.watch).await?;
    looking(context.out, args.watch, async || page(args, context, &desk).await).await?;
    desk.close().await
}

async fn page(args: &Ls, context: &Context, desk: &Desk) -> Result<(), Complaint> {
    let (rows, next) = desk.list(&args.filter, args.before, args.limit as usize).await?;
    let out = context.out;
    if out.is_json() {
        let runs: Vec<_> = rows.iter().map(convert::run).collect();
        out.json(json!({ "runs": runs, "next": next }));
        return Ok(());
    }
    let mut table = table(context, &rows, desk.now().await);
    out.show(&mut table, "no run fits");
    if let Some(next) = next {
        out.note(format!("there are more: --before {next}, or -n for longer pages"));
    }
    Ok(())
}

/// Runs as a table.
pub(super) fn table(context: &Context, rows: &[RunRow], now: Timestamp) -> Table {
    let mut table = context.out.table(&["id", "flow", "status", "started", "took", ""]);
    for row in rows {
        let summary = &row.summary;
        let took = summary.ended_at.unwrap_or(now).since(summary.started_at);
        let why = match &summary.outcome {
            Some(RunOutcome::Failed(failure)) => failure.to_string(),
            Some(RunOutcome::Stopped { by, why }) => format!("by {by}: {why}"),
            _ => String::new(),
        };
        table.add_row([
            Cell::new(&row.id),
            Cell::new(&summary.started.flow),
            status_cell(summary.status),
            Cell::new(text::ago(summary.started_at, now)),
            Cell::new(Span(took)),
            Cell::new(text::line(&why, 60)),
        ]);
    }
    table
}
