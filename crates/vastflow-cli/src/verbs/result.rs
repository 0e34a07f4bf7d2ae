//! `runs result`, and what else ends with what a run gave.

use super::Context;
use crate::args::RunResult;
use crate::complaint::{Complaint, Exit};
use crate::desk::Desk;
use crate::{convert, text};
use serde_json::json;
use std::time::Duration;
use vastflow_api::run;
use vastflow_core::Payload;
use vastflow_store::RunRow;

/// How often a run is looked at whose end is waited for.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn result(args: &RunResult, context: &Context) -> Result<(), Complaint> {
    let watch = crate::args::Watch { watch: args.wait };
    let desk = super::desk(context, watch).await?;
    let row = desk.pick(&args.id).await?;
    let row = if args.wait { ended(&desk, row).await? } else { row };
    let answer = print(&row, context);
    desk.close().await?;
    answer
}

/// Waits for the end of a run.
pub(super) async fn ended(desk: &Desk, mut row: RunRow) -> Result<RunRow, Complaint> {
    while !row.summary.status.is_final() {
        tokio::time::sleep(LOOK).await;
        let now = desk.store.run(&row.id).await?;
        row = now.ok_or_else(|| Complaint::not_found(format!("run {} was deleted meanwhile", row.id)))?;
    }
    Ok(row)
}

/// Prints what a run of a store gave.
pub(super) fn print(row: &RunRow, context: &Context) -> Result<(), Complaint> {
    print_row(&convert::run(row), row.summary.output.as_ref(), context)
}

/// Prints what a run gave; complains when it gave nothing.
pub(super) fn print_row(row: &run::RunRow, output: Option<&Payload>, context: &Context) -> Result<(), Complaint> {
    let (out, id) = (context.out, &row.id);
    if out.is_json() {
        out.json(json!({ "run": row, "output": output.map(text::json) }));
    }
    let is_over = |code, text| {
        Err(Complaint::new(Exit::Failed, code, text)
            .next(format!("vastflow runs show {id}, then vastflow runs retry {id}")))
    };
    match (&row.failure, &row.stopped) {
        _ if !row.status.is_final() => {
            let text = format!("run {id} is not over: it is {}", row.status.as_str());
            Err(Complaint::new(Exit::Conflict, "run-not-ended", text)
                .next(format!("vastflow runs result {id} --wait, or vastflow runs tail {id}")))
        }
        (Some(failure), _) => is_over("run-failed", format!("run {id} failed: {}", convert::failure_text(failure))),
        (None, Some(stopped)) => {
            is_over("run-stopped", format!("run {id} was stopped by {}: {}", stopped.by, stopped.why))
        }
        (None, None) => {
            if !out.is_json() {
                out.bytes(output.map_or(&b"null"[..], Payload::bytes));
            }
            Ok(())
        }
    }
}
