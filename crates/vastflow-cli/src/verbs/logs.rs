//! `runs logs`: what the calls of a run said.

use super::Context;
use crate::args::{Logs, Watch};
use crate::complaint::Complaint;
use crate::desk::Desk;
use crate::out::{Out, Paint};
use crate::text;
use serde_json::json;
use std::time::Duration;
use vastflow_api::event::LogRow;
use vastflow_core::{Recorded, RunId, ScopeId, Seq};
use vastflow_worker::LogLine;

/// Events read at once.
const PAGE: usize = 500;
/// How often it is looked whether more was said.
pub(super) const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn logs(args: &Logs, context: &Context) -> Result<(), Complaint> {
    let desk = super::desk(context, Watch { watch: args.follow }).await?;
    let row = desk.pick(&args.id).await?;
    let scope = ScopeId::named(row.id.clone(), &args.within);
    let plan = desk.plan(row.summary.started.plan).await?;
    let unknown = || Complaint::not_found(format!("run {} has no scope {:?}", row.id, args.within));
    let plan = plan.of_scope(&scope).ok_or_else(unknown)?;
    let (mut read, mut all_dropped, mut count) = (Seq::ZERO, 0_u64, 0_u64);
    loop {
        // Asked before its journal is read: what was said until it ended is in there.
        let is_over = is_over(&desk, &row.id).await?;
        let ends = !args.follow || is_over;
        let page = desk.store.history(&scope, read, PAGE).await?;
        read = read.after(page.len());
        for recorded in &page {
            let (lines, dropped) = LogLine::of(&plan, recorded);
            let is_wanted = |line: &&LogLine| args.node.is_none() || line.node.as_deref() == args.node.as_deref();
            for line in lines.iter().filter(is_wanted) {
                print(context.out, &row_of(line, recorded));
                count += 1;
            }
            // What one call says is all of one node.
            if lines.iter().any(|line| is_wanted(&line)) {
                all_dropped += u64::from(dropped);
            }
        }
        match page.len() {
            PAGE => {}
            _ if ends => {
                note(context.out, (count, all_dropped), is_over);
                break;
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    }
    desk.close().await
}

async fn is_over(desk: &Desk, id: &RunId) -> Result<bool, Complaint> {
    Ok(desk.store.run(id).await?.is_none_or(|row| row.summary.status.is_final()))
}

/// What else there is to know about what was printed.
pub(super) fn note(out: Out, (count, dropped): (u64, u64), is_over: bool) {
    if dropped > 0 {
        out.note(format!("{} more were said and not kept", text::count(dropped, "line")));
    }
    if count == 0 {
        out.note(if is_over {
            "nothing was said by `ctx.log(…)`, nor by `tracing` where the layer of vastflow-logs is installed; nothing \
             else is kept: what programs print goes to their own output"
        } else {
            "nothing was said; calls under way are heard when they end"
        });
    }
}

fn row_of(line: &LogLine, recorded: &Recorded) -> LogRow {
    LogRow {
        at_ms: recorded.at.millis(),
        node: line.node.as_deref().map(ToOwned::to_owned),
        attempt: line.attempt,
        after_us: u64::try_from(line.after.as_micros()).unwrap_or(u64::MAX),
        level: line.level.as_str().to_owned(),
        text: line.text.to_string(),
    }
}

pub(super) fn print(out: Out, line: &LogRow) {
    if out.is_json() {
        out.json(json!({ "line": line }));
        return;
    }
    let paint = match line.level.as_str() {
        "error" => Paint::Red,
        "warn" => Paint::Yellow,
        _ => Paint::Dim,
    };
    let (node, millis) = (line.node.as_deref().unwrap_or("hook"), line.after_us / 1_000);
    let head = format!("{node} #{} +{}.{:03} s {}", line.attempt, millis / 1_000, millis % 1_000, line.level);
    // One line, and nothing that a terminal would take for a command.
    let text: String = line.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    out.say(format!("{} {text}", out.painted(paint, &head)));
}
