//! `runs tail`: what is recorded of a run, as it is recorded.

use super::Context;
use crate::args::{Tail, Watch};
use crate::complaint::Complaint;
use crate::out::{Out, Paint};
use crate::{convert, text};
use serde_json::{Value, json};
use std::time::Duration;
use vastflow_core::{Event, Plan, Recorded, ScopeId, Seq, State};
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
    let event = RunEvent { recorded, node };
    if out.is_json() {
        let row = serde_json::to_value(convert::event(&event)).unwrap_or(Value::Null);
        out.json(json!({ "event": row }));
        return;
    }
    let at = text::utc(event.recorded.at);
    let time = at.split_once(' ').map_or("", |(_, time)| time);
    let line = event.to_string();
    out.say(format!("{} {}", out.painted(Paint::Dim, time), out.painted(paint(&event.recorded.event), &line)));
}

fn paint(event: &Event) -> Paint {
    match event {
        Event::ChildEnded { end, .. } if end.result.is_err() => Paint::Red,
        Event::NodeSucceeded { .. } | Event::HookDone { .. } | Event::ChildEnded { .. } | Event::Woke { .. } => {
            Paint::Green
        }
        Event::NodeFailed { .. } | Event::RescueFailed { .. } | Event::HookFailed { .. } => Paint::Red,
        Event::AttemptFailed { .. } | Event::NodeParked { .. } | Event::Undone { .. } | Event::UndoFailed { .. } => {
            Paint::Yellow
        }
        Event::RunStarted(_) | Event::RunEnded { .. } => Paint::Bold,
        _ => Paint::Blue,
    }
}
