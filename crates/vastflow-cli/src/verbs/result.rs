//! `runs result`, and what else ends with what a run gave.

use super::Context;
use crate::args::RunResult;
use crate::complaint::{Complaint, Exit};
use crate::desk::Desk;
use crate::{convert, text};
use serde_json::json;
use std::time::Duration;
use vastflow_core::{Payload, RunOutcome};
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

/// Prints what a run gave; complains when it gave nothing.
pub(super) fn print(row: &RunRow, context: &Context) -> Result<(), Complaint> {
    let (out, summary) = (context.out, &row.summary);
    if out.is_json() {
        let output = summary.output.as_ref().map(text::json);
        out.json(json!({ "run": convert::run(row), "output": output }));
    }
    let id = &row.id;
    match &summary.outcome {
        _ if !summary.status.is_final() => {
            let text = format!("run {id} is not over: it is {}", summary.status);
            Err(Complaint::new(Exit::Conflict, "run-not-ended", text)
                .next(format!("vastflow runs result {id} --wait, or vastflow runs tail {id}")))
        }
        Some(RunOutcome::Failed(failure)) => {
            let text = format!("run {id} failed: {failure}");
            Err(Complaint::new(Exit::Failed, "run-failed", text)
                .next(format!("vastflow runs show {id}, then vastflow runs retry {id}")))
        }
        Some(RunOutcome::Stopped { by, why }) => {
            let text = format!("run {id} was stopped by {by}: {why}");
            Err(Complaint::new(Exit::Failed, "run-stopped", text)
                .next(format!("vastflow runs show {id}, then vastflow runs retry {id}")))
        }
        _ => {
            if !out.is_json() {
                out.bytes(summary.output.as_ref().map_or(&b"null"[..], Payload::bytes));
            }
            Ok(())
        }
    }
}
