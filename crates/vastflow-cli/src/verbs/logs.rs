//! `runs logs`: what the calls of a run said.

use super::Context;
use crate::args::{Logs, Watch};
use crate::complaint::Complaint;
use crate::out::{Out, Paint};
use crate::text;
use serde_json::json;
use vastflow_core::{Level, Recorded, ScopeId, Seq};
use vastflow_worker::LogLine;

/// Events read at once.
const PAGE: usize = 500;

pub(super) async fn logs(args: &Logs, context: &Context) -> Result<(), Complaint> {
    let desk = super::desk(context, Watch { watch: false }).await?;
    let row = desk.pick(&args.id).await?;
    let scope = ScopeId::named(row.id.clone(), &args.within);
    let plan = desk.plan(row.summary.started.plan).await?;
    let unknown = || Complaint::not_found(format!("run {} has no scope {:?}", row.id, args.within));
    let plan = plan.of_scope(&scope).ok_or_else(unknown)?;
    let (mut read, mut all_dropped, mut count) = (Seq::ZERO, 0_u64, 0_u64);
    loop {
        let page = desk.store.history(&scope, read, PAGE).await?;
        read = read.after(page.len());
        for recorded in &page {
            let (lines, dropped) = LogLine::of(&plan, recorded);
            let is_wanted = |line: &&LogLine| args.node.is_none() || line.node.as_deref() == args.node.as_deref();
            for line in lines.iter().filter(is_wanted) {
                print(context.out, line, recorded);
                count += 1;
            }
            all_dropped += u64::from(dropped);
        }
        if page.len() < PAGE {
            break;
        }
    }
    if all_dropped > 0 {
        context.out.note(format!("{} more were said and not kept", text::count(all_dropped, "line")));
    }
    if count == 0 {
        context.out.note("nothing was said; calls under way are heard when they end");
    }
    desk.close().await
}

fn print(out: Out, line: &LogLine, recorded: &Recorded) {
    let node = line.node.as_deref().unwrap_or("hook");
    if out.is_json() {
        let after_us = u64::try_from(line.after.as_micros()).unwrap_or(u64::MAX);
        out.json(json!({ "line": {
            "at_ms": recorded.at.millis(), "node": line.node.as_deref(), "attempt": line.attempt, "after_us": after_us,
            "level": line.level.as_str(), "text": line.text,
        } }));
        return;
    }
    let paint = match line.level {
        Level::Error => Paint::Red,
        Level::Warn => Paint::Yellow,
        _ => Paint::Dim,
    };
    let head = format!("{node} #{} +{:.3} s {}", line.attempt, line.after.as_secs_f64(), line.level.as_str());
    // One line, and nothing that a terminal would take for a command.
    let text: String = line.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    out.say(format!("{} {text}", out.painted(paint, &head)));
}
