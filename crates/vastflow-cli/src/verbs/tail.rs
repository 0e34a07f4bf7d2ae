//! `runs tail`: what is recorded of a run, as it is recorded.

use super::Context;
use crate::args::{Tail, Watch};
use crate::complaint::Complaint;
use crate::out::{Out, Paint};
use crate::{convert, text};
use serde_json::json;
use std::time::Duration;
use vastflow_api::event::EventRow;
use vastflow_core::{Plan, Recorded, ScopeId, Seq, State, Timestamp};
use vastflow_worker::RunEvent;

/// Events read at once.
const PAGE: usize = 500;
/// How often it is looked whether there is something new.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn tail(args: &Tail, context: &Context) -> Result<(), Complaint> {
    let desk = super::desk(context, Watch { watch: !args.no_follow }).await?;
    let row = desk.pick(&args.id).await?;
    let scope = ScopeId::named(row.id.clone(), &args.within);
    let plan = desk.plan(row.summary.started.plan).await?;
    let unknown = || Complaint::not_found(format!("run {} has no scope {:?}", row.id, args.within));
    let plan = plan.of_scope(&scope).ok_or_else(unknown)?;
    let (mut state, mut read) = (State::default(), Seq::ZERO);
    loop {
        let page = desk.store.history(&scope, read, PAGE).await?;
        read = read.after(page.len());
        for recorded in &page {
            // What makes no sense is still shown; then it ends when the run does.
            let _ = state.evolve(&plan, &recorded.event, recorded.at, &mut ());
            print(context.out, &plan, recorded.clone());
        }
        if state.status().is_final() || (args.no_follow && page.len() < PAGE) {
            return desk.close().await;
        }
        if page.is_empty() {
            if desk.store.run(&row.id).await?.is_none_or(|row| row.summary.status.is_final()) {
                return desk.close().await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn print(out: Out, plan: &Plan, recorded: Recorded) {
    let node = recorded.event.node().and_then(|node| Some(plan.node(node)?.name.clone()));
    print_row(out, &convert::event(&RunEvent { recorded, node }));
}

/// Prints an event.
pub(super) fn print_row(out: Out, row: &EventRow) {
    if out.is_json() {
        out.json(json!({ "event": row }));
        return;
    }
    let at = text::utc(Timestamp::from_millis(row.at_ms));
    let time = at.split_once(' ').map_or("", |(_, time)| time);
    out.say(format!(
        "{} {}",
        out.painted(Paint::Dim, time),
        out.painted(paint(row), &text::line(&row.text, usize::MAX))
    ));
}

fn paint(row: &EventRow) -> Paint {
    match row.kind.as_str() {
        // The line of a scope that failed begins as that of a node which did.
        "ChildEnded" if row.text.starts_with('✗') => Paint::Red,
        "NodeSucceeded" | "HookDone" | "ChildEnded" | "Woke" => Paint::Green,
        "NodeFailed" | "RescueFailed" | "HookFailed" => Paint::Red,
        "AttemptFailed" | "NodeParked" | "Undone" | "UndoFailed" => Paint::Yellow,
        "RunStarted" | "RunEnded" => Paint::Bold,
        _ => Paint::Blue,
    }
}
